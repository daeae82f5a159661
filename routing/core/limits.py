"""What keys, applications and institutions may use: requests and tokens by minute and day, requests at once.

A request is counted when it is admitted, its tokens by an estimate, and settled once, when it is over. So in no
minute or day are more requests admitted than the limit, nor more tokens estimated; what was written beyond the
estimate counts from when it is known, and delays those to come. Told the time, like all of `routing.core`.
"""

from collections.abc import Iterator, Mapping
from math import ceil

from routing.core.enums import Measure
from routing.core.request import Allowance, Quota, Refusal, RefusalCode, Ticket
from routing.core.table import Limit
from routing.core.tally import Part, Tally

MINUTE, DAY = 60.0, 86_400.0
_WINDOWS = {
    Measure.REQUESTS_PER_MINUTE: (MINUTE, 60),
    Measure.TOKENS_PER_MINUTE: (MINUTE, 60),
    Measure.REQUESTS_PER_DAY: (DAY, 288),
    Measure.TOKENS_PER_DAY: (DAY, 288),
}
"""Seconds, and in how many steps they pass: a second of a minute, five minutes of a day."""
_REQUESTS = frozenset({Measure.REQUESTS_PER_MINUTE, Measure.REQUESTS_PER_DAY})
_TOKENS = frozenset({Measure.TOKENS_PER_MINUTE, Measure.TOKENS_PER_DAY})

Counts = dict[str, dict[Measure, list[Part]]]
"""What was used lately, by owner: for the router's next start."""


class Meter:
    """A limit and what is used of it."""

    __slots__ = ("_running", "_tally", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._running = 0
        window = _WINDOWS.get(limit.measure)
        self._tally = Tally(*window) if window else None

    def used(self, now: float) -> int:
        if self._tally is None:
            return self._running
        self._tally.roll(now)
        return self._tally.total

    def amount(self, ticket: Ticket, output: float) -> int:
        """Return how much a request takes; a prompt that fits leaves room for an answer of some length."""
        if self.limit.measure not in _TOKENS:
            return 1
        whole = ticket.prompt_estimate + ceil(output)
        return max(ticket.prompt_estimate, min(whole, self.limit.most))

    def is_room_for(self, amount: int, now: float) -> bool:
        return self.used(now) + amount <= self.limit.most

    def wait_seconds(self, amount: int, now: float) -> float:
        """Return after what time there is room; 0 when nothing but the end of what runs will tell."""
        if self._tally is None:
            return 0.0
        return max(0.0, self._tally.falls_to(self.limit.most - amount) - now)

    def take(self, amount: int, now: float) -> int:
        """Count `amount`; return what `give_back` and `settle` need to find it again."""
        if self._tally is not None:
            return self._tally.add(amount, now)
        self._running += amount
        return 0

    def give_back(self, mark: int, amount: int) -> None:
        if self._tally is not None:
            self._tally.take_out(mark, amount)
        else:
            self._running -= amount

    def settle(self, mark: int, amount: int, tokens: int, now: float) -> None:
        """Correct by what was really used: less counts from the start, more from now on."""
        if self._tally is None:
            self._running -= amount
        elif self.limit.measure in _TOKENS and tokens > amount:
            self._tally.add(tokens - amount, now)
        elif self.limit.measure in _TOKENS:
            self._tally.take_out(mark, amount - tokens)

    def quota(self, now: float) -> Quota:
        used = self.used(now)
        reset = self._tally.falls_to(0) - now if self._tally and used else 0.0
        most = self.limit.most
        return Quota(limit=most, remaining=max(0, most - used), reset_ms=_milliseconds(reset))

    def parts(self, now: float) -> list[Part]:
        return self._tally.parts(now) if self._tally else []

    def restore(self, parts: list[Part], now: float) -> None:
        if self._tally:
            self._tally.restore(parts, now)


class Limits:
    """Everybody's meters, and what each open request holds of them until it is settled or given back, once."""

    def __init__(self) -> None:
        self._limits: Mapping[str, tuple[Limit, ...]] = {}
        self._meters: dict[str, dict[Measure, Meter]] = {}
        self._held: dict[str, list[tuple[Meter, int, int]]] = {}
        self._inherited: Counts = {}
        self._inherited_at = 0.0

    def replace(self, limits: Mapping[str, tuple[Limit, ...]]) -> None:
        """Go by these from now on. What is counted stays; a new limit begins with nothing."""
        if limits is self._limits:
            return
        self._limits, before = limits, self._meters
        self._meters = {}
        for owner, each in limits.items():
            known = before.get(owner, {})
            meters = self._meters[owner] = {}
            for limit in each:
                meters[limit.measure] = meter = known.get(limit.measure) or Meter(limit)
                meter.limit = limit
            self._inherit(owner)

    def admit(self, ticket: Ticket, output: float, waiting: int, now: float) -> Refusal | None:
        """Count a new request against all that it is limited by, or say why not, having counted nothing.

        `output` are the tokens that its answer may have, `waiting` those who wait for its model.
        """
        if ticket.threshold is not None and waiting > ticket.threshold:
            return self._refusal(ticket, RefusalCode.THRESHOLD, now)
        wanted = [(meter, meter.amount(ticket, output)) for meter in self._of(ticket)]
        full = [each for each in wanted if not each[0].is_room_for(each[1], now)]
        if full:
            return self._refuse(ticket, full, now)
        if wanted:
            self._held[ticket.id] = [
                (meter, meter.take(amount, now), amount) for meter, amount in wanted
            ]
        return None

    def settle(self, ticket_id: str, tokens: int, now: float) -> None:
        """A request is over, having used so many tokens. Told twice, it changes nothing."""
        for meter, mark, amount in self._held.pop(ticket_id, ()):
            meter.settle(mark, amount, tokens, now)

    def give_back(self, ticket_id: str) -> None:
        """A request got nothing, and no fault of its client's: it is not counted at all."""
        for meter, mark, amount in self._held.pop(ticket_id, ()):
            meter.give_back(mark, amount)

    def allowance(self, ticket: Ticket, now: float) -> Allowance | None:
        """Return what is left to the key of a request, None when it has no limit of requests or tokens."""
        meters = list(self._of(ticket))
        requests, tokens = _tightest(meters, _REQUESTS, now), _tightest(meters, _TOKENS, now)
        if requests is None and tokens is None:
            return None
        return Allowance(requests=requests, tokens=tokens)

    def quotas(self, owner: str, now: float) -> dict[Measure, Quota]:
        """Return what is left of each limit of a key, an application or an institution."""
        return {measure: meter.quota(now) for measure, meter in self._meters.get(owner, {}).items()}

    def counts(self, now: float) -> Counts:
        """Return what was used lately, for `restore`. What runs at once is not: it ends with the router."""
        used = {
            owner: {
                measure: parts for measure, each in meters.items() if (parts := each.parts(now))
            }
            for owner, meters in self._meters.items()
        }
        return {owner: each for owner, each in used.items() if each}

    def restore(self, counts: Counts, now: float) -> None:
        """Go on with what a predecessor counted, as soon as the table says that it is limited. Before any ticket."""
        self._inherited = {owner: each.copy() for owner, each in counts.items()}
        self._inherited_at = now
        for owner in self._meters:
            self._inherit(owner)

    def _inherit(self, owner: str) -> None:
        """Take over what was counted of an owner, once."""
        parts = self._inherited.get(owner, {})
        for measure in parts.keys() & self._meters[owner].keys():
            self._meters[owner][measure].restore(parts.pop(measure), self._inherited_at)

    def _of(self, ticket: Ticket) -> Iterator[Meter]:
        for owner in (ticket.key_id, ticket.application_id, ticket.institution_id):
            if meters := self._meters.get(owner):
                yield from meters.values()

    def _refuse(self, ticket: Ticket, full: list[tuple[Meter, int]], now: float) -> Refusal:
        """Tell of the limit that holds longest."""
        for meter, amount in full:
            if amount > meter.limit.most:
                return self._refusal(ticket, RefusalCode.OVER_LIMIT, now, meter.limit)
        waits = [(meter.wait_seconds(amount, now), meter.limit) for meter, amount in full]
        seconds, limit = max(waits, key=lambda each: each[0])
        return self._refusal(ticket, RefusalCode.LIMIT, now, limit, seconds)

    def _refusal(
        self,
        ticket: Ticket,
        code: RefusalCode,
        now: float,
        limit: Limit | None = None,
        seconds: float = 0.0,
    ) -> Refusal:
        return Refusal(
            id=ticket.id,
            code=code,
            retry_after_ms=_milliseconds(seconds),
            limit=limit,
            allowance=self.allowance(ticket, now),
        )


def _tightest(meters: list[Meter], measures: frozenset[Measure], now: float) -> Quota | None:
    """Return what is left of the limit that is nearest."""
    quotas = [meter.quota(now) for meter in meters if meter.limit.measure in measures]
    return min(quotas, key=lambda quota: (quota.remaining, -quota.reset_ms), default=None)


def _milliseconds(seconds: float) -> int:
    """Return at least as much: who comes back then finds room."""
    return max(0, ceil(seconds * 1000))
