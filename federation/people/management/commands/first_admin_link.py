"""`manage.py first_admin_link`: the one-time link by which the first administrator opens an account."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.urls import reverse

from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.people.operations import make_first_admin_link
from federation.people.policies import can_be_first_admin


class Command(OperatorCommand):
    help = (
        "Print a link, valid once and for 24 hours, that opens the first administrator's account. "
        "Refused as soon as there is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--if-needed",
            action="store_true",
            help="print nothing where there is one, as at a start",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_needed"] and not can_be_first_admin():
            return
        token = make_first_admin_link(by=CommandActor("first_admin_link"))
        path = reverse("first_admin", kwargs={"token": token})
        self.stdout.write(f"{settings.PUBLIC_URL}{path}")
