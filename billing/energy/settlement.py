"""Whose a window's energy was: shared out among its requests once no running request can touch it any more.

A window waits until the router has written down another that began longer after its end than any request runs: the
spool is read in order, so whatever was at the server meanwhile is stored by then. Where no other comes, an hour more;
one from the future, of a clock that was wrong, says nothing.
What requests get is added to their records; a record whose time at the server is covered gets the measured energy, and
the sums are moved by the difference, in the one transaction that settles the window. So nothing is done twice, in
whatever order and however often windows come, and records' parts sum to the windows' exactly.

Locks are taken in one order, which is that of who stores requests and their windows: the books, records, sums, windows.
So nobody waits for each other; who forgets (`billing.records.retention`) has the books alone.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from billing.energy.metering import MOST_COUNTED, instance_at, machine_told
from billing.impact import windows
from billing.impact.energy import DEFAULT_OVERHEAD, Conditions, Instance, Tokens, measured
from billing.impact.enums import Method, Scope
from billing.ledger.books import share_the_books
from billing.models import Attempt, EnergyWindow, UsageRecord
from billing.records.rollups import LEVELS, movement
from federation.fleet.models import Deployment, InferenceServer
from federation.members.queries import with_their_past
from routing.core.ids import uuid7_floor

LOCK = 0x656E6572
"""Advisory lock ("ener"): one settles at a time."""
BATCH = 10
"""Windows of one server that are settled at once."""
SLACK = timedelta(seconds=60)
"""Beyond the longest run: rounds, the end of a router, clocks."""
PATIENCE = timedelta(hours=1)
"""For a window behind which no other comes."""
ENOUGH = 0.95
"""Of a request's time at the server: covered so far, what it got counts as measured; nothing at all never does."""
_MILLI = 1_000
logger = logging.getLogger(__name__)
_DUE = f"""
SELECT server_id FROM {EnergyWindow._meta.db_table} due
WHERE settled_at IS NULL AND server_id <> ALL(%(besides)s::uuid[]) AND "end" <= greatest(
    %(now)s - %(longest)s - %(patience)s,
    (SELECT max(start) FROM {EnergyWindow._meta.db_table} newest
     WHERE newest.server_id = due.server_id AND start <= %(now)s + %(slack)s) - %(longest)s
)
ORDER BY "end" LIMIT 1
"""
_REQUESTS = f"""
SELECT r.id, extract(epoch FROM a.started_at)::float8, extract(epoch FROM coalesce(a.ended_at, r.finished_at))::float8,
    extract(epoch FROM r.first_token_at)::float8, r.gpu_mj, r.prompt_tokens, r.cached_tokens, r.completion_tokens,
    r.batch_milli, r.pue_milli, r.deployment_id, r.measured_mj, r.covered_ms
FROM {UsageRecord._meta.db_table} r
JOIN {Attempt._meta.db_table} a ON a.request_id = r.id AND a.n = r.attempts AND a.server_id = r.server_id
WHERE r.serving_institution_id = ANY(%(institutions)s) AND r.server_id = %(server)s
    AND r.id >= %(low)s AND r.id < %(high)s
    AND a.request_id >= %(low)s AND a.request_id < %(high)s
    AND r.finished_at > %(start)s AND r.http_status BETWEEN 200 AND 299 AND r.pue_milli > 0
ORDER BY r.id
"""
_GIVEN = (
    ("id", "uuid"),
    ("measured_mj", "bigint"),
    ("covered_ms", "bigint"),
    ("is_measured", "boolean"),
    ("energy_version", "smallint"),
    ("energy_mj", "bigint"),
    ("energy_low_mj", "bigint"),
    ("energy_high_mj", "bigint"),
)
_FIGURES = ("energy_version", "energy_mj", "energy_low_mj", "energy_high_mj")
_UPDATE = f"""
WITH given AS (
    SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for _, kind in _GIVEN)}) AS g ({", ".join(c for c, _ in _GIVEN)})
), before AS (
    SELECT r.* FROM {UsageRecord._meta.db_table} r JOIN given ON given.id = r.id ORDER BY r.id FOR UPDATE OF r
), after AS (
    UPDATE {UsageRecord._meta.db_table} r SET
        measured_mj = given.measured_mj, covered_ms = given.covered_ms,
        energy_method = CASE WHEN is_measured THEN '{Method.MEASURED.value}' ELSE r.energy_method END,
        {", ".join(f"{c} = CASE WHEN is_measured THEN given.{c} ELSE r.{c} END" for c in _FIGURES)}
    FROM before JOIN given ON given.id = before.id WHERE r.id = before.id RETURNING r.*
), turned AS (
    SELECT *, 1 AS sign FROM after UNION ALL SELECT *, -1 AS sign FROM before
),
{", ".join(f"{level._meta.model_name} AS ({movement(level, 'turned')})" for level in LEVELS)}
SELECT count(*) FROM after
"""


@dataclass(slots=True)
class _Request:
    """A request at the server, from `start` to `end`, Unix seconds. `work` in microjoules, 0 where it has no figure."""

    id: UUID
    start: float
    end: float
    first_token: float | None
    gpu_mj: int
    prompt: int
    cached: int
    completion: int
    batch_milli: int
    pue_milli: int
    deployment_id: UUID | None
    measured_mj: int
    covered_ms: int
    scope: Scope | None = None
    """Of the last window that gave it something."""

    @property
    def work(self) -> int:
        return self.gpu_mj * _MILLI

    @property
    def duration_ms(self) -> int:
        return max(round((self.end - self.start) * _MILLI), 1)

    def ms_within(self, start: float, end: float) -> int:
        if self.end <= self.start:
            return int(start <= self.start < end)
        return max(round((min(self.end, end) - max(self.start, start)) * _MILLI), 0)

    def tokens_within(self, start: float, end: float) -> Tokens:
        """What a server has counted of it then: the prompt once it is read, answers evenly from their first token."""
        told = self.first_token if self.first_token and self.start < self.first_token else None
        is_read = start <= (told or self.start) < end
        completion = windows.work_within(self.completion, told or self.start, self.end, start, end)
        return Tokens(
            prompt=self.prompt if is_read else 0,
            cached=self.cached if is_read else 0,
            completion=completion,
        )


def settle_all(
    now: datetime | None = None,
    failed: set[UUID] | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> int:
    """Settle every window that is due until `is_over`; return how many that were. Another settler's are left to it.

    A server whose windows cannot be settled is told once and added to `failed`, whose servers are left out: the others
    do not wait for it. What passes, such as a database that is away, is raised.
    """
    total, failed = 0, set() if failed is None else failed
    while not is_over():
        moment = now or timezone.now()
        server_id = _oldest_due(moment, failed)
        if server_id is None:
            break
        try:
            count = _settle_some(server_id, moment)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # one server's windows keep nobody else's waiting
            logger.exception("windows of server %s cannot be settled: tried again later", server_id)
            failed.add(server_id)
            continue
        if not count:
            break
        total += count
    return total


def _oldest_due(now: datetime, besides: Collection[UUID]) -> UUID | None:
    """Return the server of the oldest window that is due, of servers besides these."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"besides": list(besides), **_waits(now)})
        row = cursor.fetchone()
    return row[0] if row else None


def _waits(now: datetime) -> dict[str, Any]:
    longest = timedelta(seconds=settings.LONGEST_RUN_SECONDS) + SLACK
    return {"now": now, "longest": longest, "patience": PATIENCE, "slack": SLACK}


@transaction.atomic
def _settle_some(server_id: UUID, now: datetime) -> int:
    """Settle the oldest windows of a server that are due; return how many, 0 while another settles."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
    share_the_books()
    longest = _waits(now)["longest"]
    due = _due_of(server_id, now, longest)
    if not due:
        return 0
    requests = _requests_at(server_id, due, longest)
    changed: dict[UUID, _Request] = {}
    on = _Machines(server_id)
    for window in due:
        for each in _settle(window, requests, on):
            changed[each.id] = each
        window.settled_at = now
    _write(changed.values())
    EnergyWindow.objects.bulk_update(
        due,
        [
            "settled_at",
            "idle_mj",
            "local_mj",
            "attributed_mj",
            "deployment_id",
            "machine",
            "modelled_mj",
        ],
    )
    return len(due)


def _due_of(server_id: UUID, now: datetime, longest: timedelta) -> list[EnergyWindow]:
    rows = EnergyWindow.objects.filter(server_id=server_id)
    told = rows.filter(start__lte=now + SLACK).aggregate(newest=Max("start"))["newest"]
    until = max(now - longest - PATIENCE, (told or now - PATIENCE) - longest)
    waiting = rows.filter(settled_at__isnull=True, end__lte=until)
    return list(waiting.select_for_update().order_by("end", "pk")[:BATCH])


def _requests_at(
    server_id: UUID, due: Sequence[EnergyWindow], longest: timedelta
) -> list[_Request]:
    """Return what was at the server in any of these windows; ids begin to count when a request arrives, and waits."""
    start, end = min(each.start for each in due), max(each.end for each in due)
    bounds: dict[str, Any] = {
        "institutions": _hosts(server_id),
        "server": server_id,
        "low": uuid7_floor(start - 3 * longest),
        "high": uuid7_floor(end + SLACK),
        "start": start,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REQUESTS, bounds)
        return [_Request(*row) for row in cursor.fetchall()]


def _hosts(server_id: UUID) -> list[UUID]:
    """Return whose the server is, and whose it was before they became a part of that: records keep the old name."""
    sites = InferenceServer.objects.filter(pk=server_id).values_list("site__institution_id")
    return with_their_past([owner for (owner,) in sites])


class _Machines:
    """What the deployments of a server are modelled from; the one instance, where all of them are alike."""

    def __init__(self, server_id: UUID) -> None:
        rows = Deployment.objects.filter(server_id=server_id)
        self._told = {
            row.pk: machine_told(row) for row in rows.select_related("server", "version__model")
        }
        live = rows.live().select_related("server", "version__model")
        instances = {instance_at(row) for row in live}
        self.instance: Instance | None = instances.pop() if len(instances) == 1 else None

    def told(self, deployment_id: UUID) -> str:
        return self._told.get(deployment_id, "")


def _settle(
    window: EnergyWindow, requests: Sequence[_Request], on: _Machines
) -> Iterable[_Request]:
    """Share a window out; yield the requests that were there, with what they have got."""
    start, end = window.start.timestamp(), window.end.timestamp()
    there = [each for each in requests if each.ms_within(start, end)]
    work = [windows.work_within(each.work, each.start, each.end, start, end) for each in there]
    is_modelled = any(work)
    if not is_modelled:  # nothing is known of the machine: by time
        work = [each.ms_within(start, end) for each in there]
    local = _local_work(window, there, on.instance) if is_modelled or not there else 0
    scope = Scope(window.scope)
    measurement = windows.EnergyWindow(
        measured_mj=window.measured_mj,
        covered_s=window.covered_ms / _MILLI,
        scope=scope,
        idle_w=window.idle_mw / _MILLI,
    )
    shares = windows.attribute(measurement, work, local)
    window.idle_mj, window.local_mj = shares.idle_mj, shares.local_mj
    window.attributed_mj = sum(shares.requests)
    _tell_work(window, there, work, sum(work) + local if is_modelled or local else 0, on)
    covered = min(window.covered_ms / ((end - start) * _MILLI), 1.0)
    for each, share in zip(there, shares.requests, strict=True):
        each.measured_mj += share
        each.covered_ms += round(each.ms_within(start, end) * covered)
        each.scope = scope
    return there


def _local_work(window: EnergyWindow, there: Sequence[_Request], instance: Instance | None) -> int:
    """Return the work of what the server counted beyond what the router sent."""
    if instance is None or window.prompt_tokens is None or window.completion_tokens is None:
        return 0
    start, end = window.start.timestamp(), window.end.timestamp()
    parts = [each.tokens_within(start, end) for each in there]
    ours = Tokens(
        prompt=sum(part.prompt for part in parts),
        cached=sum(part.cached for part in parts),
        completion=sum(part.completion for part in parts),
    )
    counted = Tokens(
        prompt=window.prompt_tokens,
        cached=window.cached_tokens or 0,
        completion=window.completion_tokens,
    )
    return windows.work_of(instance, windows.local_tokens(counted, ours), window.batch_milli)


def _tell_work(
    window: EnergyWindow,
    there: Sequence[_Request],
    work: Sequence[int],
    done: int,
    on: _Machines,
) -> None:
    """Note what a calibration compares: of windows in which one model alone worked."""
    by = {each.deployment_id for each, part in zip(there, work, strict=True) if part}
    deployment = by.pop() if len(by) == 1 else None
    if deployment is None or not done:
        return
    overhead = DEFAULT_OVERHEAD.central if window.scope == Scope.SERVER else 0.0
    window.deployment_id, window.machine = deployment, on.told(deployment)
    window.modelled_mj = min(round(done / _MILLI * (1 + overhead)), MOST_COUNTED)


def _write(changed: Iterable[_Request]) -> None:
    """Write what requests have got, and move the sums."""
    rows = [_given(each) for each in changed]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, [list(column) for column in zip(*rows, strict=True)])


def _given(request: _Request) -> tuple[Any, ...]:
    """Return the columns of `_GIVEN`."""
    assert request.scope is not None
    conditions = Conditions(
        batch_milli=request.batch_milli, pue_milli=max(request.pue_milli, _MILLI)
    )
    told = measured(request.measured_mj, request.scope, conditions)
    site = told.energy.scaled(conditions.pue_milli / _MILLI)
    return (
        request.id,
        request.measured_mj,
        request.covered_ms,
        request.measured_mj > 0 and request.covered_ms >= ENOUGH * request.duration_ms,
        told.method_version,
        round(site.central),
        round(site.low),
        round(site.high),
    )
