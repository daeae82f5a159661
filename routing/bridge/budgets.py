"""What the clerk does for budgets: it tells the router how they stand and grants it more of them, in slices.

The accounts' word holds as of a place in the router's spool, with which it is read in one statement. A grant is in the
database before the router hears of it. A router that is new hears nothing before all that others wrote is stored; then
what was granted to them is void. Besides: prices that begin are published, and thresholds that are passed told of.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from billing.budgeting.alerts import tell_of_thresholds
from billing.budgeting.standing import spent_before
from billing.budgeting.windows import window_end, window_start
from billing.enums import BudgetWindow
from billing.models import Budget, BudgetGrant, PriceVersion
from routing.bridge.models import RoutingChange, SpoolCheckpoint, SpoolOpen
from routing.bridge.segments import find_segments, number_of, size_of
from routing.bridge.worker import attempt
from routing.core.pricing import Position, Standing, Standings
from routing.dispatch.frames import AskBudgets

STEP_SECONDS = 0.25
SLICES = 8
"""A grant goes beyond what is used by this part of what is left: towards the end, by one request."""
INSIST_SECONDS = 3.0
"""For how long a router that has heard nothing of a budget is told again and again: it may not have caught up."""
LOOK_BACK_SECONDS = 60.0
"""What was used before a window is read again at the latest after this: records come late."""
ALERT_SECONDS = 60.0
OPEN_SECONDS = 30.0
"""After which requests that a dead router left open are not waited for: the accounts cannot take them, or will."""
_STANDS = f"""
SELECT budget_id, spent, granted, incarnation, place.segment, place."offset"
FROM {BudgetGrant._meta.db_table} JOIN {Budget._meta.db_table} budget ON budget.id = budget_id
LEFT JOIN LATERAL (
    SELECT segment, "offset" FROM {SpoolCheckpoint._meta.db_table} WHERE starts_with(segment, %s)
    ORDER BY length(segment) DESC, segment DESC LIMIT 1
) place ON true
WHERE budget.hard AND budget.ended_at IS NULL ORDER BY budget_id
"""
_LOCK = f"SELECT 1 FROM {BudgetGrant._meta.db_table} WHERE budget_id = ANY(%s) ORDER BY budget_id FOR UPDATE"
_GRANT = f"""
UPDATE {BudgetGrant._meta.db_table} kept SET granted = new.granted, incarnation = %s
FROM unnest(%s::uuid[], %s::bigint[]) new (budget_id, granted) WHERE kept.budget_id = new.budget_id
"""


class Linked(NamedTuple):
    """The router that is there, by the name of the connection to it and its own."""

    connection: str
    incarnation: str


class Grants:
    """`tell` hands a word to the router, `linked` says which one is there; `spool` is the folder of all routers."""

    def __init__(
        self,
        tell: Callable[[Standings], None],
        linked: Callable[[], Linked | None],
        spool: Path,
    ) -> None:
        self._tell = tell
        self._linked = linked
        self._spool = spool
        self._asked: queue.SimpleQueue[AskBudgets] = queue.SimpleQueue()
        self._needs: dict[str, int] = {}
        self._insists: dict[str, float] = {}
        self._told: dict[str, Standing] = {}
        self._told_to: Linked | None = None
        self._alone = ""
        self._left_since: float | None = None
        self._before: Mapping[UUID, int] = {}
        self._before_is_of: tuple[float, frozenset[object]] = (0.0, frozenset())
        self._prices_until = timezone.now()

    def hear(self, frame: AskBudgets) -> None:
        """Take what the router asks for; from any thread."""
        self._asked.put(frame)

    def work(self, stop: threading.Event) -> None:
        """Grant and tell until `stop` is set."""
        alert_at = 0.0
        self._told_to = None
        while not stop.is_set():
            self._listen()
            self.step()
            self._prices_until = publish_begun_prices(self._prices_until)
            if time.monotonic() >= alert_at:
                attempt(partial(tell_of_thresholds, timezone.now()))
                alert_at = time.monotonic() + ALERT_SECONDS

    def step(self) -> None:
        """Tell the router that is there what is new of budgets, and what it has asked for."""
        linked = self._linked()
        if linked != self._told_to:
            self._told, self._told_to = {}, linked
        if linked is None or not self._is_alone(linked.incarnation):
            return
        needs, self._needs = self._needs, {}
        self._insist(needs)
        standings = self._grant(linked.incarnation, needs)
        new = tuple(
            each
            for each in standings.each
            if self._told.get(each.budget_id) != each or each.budget_id in self._insists
        )
        if new:
            self._tell(Standings(linked.incarnation, standings.position, new))
            self._told |= {each.budget_id: each for each in new}

    def _listen(self) -> None:
        """Wait for a question, for a while, and take all that have come."""
        wait = STEP_SECONDS
        while True:
            try:
                frame = self._asked.get(timeout=wait) if wait else self._asked.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            for budget_id, need in frame.needs.items():
                self._needs[budget_id] = max(need, self._needs.get(budget_id, 0))

    def _insist(self, needs: Mapping[str, int]) -> None:
        now = time.monotonic()
        self._insists = {each: until for each, until in self._insists.items() if until > now}
        for budget_id in needs:
            self._insists[budget_id] = now + INSIST_SECONDS

    def _is_alone(self, incarnation: str) -> bool:
        """Say whether all that other routers wrote is stored, and what they left open is accounted if it can be."""
        if self._alone == incarnation:
            return True
        if self._has_unread(incarnation):
            self._left_since = None
            return False
        if SpoolOpen.objects.exclude(incarnation=incarnation).exists():
            self._left_since = self._left_since or time.monotonic()
            if time.monotonic() < self._left_since + OPEN_SECONDS:
                return False
        self._alone, self._left_since = incarnation, None
        return True

    def _has_unread(self, incarnation: str) -> bool:
        """Say whether a segment of another router has lines that are not stored."""
        others = [each for each in find_segments(self._spool) if each.incarnation != incarnation]
        names = [segment.name for segment in others]
        read = dict(
            SpoolCheckpoint.objects.filter(segment__in=names).values_list("segment", "offset")
        )
        return any(size_of(each) > read.get(each.name, 0) for each in others)

    def _grant(self, incarnation: str, needs: Mapping[str, int]) -> Standings:
        """Raise grants in the database, and return how budgets stand then."""
        budgets = {each.pk: each for each in Budget.objects.in_force().filter(hard=True)}
        now = timezone.now()
        before = self._before_windows(list(budgets.values()), now)
        position: Position = (0, 0)
        found, raised = [], {}
        for budget_id, spent, granted, router, segment, offset in _rows(incarnation):
            if (budget := budgets.get(budget_id)) is None:
                continue
            if segment is not None:
                position = (number_of(segment), offset)
            limit = budget.most + before[budget_id]
            kept = granted if router == incarnation else spent
            new = grant_for(limit, spent, kept, needs.get(str(budget_id), 0))
            if (new, incarnation) != (granted, router):
                raised[budget_id] = new
            found.append(_standing(budget, spent, min(new, limit), limit, now))
        if raised:
            _write(incarnation, raised)
        return Standings(incarnation, position, tuple(found))

    def _before_windows(self, budgets: Sequence[Budget], now: datetime) -> Mapping[UUID, int]:
        """Return what was used before the windows, read now or lately: older is less, so less would be granted."""
        read_at, starts = self._before_is_of
        wanted = frozenset(
            (each.pk, window_start(BudgetWindow(each.window), now)) for each in budgets
        )
        if wanted != starts or time.monotonic() > read_at + LOOK_BACK_SECONDS:
            self._before = spent_before(budgets, now)
            self._before_is_of = (time.monotonic(), wanted)
        return self._before


def grant_for(limit: int, spent: int, granted: int, need: int) -> int:
    """Return up to where may be used: what is needed, or a slice of what is left; never less than before."""
    part = -(-max(0, limit - spent) // SLICES)
    return max(granted, min(limit, max(need, spent + part)))


def _rows(incarnation: str) -> Iterable[tuple[UUID, int, int, str, str | None, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDS, [f"{incarnation}-"])
        return list(cursor.fetchall())


@transaction.atomic
def _write(incarnation: str, granted: Mapping[UUID, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(granted)])  # in the order in which the accounts write them
        cursor.execute(_GRANT, [incarnation, list(granted), list(granted.values())])


def _standing(budget: Budget, spent: int, granted: int, limit: int, now: datetime) -> Standing:
    end = window_end(BudgetWindow(budget.window), now)
    return Standing(
        budget_id=str(budget.pk),
        spent=spent,
        granted=granted,
        limit=limit,
        renewed_at=int(end.timestamp()) if end else None,
    )


def publish_begun_prices(since: datetime) -> datetime:
    """Have the router's names made anew when a price has begun after `since`; return until when was looked."""
    now = timezone.now()
    if PriceVersion.objects.filter(valid_from__gt=since, valid_from__lte=now).exists():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(x'726f757465'::bigint)")
            RoutingChange.objects.create(
                section="names", object_type=PriceVersion._meta.db_table, object_id="begun"
            )
            cursor.execute("NOTIFY routing_changed")
    return now
