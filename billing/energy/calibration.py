"""By how much the model of energy errs for a model on a server, from the windows that a meter has told: once a day.

A new calibration holds for what is answered from then on. It never changes a record.
"""

import logging
from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from billing.impact.enums import Scope
from billing.impact.windows import calibrate
from billing.models import EnergyCalibration, EnergyWindow
from billing.periods import PARIS
from federation.fleet.models import EnergyProbe

MILLISECOND = timedelta(milliseconds=1)
LOOK_BACK = timedelta(days=28)
COVERED = 0.95
"""Of a window, or it tells nothing: what is modelled is all of its work."""
LEAST_FACTOR, MOST_FACTOR = 0.1, 10.0
"""Beyond, the meter is not what its description says, and nothing is corrected by it."""
logger = logging.getLogger(__name__)


class _Of(NamedTuple):
    """What windows must have in common."""

    deployment_id: UUID
    server_id: UUID
    probe_id: UUID
    machine: str
    scope: str


def calibrate_all(now: datetime) -> int:
    """Reckon a calibration of each deployment that has none of today; return how many were written.

    Of the meter that is read now, and of the machine as it was described in the newest window.
    """
    today = now.astimezone(PARIS).replace(hour=0, minute=0, second=0, microsecond=0)
    done = set(
        EnergyCalibration.objects.filter(at__gte=today).values_list("deployment_id", flat=True)
    )
    told: dict[_Of, list[tuple[int, int]]] = defaultdict(list)
    newest: dict[UUID, _Of] = {}
    read = EnergyProbe.objects.in_force()
    rows = (
        EnergyWindow.objects.settled()
        .filter(server_id__in=read.values("server_id"), probe_id__in=read.values("pk"))
        .filter(start__gte=now - LOOK_BACK, modelled_mj__gt=0, deployment_id__isnull=False)
        .exclude(deployment_id__in=done)
        .order_by("start")
    )
    for row in rows.iterator():
        if row.covered_ms >= COVERED * ((row.end - row.start) / MILLISECOND):
            assert row.deployment_id is not None
            of = _Of(row.deployment_id, row.server_id, row.probe_id, row.machine, row.scope)
            told[of].append((row.attributed_mj + row.local_mj, row.modelled_mj))
            newest[row.deployment_id] = of
    return sum(_write(of, told[of], now) for of in newest.values())


def _write(of: _Of, windows: list[tuple[int, int]], now: datetime) -> bool:
    found = calibrate(windows, Scope(of.scope))
    if found is None:
        return False
    if not LEAST_FACTOR <= found.factor <= MOST_FACTOR:
        logger.warning(
            "the meter of server %s tells %.3g times what is modelled: not calibrated",
            of.server_id,
            found.factor,
        )
        return False
    EnergyCalibration.objects.create(
        **of._asdict(), factor=found.factor, windows=len(windows), at=now
    )
    return True
