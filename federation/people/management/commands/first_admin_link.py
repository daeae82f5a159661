"""`manage.py first_admin_link`: the one-time link by which the first administrator opens an account."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.people.operations import make_first_admin_link


class Command(OperatorCommand):
    help = (
        "Print a link, valid once and for 24 hours, that opens the first administrator's account. "
        "Refused as soon as there is one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        token = make_first_admin_link(by=CommandActor("first_admin_link"))
        path = reverse("first_admin", kwargs={"token": token})
        self.stdout.write(f"{settings.PUBLIC_URL}{path}")
