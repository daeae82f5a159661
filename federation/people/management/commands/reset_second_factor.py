"""`manage.py reset_second_factor`: take a lost second factor off an account, the last administrator's too."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.people.models import User
from federation.people.operations import reset_second_factor


class Command(OperatorCommand):
    help = (
        "Take the second factor and the recovery codes off an account, end its sessions, and tell "
        "its owner by e-mail. At the next sign-in a new one is asked for, if the role demands it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"].strip()).first()
        if user is None:
            raise CommandError(f"No account has the address {options['email']}")
        reset_second_factor(by=CommandActor("reset_second_factor"), user=user)
        self.stdout.write(f"{user.name} ({user.email}): the second factor is taken off")
