"""What the meter of a server tells: a page from the last hour to the last year, the same as files, and a part of pages
with its last reading.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.energy.measured import (
    Measured,
    Stretch,
    calibrations_of,
    kwh,
    measured_energy,
    stretches,
)
from billing.impact.meters import Fault
from billing.models import EnergyCalibration, EnergyWindow
from dashboards.figures.power import PowerChart
from dashboards.impact.quantities import KWH, amount
from federation.fleet.models import Deployment, EnergyProbe, InferenceServer
from federation.fleet.policies import can_manage_server
from federation.people.guards import signed_in
from federation.people.models import User
from federation.sheets import streamed, table_lines
from routing.bridge.load import current_load
from routing.core.enums import MeterFault
from routing.dispatch.frames import MeterReading

FAULTS: Mapping[str, str | Promise] = {
    MeterFault.REFUSED: _(
        "The router may not connect there: whatever is not public https on a listed port needs leave."
    ),
    MeterFault.UNREACHABLE: _("Nobody answers at this address."),
    MeterFault.SILENT: _("No whole answer came within five seconds."),
    MeterFault.NO_PAGE: _("What answers there is no page of metrics."),
    MeterFault.TOO_LARGE: _("The page has more than one mebibyte."),
    MeterFault.NO_SERIES: _("The page has no series of this name with these labels."),
    MeterFault.STUCK: _("The counter has not moved for ten minutes."),
    Fault.RESET: _("The counter has begun anew: what it had not told before is lost."),
    Fault.BACKWARDS: _("The counter fell to what it cannot have counted since: nothing is taken."),
    Fault.IMPLAUSIBLE: _("It showed more than the machine can draw: nothing is taken."),
    Fault.OUT_OF_ORDER: _("A reading came before the one that it followed."),
    Fault.UNREADABLE: _("It showed no number, or one below 0."),
    Fault.GAP: _("It was not read for more than a minute."),
}
"""What was wrong with a meter, in words."""


class Span(NamedTuple):
    length: timedelta
    step: timedelta
    label: str | Promise


SPANS = {
    "hour": Span(timedelta(hours=1), timedelta(minutes=1), _("the last hour")),
    "day": Span(timedelta(days=1), timedelta(minutes=15), _("the last day")),
    "month": Span(timedelta(days=30), timedelta(hours=6), _("the last 30 days")),
    "year": Span(timedelta(days=365), timedelta(days=1), _("the last 365 days")),
}
WINDOWS = (
    *(
        "start",
        "end",
        "sees",
        "windows",
        "known_ms",
        "measured_millijoules",
        "requests_millijoules",
    ),
    *("host_millijoules", "idle_millijoules", "waiting_millijoules", "faults"),
)
"""Of the file of what was told. Whole numbers: whoever adds them up has what was measured."""
CALIBRATIONS = ("model", "deployment", "reckoned", "factor", "windows", "sees", "machine")


@require_safe
@login_required
def energy(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """What a server drew lately, for whom, and what was wrong with its meter."""
    user, server = signed_in(request), _visible(signed_in(request), server_id)
    name, end = _asked(request)
    span = SPANS[name]
    told = measured_energy(user, server, end, span.length, span.step)
    chart = PowerChart(told.parts)
    context = {
        "server": server,
        "probe": EnergyProbe.objects.in_force().filter(server=server).first(),
        "kept_days": settings.ENERGY_MINUTES_DAYS,
        "may_manage": can_manage_server(user, server),
        "spans": [(key, each.label, key == name) for key, each in SPANS.items()],
        "told": told,
        "energies": _energies(told),
        "chart": chart if any(shares.covered_ms for shares in told.parts.values()) else None,
        "faults": [(FAULTS.get(fault, fault), count) for fault, count in told.faults.most_common()],
        "calibrations": list(_calibrations(user, server)),
    }
    return render(request, "dashboards/server_energy.html", context)


@require_safe
@login_required
def energy_csv(request: HttpRequest, server_id: UUID) -> StreamingHttpResponse:
    """What the page is made of: windows, or hours of those that are old."""
    user, server = signed_in(request), _visible(signed_in(request), server_id)
    name, end = _asked(request)
    rows = map(_window_row, stretches(user, server, end, SPANS[name].length))
    lines = table_lines(WINDOWS, rows, get_language() or "")
    return streamed(lines, f"energy_{server.pk}_{name}.csv")


@require_safe
@login_required
def calibrations_csv(request: HttpRequest, server_id: UUID) -> StreamingHttpResponse:
    """The calibrations that are in force."""
    user, server = signed_in(request), _visible(signed_in(request), server_id)
    rows = (_calibration_row(*each) for each in _calibrations(user, server))
    lines = table_lines(CALIBRATIONS, rows, get_language() or "")
    return streamed(lines, f"calibrations_{server.pk}.csv")


@require_safe
@login_required
@never_cache
def reading(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """A part of a page: what the router has read last, asked for again and again."""
    user = signed_in(request)
    server = _visible(user, server_id)
    probe = EnergyProbe.objects.in_force().filter(server=server).first()
    load = current_load()
    last = _reading_of(load.meters, probe) if load and probe else None
    windows = EnergyWindow.objects.for_user(user).filter(server_id=server.pk)
    context = {
        "probe": probe,
        "server": server,
        "router_is_away": load is None,
        "last": last,
        "at": datetime.fromtimestamp(last.at, UTC) if last else None,
        "fault": FAULTS.get(last.fault, last.fault) if last and last.fault else "",
        "window": windows.filter(probe_id=probe.pk).order_by("-start").first() if probe else None,
    }
    return render(request, "dashboards/_meter_reading.html", context)


def _asked(request: HttpRequest) -> tuple[str, datetime]:
    """Return which span is asked for, and where it ends: behind the minute that runs."""
    asked = request.GET.get("span", "")
    end = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    return asked if asked in SPANS else "hour", end


def _window_row(told: Stretch) -> dict[str, Any]:
    facts = told.start, told.end, told.scope, told.windows, told.covered_ms
    energies = told.measured_mj, told.attributed_mj, told.local_mj, told.idle_mj, told.waiting_mj
    return dict(zip(WINDOWS, (*facts, *energies, " ".join(told.faults)), strict=True))


def _calibration_row(of: Deployment, row: EnergyCalibration) -> dict[str, Any]:
    facts = of.version.model.slug, of.pk, row.at, row.factor, row.windows, row.scope, row.machine
    return dict(zip(CALIBRATIONS, facts, strict=True))


def _reading_of(meters: tuple[MeterReading, ...], probe: EnergyProbe) -> MeterReading | None:
    return next((each for each in meters if each.probe_id == str(probe.pk)), None)


def _energies(told: Measured) -> list[tuple[str | Promise, str]]:
    total = told.total
    parts = [
        (_("measured"), total.measured_mj),
        (_("for the federation’s requests"), total.attributed_mj),
        (_("for the host’s own use"), total.local_mj),
        (_("without work: the price of its being there"), total.idle_mj),
    ]
    if total.waiting_mj:
        parts.append((_("not yet shared out: it waits for the longest request"), total.waiting_mj))
    return [(label, amount(kwh(millijoules), KWH)) for label, millijoules in parts]


def _calibrations(
    user: User, server: InferenceServer
) -> Iterator[tuple[Deployment, EnergyCalibration]]:
    found = calibrations_of(user, server)
    rows = Deployment.objects.for_user(user).live().filter(pk__in=found)
    for row in rows.select_related("version__model").order_by("served_name"):
        yield row, found[row.pk]


def _visible(user: User, server_id: UUID) -> InferenceServer:
    visible = InferenceServer.objects.for_user(user).select_related("site__institution")
    return get_object_or_404(visible, pk=server_id)
