"""What routers have found of served models, as everyone may know it: which checks, how they ended, and when.

A report belongs to whoever runs the server. That a server calls tools, how long a prompt it reads and how fast it
writes is what a model's card is about: these reads fetch the newest line of each check of a model, and of its figures
those alone that tell nothing of a network. Whose servers are looked at is `queries`' to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.utils import timezone

from federation.fleet.enums import RunState
from federation.fleet.models import ConformityLine
from routing.core.conformity import Check, Finding, RunKind, Verdict

PUBLIC_CHECKS = (
    Check.MODEL,
    Check.STREAMING,
    Check.STREAM_USAGE,
    Check.CONTEXT,
    Check.TOOLS,
    Check.JSON_SCHEMA,
    Check.IMAGES,
    Check.EMBEDDINGS,
    Check.AUDIO,
    Check.SPEED_ALONE,
    Check.SPEED_TOGETHER,
    Check.PEERS,
)
"""Those about the model; the others are about the way to the server, and its owner's affair."""
PUBLIC_FIGURES = frozenset(
    {"tokens", "declared", "read", "listed", "dimensions", "percent", "peers"}
    | {"first_ms", "tokens_per_s", "requests", "refused", "failed", "models", "pieces", "seconds"}
)
SAYS_NOTHING = (Finding.NOT_REACHED, Finding.BUSY, Finding.OWN_FAULT)
"""Of the ability itself: the finding before stands."""
LOOKS_BACK = timedelta(days=90)
"""An older test speaks of another time; servers in service are tested every night."""
CONCLUDED = (RunState.PASSED, RunState.FAILED)


class Standing(StrEnum):
    """What a check says of one server."""

    WELL = "well"
    RESERVED = "reserved"
    FAILED = "failed"
    NOT_OFFERED = "not_offered"
    UNTESTED = "untested"


@dataclass(frozen=True)
class Found:
    """The newest finding of one check on one server, without a word that the server sent."""

    check: str
    verdict: str
    finding: str
    figures: Mapping[str, float]
    at: datetime

    @property
    def standing(self) -> Standing:
        if self.finding == Finding.NOT_DECLARED:
            return Standing.NOT_OFFERED
        match self.verdict:
            case Verdict.OK:
                return Standing.WELL
            case Verdict.WARNING:
                return Standing.RESERVED
            case Verdict.FAILED:
                return Standing.FAILED
        return Standing.UNTESTED


Findings = Mapping[UUID, Mapping[str, Found]]
"""By deployment and check; what was never tested is absent."""


def findings(deployments: Iterable[UUID]) -> Findings:
    """Return what was found of each deployment. One query, however many they are."""
    lines = (
        ConformityLine.objects.filter(
            run__deployment__in=set(deployments),
            run__kind=RunKind.CONFORMITY,
            run__state__in=CONCLUDED,
            run__ended_at__gte=timezone.now() - LOOKS_BACK,
            check_name__in=PUBLIC_CHECKS,
        )
        .exclude(finding__in=SAYS_NOTHING)
        .order_by("run__deployment", "check_name", "-run__ended_at")
        .distinct("run__deployment", "check_name")
        .values_list(
            "run__deployment_id", "check_name", "verdict", "finding", "figures", "run__ended_at"
        )
    )
    found: dict[UUID, dict[str, Found]] = {}
    for deployment, check, verdict, finding, figures, at in lines:
        assert at is not None  # the constraint gives every run that is over its end
        told = {name: value for name, value in figures.items() if name in PUBLIC_FIGURES}
        found.setdefault(deployment, {})[check] = Found(check, verdict, finding, told, at)
    return found
