"""`manage.py import_dispatcher`: models, servers, keys and past requests of an aristote-dispatcher."""

import zoneinfo
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import CommandError

from federation.command import OperatorCommand
from federation.fleet.enums import Engine
from federation.journal.actors import CommandActor
from routing.bridge.transfer.importing import Outcome, import_dispatcher
from routing.bridge.transfer.owners import Choices
from routing.bridge.transfer.reading import Refused
from routing.bridge.transfer.sources import Sources
from routing.bridge.transfer.values import PublicId

T = TypeVar("T")


class Command(OperatorCommand):
    help = (
        "Take over models, servers, keys and past requests of an aristote-dispatcher. Shows what would change; "
        "--apply does it, all or nothing. Run again, it takes what has changed since; it ends nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--values", type=Path, help="the values file of its Helm chart")
        parser.add_argument(
            "--env",
            dest="environments",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="the environment of a consumer, or of the sender, as NAME=value; may be repeated",
        )
        parser.add_argument("--users", type=Path, help="a dump of its table users: CSV or SQL")
        parser.add_argument("--metrics", type=Path, help="a dump of its table metrics: CSV or SQL")
        parser.add_argument(
            "--public-id",
            choices=[each.value for each in PublicId],
            help="which field of a model in the values file is the name by which clients ask for it",
        )
        parser.add_argument(
            "--institution",
            default="",
            metavar="SLUG",
            help="whose servers and keys those are that name no organization",
        )
        for name, kind, text in (
            ("organization", "TEXT=SLUG", "the institution that an organization's text stands for"),
            ("owner", "HOST=SLUG", "whose server answers at this host or address"),
            (
                "engine",
                "HOST=ENGINE",
                f"its software, vllm if not said: {', '.join(Engine.values)}",
            ),
        ):
            parser.add_argument(
                f"--{name}",
                action="append",
                default=[],
                metavar=kind,
                help=f"{text}; may be repeated",
            )
        parser.add_argument(
            "--time-zone", default="UTC", metavar="ZONE", help="of its clock (default: %(default)s)"
        )
        parser.add_argument(
            "--ignore",
            action="append",
            default=[],
            metavar="FIELD",
            help="pass over a field that is unknown, such as models[].pool; may be repeated",
        )
        parser.add_argument("--apply", action="store_true", help="do it, rather than show it")

    def handle(self, *args: Any, **options: Any) -> None:
        sources = read_sources(options)
        if not any((sources.values, sources.environments, sources.users, sources.metrics)):
            raise CommandError("Name what to read: --values, --env, --users or --metrics")
        try:
            outcome = import_dispatcher(
                by=CommandActor("import_dispatcher"),
                sources=sources,
                choices=read_choices(options),
                apply=options["apply"],
            )
        except Refused as refusal:
            raise self._refused(refusal) from None
        self._tell(outcome, applied=options["apply"])

    def _refused(self, refusal: Refused) -> CommandError:
        if len(refusal.faults) == 1:
            return CommandError(f"{refusal.faults[0]}. Nothing was changed.")
        for fault in refusal.faults:
            self.stderr.write(fault)
        return CommandError(f"{len(refusal.faults)} faults, listed above. Nothing was changed.")

    def _tell(self, outcome: Outcome, *, applied: bool) -> None:
        for line in (*outcome.plan.lines(), *outcome.remarks):
            self.stdout.write(line)
        if outcome.requests_read:
            self.stdout.write(
                f"+ {outcome.requests} past requests, of {outcome.requests_read} that were read"
            )
        if outcome.is_nothing:
            self.stdout.write("Nothing to do.")
        elif applied:
            self.stdout.write("Done.")
        else:
            self.stdout.write("Nothing was changed: --apply does it.")


def read_sources(options: dict[str, Any]) -> Sources:
    try:
        zone = zoneinfo.ZoneInfo(options["time_zone"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise CommandError("--time-zone takes a name such as UTC or Europe/Paris") from None
    return Sources(
        zone=zone,
        values=options["values"],
        environments=options["environments"],
        users=options["users"],
        metrics=options["metrics"],
        public_id=PublicId(options["public_id"]) if options["public_id"] else None,
        ignored=options["ignore"],
    )


def read_choices(options: dict[str, Any]) -> Choices:
    return Choices(
        institution=options["institution"],
        organizations=pairs("organization", options["organization"], str),
        owners=pairs("owner", options["owner"], str),
        engines=pairs("engine", options["engine"], Engine),
    )


def pairs(option: str, given: Sequence[str], read: Callable[[str], T]) -> dict[str, T]:
    """Return `KEY=VALUE` options as a mapping."""
    found = {}
    for text in given:
        key, equals, value = text.rpartition("=")
        try:
            if not (key and equals):
                raise ValueError
            found[key] = read(value)
        except ValueError:
            raise CommandError(f"--{option} takes two values with = between them") from None
    return found
