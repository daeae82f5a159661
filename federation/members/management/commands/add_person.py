"""`manage.py add_person`: an account with a role; its first password alone on the last line."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction
from django.utils.crypto import get_random_string

from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.members.queries import institution_with_slug
from federation.people.enums import Language, Role
from federation.people.models import User
from federation.people.operations import create_user, grant_role

BY = CommandActor("add_person")
PASSWORD_LENGTH = 16


class Command(OperatorCommand):
    help = (
        "Open an account with a role, and print its first password alone on the last line. "
        "Somebody who has an account already gets the role only, and keeps the password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", help="of the person; needed for a new account")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument(
            "--institution", metavar="SLUG", help="where, for a role that is not the federation's"
        )
        parser.add_argument("--language", choices=Language.values, default=Language.FRENCH.value)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["institution"]
        institution_id = institution_with_slug(slug).pk if slug else None
        user: User | None = User.objects.filter(email__iexact=options["email"].strip()).first()
        password = ""
        if user is None:
            password = get_random_string(PASSWORD_LENGTH)
            user = create_user(
                by=BY,
                email=options["email"],
                name=options["name"] or "",
                password=password,
                language=options["language"],
            )
        grant = grant_role(by=BY, user=user, role=options["role"], institution_id=institution_id)
        self.stderr.write(f"{user.name} ({user.email}): {grant}{f', {slug}' if slug else ''}")
        if password:
            self.stdout.write(password)
