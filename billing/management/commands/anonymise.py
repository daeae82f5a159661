"""`manage.py anonymise`: forget whose keys asked long ago, and who has left. The worker does it each night."""

from typing import Any

from billing.operations.retention import anonymise
from billing.periods import paris_today
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor


class Command(OperatorCommand):
    help = "Forget whose keys asked in months that were closed long ago, and the names of people who have left."

    def handle(self, *args: Any, **options: Any) -> None:
        done = anonymise(by=CommandActor("anonymise"), today=paris_today())
        self.stdout.write(
            f"{done.requests} requests of {done.hours} hours name no key any more, {done.people} people are forgotten"
        )
