"""`manage.py export_table`: the router's table as JSON, to look at. Tokens stay sealed, keys are digests."""

from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from federation.command import OperatorCommand
from routing.bridge.files import write_private
from routing.bridge.models import RouterProcess
from routing.bridge.table import read_sections
from routing.core.table import section_name


class Command(OperatorCommand):
    help = "Write the table that the register stands for, and which versions of it routers run, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--output", type=Path, help="a file for this user alone (default: stdout)"
        )

    def handle(self, *args: Any, output: Path | None, **options: Any) -> None:
        table = {section_name(section): section for section in read_sections()}
        routers = {
            router.incarnation: router.versions for router in RouterProcess.objects.present()
        }
        text = msgspec.json.format(msgspec.json.encode(table | {"in_force": routers}), indent=2)
        if output is None:
            self.stdout.write(text.decode())
            return
        write_private(output, text)
