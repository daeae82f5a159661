"""A run's lines in words for people: what was looked at, what was found, and what to do about it.

The words are in `report_words`, the codes in `routing.core.conformity`; no text that a server sent is shown.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from federation.fleet.hints import firewall_hint, listed_ports
from federation.fleet.models import ConformityLine, ConformityRun
from federation.fleet.report_words import (
    ADVICE,
    ADVICE_OF_CHECK,
    CERTIFICATES,
    CHECK_LABELS,
    FOUND,
    MENDED_AT,
    MENDED_AT_OF_CHECK,
    OTHER_CERTIFICATE,
    REASONS,
    VERDICT_LABELS,
    Place,
)
from routing.core.conformity import CHECKS, Finding, RunKind, Verdict
from routing.upstream.errors import GRANTABLE_BY_RANGE, RefusalReason

CODES = frozenset(
    {"address", "port", "host", "status", "reason", "needs", "verify_code", "grantable"}
)
"""Figures that are no quantities."""


@dataclass(frozen=True)
class ReportLine:
    """A line as a page shows it; one that is not known yet has no verdict.

    `place` is where the portal lets the advice be followed, None where that is on the server itself.
    """

    check: str
    label: str
    verdict: str = ""
    verdict_label: str = ""
    text: str = ""
    advice: str = ""
    place: Place | None = None
    seconds: float | None = None


def report_lines(run: ConformityRun) -> list[ReportLine]:
    """Return every line of a run in order; while it is open, those still to come too."""
    known = {line.check_name: line for line in run.lines.all()}
    checks = CHECKS[RunKind(run.kind)]
    return [
        _line(known[check]) if check in known else ReportLine(check, str(CHECK_LABELS[check]))
        for check in checks
        if check in known or run.is_open
    ]


def red_lines(run: ConformityRun) -> list[ReportLine]:
    return [line for line in report_lines(run) if line.verdict == Verdict.FAILED]


def refused_address(run: ConformityRun) -> tuple[str, int] | None:
    """Return the address and port that the guard refused and that may be granted, None when there is none."""
    for line in run.lines.all():
        figures = line.figures
        if line.finding == Finding.ADDRESS_REFUSED and figures.get("grantable"):
            return str(figures["address"]), int(figures["port"])
    return None


def _line(line: ConformityLine) -> ReportLine:
    is_to_mend = line.verdict in (Verdict.FAILED, Verdict.WARNING)
    return ReportLine(
        check=line.check_name,
        label=str(CHECK_LABELS[line.check_name]),
        verdict=line.verdict,
        verdict_label=str(VERDICT_LABELS[line.verdict]),
        text=_text(line),
        advice=_advice(line) if is_to_mend else "",
        place=_place(line) if is_to_mend else None,
        seconds=None if line.verdict == Verdict.SKIPPED else line.milliseconds / 1000,
    )


def _text(line: ConformityLine) -> str:
    figures: dict[str, Any] = _Figures(
        {
            name: value if name in CODES else number_format(value, force_grouping=True)
            for name, value in line.figures.items()
        }
    )
    if line.finding == Finding.ADDRESS_REFUSED:
        figures["reason"] = REASONS.get(figures["reason"], figures["reason"])
    if line.finding == Finding.NOT_REACHED:
        figures["needs"] = CHECK_LABELS.get(figures["needs"], figures["needs"])
    if line.finding == Finding.CERTIFICATE:
        figures["certificate"] = CERTIFICATES.get(
            line.figures.get("verify_code", 0), OTHER_CERTIFICATE
        )
    return str(FOUND[line.finding]) % figures


def _advice(line: ConformityLine) -> str:
    if line.finding == Finding.ADDRESS_REFUSED:
        if line.figures.get("reason") == RefusalReason.PORT:
            return _(
                "Have the server listen on one of the ports %(ports)s, or ask the federation to allow "
                "exactly this address and port."
            ) % {"ports": listed_ports()}
        if line.figures.get("reason") in GRANTABLE_BY_RANGE:
            return _(
                "Give a public address with https, or ask the federation to let the router into this "
                "network, under “Networks”."
            )
        if line.figures.get("grantable"):
            return _(
                "Give a public address with https, or ask the federation to allow exactly this "
                "address and port."
            )
        return _("This address is never allowed: give the server’s own.")
    if line.finding == Finding.NO_ANSWER:
        return firewall_hint()
    if line.finding == Finding.CERTIFICATE and not line.figures.get("verify_code"):
        return _(
            "Check that the server speaks TLS on this port. If it asks its clients for a certificate, put one "
            "in under “Certificates”."
        )
    chosen = ADVICE_OF_CHECK.get((line.check_name, line.finding)) or ADVICE.get(line.finding)
    return str(chosen) if chosen else ""


def _place(line: ConformityLine) -> Place | None:
    reason = line.figures.get("reason")
    if line.finding == Finding.ADDRESS_REFUSED and reason in GRANTABLE_BY_RANGE:
        return Place.NETWORKS
    of_check = MENDED_AT_OF_CHECK.get((line.check_name, line.finding))
    return of_check or MENDED_AT.get(line.finding)


class _Figures(dict[str, Any]):
    """Figures by name; one that a line does not have reads as a dash."""

    def __missing__(self, key: str) -> str:
        return "–"
