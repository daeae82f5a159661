"""`manage.py add_identity_federation`: believe an identity federation, and read its metadata."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from federation.command import OperatorCommand
from federation.identity.metadata import Fault
from federation.identity.models import FILE
from federation.identity.operations import add_source, refresh_source
from federation.identity.words import FAULTS
from federation.journal.actors import CommandActor


class Command(OperatorCommand):
    help = "Believe an identity federation, such as RENATER’s or eduGAIN, by its signed metadata."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="such as “Fédération Éducation-Recherche”")
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--url", help="the address of its metadata, read again every six hours")
        where.add_argument("--file", type=Path, help="a file of this machine instead, as readable")
        parser.add_argument(
            "--certificate", type=Path, required=True, help="the federation’s certificate, PEM"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        by = CommandActor("add_identity_federation")
        file = options["file"]
        try:
            certificate = options["certificate"].read_text()
        except (OSError, UnicodeDecodeError) as fault:
            raise CommandError(f"The certificate cannot be read: {fault}") from None
        source = refresh_source(
            by=by,
            source=add_source(
                by=by,
                name=options["name"],
                url=f"{FILE}{file.resolve()}" if file else options["url"],
                certificate=certificate,
            ),
        )
        if source.failure:
            raise CommandError(
                f"{source.name} is believed, but its metadata are not: {FAULTS[Fault(source.failure)]}"
                " They are tried again every six hours."
            )
        self.stdout.write(
            f"{source.name}: {source.found} sign-in services until {source.valid_until:%Y-%m-%d}"
        )
