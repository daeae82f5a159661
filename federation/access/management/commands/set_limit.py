"""`manage.py set_limit`: bound what an institution, an application or a key may use, or stop doing so."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from federation.access.models import ApiKey, Limit, LimitOwner, scope_of
from federation.access.named import owner_named
from federation.access.operations import remove_limit, set_limit, set_threshold
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from routing.core.enums import Measure

NONE = "none"
THRESHOLD = "waiting"
BY = CommandActor("set_limit")


class Command(OperatorCommand):
    help = "Limit what an institution, one of its applications, or a key may use."

    def add_arguments(self, parser: ArgumentParser) -> None:
        measures = [*(measure.value for measure in Measure), THRESHOLD]
        parser.add_argument("measure", choices=measures, help="what is counted")
        parser.add_argument("most", help=f"a number, or `{NONE}` to remove the limit")
        parser.add_argument("--institution", required=True, metavar="SLUG", help="such as rennes")
        parser.add_argument("--application", metavar="NAME", help="of the institution")
        parser.add_argument("--key", metavar="NAME", help="of the application")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = owner_named(options)
        most = _number(options["most"])
        if options["measure"] == THRESHOLD:
            self._set_threshold(owner, most)
        elif most is None:
            self._remove(owner, Measure(options["measure"]))
        else:
            limit = set_limit(by=BY, owner=owner, measure=Measure(options["measure"]), most=most)
            self.stdout.write(f"{owner}: at most {limit.most} {limit.measure}")

    def _set_threshold(self, owner: LimitOwner, most: int | None) -> None:
        if not isinstance(owner, ApiKey):
            raise ValidationError("Only a key can be refused by how many wait: name it with --key")
        set_threshold(by=BY, key=owner, threshold=most)
        told = "waits however many do" if most is None else f"is refused when more than {most} wait"
        self.stdout.write(f"{owner}: {told}")

    def _remove(self, owner: LimitOwner, measure: Measure) -> None:
        whose = {scope_of(owner).value: owner}
        limit = Limit.objects.in_force().filter(measure=measure, **whose).first()
        if limit is None:
            raise ValidationError(f"{owner} has no limit of {measure}")
        remove_limit(by=BY, limit=limit)
        self.stdout.write(f"{owner}: no limit of {measure} any more")


def _number(text: str) -> int | None:
    if text == NONE:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValidationError(f"“{text[:40]}” is neither a number nor `{NONE}`")
    return int(text)
