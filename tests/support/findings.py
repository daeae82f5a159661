"""Reports as a router would have made them, for pages that tell of what was tested."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from federation.fleet.enums import RunState, RunTrigger
from federation.fleet.models import ConformityRun, Deployment
from routing.core.conformity import Check, Figures, Finding, RunKind, Verdict


class Line(NamedTuple):
    verdict: Verdict
    finding: Finding = Finding.FINE
    figures: Figures = {}  # never written


WELL = Line(Verdict.OK)
FAILED = Line(Verdict.FAILED, Finding.NO_CALL)
RESERVED = Line(Verdict.WARNING, Finding.CALLS_WHEN_FORCED)
NOT_OFFERED = Line(Verdict.SKIPPED, Finding.NOT_DECLARED)
NOT_REACHED = Line(Verdict.SKIPPED, Finding.NOT_REACHED, {"needs": "model"})


def speed(first_ms: int, tokens_per_s: float, requests: int = 1) -> Line:
    figures: Figures = {
        "first_ms": first_ms,
        "tokens_per_s": tokens_per_s,
        "requests": requests,
    }
    return Line(Verdict.OK, Finding.SPEED, figures)


def window(tokens: int, declared: int) -> Line:
    figures: Figures = {"tokens": tokens, "declared": declared}
    return Line(Verdict.OK, Finding.WINDOW_FITS, figures)


def make_report(
    deployment: Deployment,
    lines: Mapping[Check, Line],
    *,
    at: datetime | None = None,
    kind: RunKind = RunKind.CONFORMITY,
) -> ConformityRun:
    """A run of this deployment that is over, with these lines."""
    failed = any(line.verdict is Verdict.FAILED for line in lines.values())
    run = ConformityRun.objects.create(
        server=deployment.server,
        deployment=deployment,
        kind=kind,
        trigger=RunTrigger.NIGHT,
        state=RunState.FAILED if failed else RunState.PASSED,
        ended_at=at or timezone.now(),
    )
    for check, line in lines.items():
        run.lines.create(
            check_name=check.value,
            verdict=line.verdict,
            finding=line.finding,
            figures=line.figures,
            milliseconds=1,
        )
    return run
