"""`manage.py erase_person`: erase somebody whose account is closed, at their request, before retention would."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.operations.erasure import erase_person
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.people.models import User


class Command(OperatorCommand):
    help = (
        "Take name, addresses and roles off a closed account, for good. Sums and journal stay as they are. "
        "Whoever can still sign in does it themselves, on the page of their data."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"].strip()).first()
        if user is None:
            raise CommandError(f"No account has the address {options['email']}")
        erased = erase_person(by=CommandActor("erase_person"), user=user)
        self.stdout.write(f"Account {erased.pseudonym} is erased")
