"""`manage.py merge_institutions`: one institution becomes a part of another."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from billing.operations.merging import merge_institutions
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.members.models import Institution


class Command(OperatorCommand):
    help = "Let one institution become a part of another: its applications, servers, people and what it owes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("old", metavar="OLD", help="the short identifier of the one that ends")
        parser.add_argument("new", metavar="NEW", help="of the one that it becomes a part of")

    def handle(self, *args: Any, **options: Any) -> None:
        old, new = _named(options["old"]), _named(options["new"])
        moved = merge_institutions(by=CommandActor("merge_institutions"), old=old, new=new)
        self.stdout.write(
            f"{old} is a part of {new} now; {len(moved)} transfers between their accounts"
        )


def _named(slug: str) -> Institution:
    found = Institution.objects.filter(slug=slug).first()
    if found is None:
        raise ValidationError(f"no institution is called {slug}")
    return found
