"""`manage.py add_institution`: write an institution into the register as an approved member."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.members.enums import MembershipState
from federation.members.operations import (
    add_institution,
    change_membership_state,
    propose_membership,
)


class Command(OperatorCommand):
    help = "Add an institution as an approved contributor, consumer or both (the default)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="short identifier, such as rennes")
        parser.add_argument("--name", required=True, help="such as “Université de Rennes”")
        parser.add_argument("--short-name", default="", help="such as Rennes")
        parser.add_argument("--uai", default="", help="seven digits and a letter")
        parser.add_argument("--siret", default="", help="fourteen digits")
        parser.add_argument("--contributor", action="store_true", help="it brings servers")
        parser.add_argument("--consumer", action="store_true", help="it uses those of others")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        by = CommandActor("add_institution")
        both = not options["contributor"] and not options["consumer"]
        institution = add_institution(
            by=by,
            slug=options["slug"],
            name=options["name"],
            short_name=options["short_name"],
            uai=options["uai"],
            siret=options["siret"],
        )
        membership = propose_membership(
            by=by,
            institution=institution,
            is_contributor=both or options["contributor"],
            is_consumer=both or options["consumer"],
        )
        change_membership_state(by=by, membership=membership, state=MembershipState.APPROVED)
        self.stdout.write(f"{institution.slug} is a member: {institution.name}")
