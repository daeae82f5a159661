"""What a client may have seen under a schedule: an error only where no healthy server could have spared it.

Judges from the schedule, from what clients saw, and from the router's own records; of the router's decisions it
believes nothing. A server is healthy for a request if no fault touched it while the request lasted, nor so
shortly before that nobody could know yet that it had come back.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from routing.core.accounting import Closed, Opened
from routing.core.enums import RequestStatus
from tests.support.faults.schedule import Ask, Schedule, Strike

PROBED_AFTER = 1.0
"""Seconds that pass before a server that is well again is looked at."""
PROBE_HANGS = 5.0
"""For how long a probe may be under way that was begun while the server hung."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""For how long a server is left alone after a failure; each further one doubles it."""


class Seen(msgspec.Struct, kw_only=True):
    """What a client saw of its request; times in the schedule's seconds, 0 for what did not happen."""

    ask: Ask
    sent: float = 0.0
    first: float = 0.0
    """When the first event of the answer came."""
    ended: float = 0.0
    id: str = ""
    status: int = 0
    tokens: int = 0
    done: int = 0
    """How often the answer said that it was whole."""
    model: str = ""
    error: str = ""
    """An error's code, or how the connection ended."""
    left: bool = False


def judge(
    plan: Schedule,
    seen: Sequence[Seen],
    opened: Sequence[Opened],
    closed: Sequence[Closed],
    server_names: Mapping[str, str],
) -> list[str]:
    """Return everything that must not have happened, in sentences. `server_names` by id."""
    records = {record.opened.id: record for record in closed}
    complaints = list(_unsettled(opened, closed))
    for each in seen:
        if each.left:
            continue
        record = records.get(each.id)
        served_by = server_names.get(record.server_id or "", "") if record else ""
        tried = [
            f"{server_names.get(attempt.server_id, '?')} {attempt.outcome}"
            for attempt in (record.attempts if record else ())
        ]
        complaints += (
            f"{complaint}: {_about(each)}, tried {', '.join(tried) or 'nowhere'}"
            for complaint in _wrong(plan, each, record, served_by)
        )
    return complaints


def _unsettled(opened: Sequence[Opened], closed: Sequence[Closed]) -> Iterator[str]:
    """Complain of requests that are not accounted exactly once."""
    times = Counter(record.opened.id for record in closed)
    for record in opened:
        if times[record.id] != 1:
            yield f"request {record.id} was closed {times[record.id]} times"
    if len({record.id for record in opened}) != len(opened) or len(times) != len(opened):
        yield f"{len(opened)} requests were opened, {len(times)} closed"


def _wrong(plan: Schedule, seen: Seen, record: Closed | None, served_by: str) -> Iterator[str]:
    if record is None:
        yield "no record"
    elif (record.status is RequestStatus.OK) is bool(seen.error):
        yield f"accounted as {record.status.value}"
    if not seen.error:
        yield from _wrong_answer(seen)
    elif seen.first:
        if not _broke(plan, seen, served_by):
            yield f"its stream from {served_by} was broken by nobody"
    elif spared_by := healthy(plan, seen):
        yield f"could have been spared by {', '.join(spared_by)}"


def _wrong_answer(seen: Seen) -> Iterator[str]:
    if seen.status != 200 or seen.done != 1 or seen.model != seen.ask.model:
        yield "not a whole answer of this model"
    elif seen.tokens != seen.ask.tokens:
        yield f"{seen.tokens} tokens instead of {seen.ask.tokens}"


def _broke(plan: Schedule, seen: Seen, server: str) -> bool:
    """Say whether a fault of `server` may have ended a stream that had begun."""
    return any(
        strike.server == server
        and not strike.spares_answers
        and strike.at <= seen.ended
        and seen.sent <= strike.until
        for strike in plan.strikes
    )


def healthy(plan: Schedule, seen: Seen) -> list[str]:
    """Return the servers that could have served a request, all the while that it lasted."""
    return [
        name
        for name in plan.models[seen.ask.model]
        if not any(
            begins <= seen.ended and seen.sent <= ends for begins, ends in _shadows(plan, name)
        )
    ]


def _shadows(plan: Schedule, server: str) -> Iterator[tuple[float, float]]:
    """Yield when a server was ill, or may not yet have been known to be well again."""
    pause = FIRST_PAUSE
    for strike in plan.strikes:
        if strike.server != server or strike.spares_answers:
            continue
        pause = _pause_after(strike, pause)
        hangs = PROBE_HANGS if strike.fault.kind == "hang" else 0.0
        yield strike.at, strike.until + hangs + pause + PROBED_AFTER


def _pause_after(strike: Strike, pause: float) -> float:
    """Return the longest pause that may still run when the fault ends; `pause` is that of its first failure."""
    at = strike.at
    while at + pause < strike.until:
        at += pause
        pause = min(2 * pause, LONGEST_PAUSE)
    return min(2 * pause, LONGEST_PAUSE)


def _about(seen: Seen) -> str:
    ask = seen.ask
    kind = "stream" if ask.stream else "whole"
    return (
        f"{ask.model}, {kind}, {ask.tokens} tokens, sent {seen.sent:.2f}, first {seen.first:.2f}, ended"
        f" {seen.ended:.2f}: {seen.status} {seen.error}"
    )
