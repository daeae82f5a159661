"""`manage.py draw_states`: writes docs/states.md from the state tables of the register."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from dashboards.states import DOCUMENT, document, path
from federation.command import OperatorCommand


class Command(OperatorCommand):
    help = "Draw the state tables of the register into docs/states.md; with --check, only compare."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if it differs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        drawn = document()
        if not options["check"]:
            path().write_text(drawn)
            self.stdout.write(f"{DOCUMENT} is written")
        elif not path().exists() or path().read_text() != drawn:
            raise CommandError(f"{DOCUMENT} differs from the code: run manage.py draw_states")
