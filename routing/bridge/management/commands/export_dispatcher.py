"""`manage.py export_dispatcher`: the register as the files of an aristote-dispatcher, for the way back."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from federation.command import OperatorCommand
from routing.bridge.files import write_private
from routing.bridge.transfer.reading import Reading, Refused
from routing.bridge.transfer.register import read_register
from routing.bridge.transfer.users import read_users
from routing.bridge.transfer.values import PublicId, read_values
from routing.bridge.transfer.writing import make_files, users_text, values_text


class Command(OperatorCommand):
    help = (
        "Write models, servers and their tokens as the values file of aristote-dispatcher's chart. The register "
        "holds no key's text: those are taken from the files of the import, and written where they came from."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "output", type=Path, help="the values file to write, for this user alone"
        )
        parser.add_argument(
            "--public-id",
            choices=[each.value for each in PublicId],
            default=PublicId.MODEL.value,
            help="where to write the name by which clients ask for a model (default: %(default)s)",
        )
        parser.add_argument(
            "--tokens",
            type=Path,
            metavar="VALUES",
            help="a values file whose `tokens` to write again",
        )
        parser.add_argument(
            "--users", type=Path, help="a dump of the table users, whose keys to write again"
        )
        parser.add_argument(
            "--users-output", type=Path, metavar="CSV", help="where: a file for this user alone"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["users"] is None) != (options["users_output"] is None):
            raise CommandError("--users and --users-output go together")
        public_id, reading = PublicId(options["public_id"]), Reading()
        try:
            tokens = (
                read_values(options["tokens"], public_id, reading).keys if options["tokens"] else ()
            )
            users = read_users(options["users"], reading) if options["users"] else ()
            reading.finish()
        except Refused as refusal:
            raise CommandError(" ".join(refusal.faults)) from None
        files = make_files(read_register(), public_id, tokens, users)
        write_private(options["output"], values_text(files).encode())
        self.stdout.write(
            f"{options['output']}: {len(files.models)} models, {len(files.tokens)} tokens"
        )
        if options["users_output"]:
            write_private(options["users_output"], users_text(files).encode())
            self.stdout.write(f"{options['users_output']}: {len(files.users)} users")
        for note in files.notes:
            self.stdout.write(f"! {note}")
