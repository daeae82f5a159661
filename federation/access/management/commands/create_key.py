"""`manage.py create_key`: a key for an application of an institution; the key alone on the last line."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from federation.access.models import Application
from federation.access.operations import create_application, issue_key
from federation.access.policies import USUAL_LIFE
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.members.queries import institution_with_slug
from routing.core.enums import PriorityClass

MOST_DAYS = 36_600


class Command(OperatorCommand):
    help = "Issue an API key, shown once: alone on the last line of the output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--institution", required=True, metavar="SLUG", help="such as rennes")
        parser.add_argument(
            "--name", required=True, help="of the key, and of the application when it is new"
        )
        parser.add_argument(
            "--class",
            dest="priority",
            type=int,
            choices=[priority.value for priority in PriorityClass],
            default=PriorityClass.P3.value,
            help="priority class; a higher one is served first (default: %(default)s)",
        )

        parser.add_argument(
            "--days",
            type=int,
            default=USUAL_LIFE.days,
            metavar="N",
            help="for how long it works, 0 until it is revoked (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        by = CommandActor("create_key")
        institution = institution_with_slug(options["institution"])
        application = Application.objects.filter(
            institution=institution, name=options["name"].strip()
        ).first() or create_application(by=by, institution=institution, name=options["name"])
        key, secret = issue_key(
            by=by,
            application=application,
            name=options["name"],
            priority=PriorityClass(options["priority"]),
            expires_at=_end(options["days"]),
        )
        self.stderr.write(
            f"Key {key.prefix}… of {application.name} ({institution.name}), class {key.priority};"
            " it cannot be shown again:"
        )
        self.stdout.write(secret.reveal())


def _end(days: int) -> datetime | None:
    if not 0 <= days <= MOST_DAYS:
        raise CommandError(f"--days takes a number from 0 to {MOST_DAYS}")
    return timezone.now() + timedelta(days=days) if days else None
