"""Whether refusals say the truth: `Retry-After` beside the wait that was to be expected, answers beside deadlines.

The real wait of a request refused at `t` is what a shadow would have waited that comes at `t`, in the same class
and from the same institution, and has no deadline. Lines are first come first served, so the shadow's turn comes
when the first of those that arrived after `t` is given a server: real wait = that moment − t. Where none of them
was given one any more before the run ended, nothing can be said, and the refusal is not judged.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from math import nan
from statistics import median

from bench.simulation.requests import Request
from bench.simulation.run import Run

LEAST_WAIT = 1.0
"""`Retry-After` is in whole seconds: a shorter wait cannot be told."""


def retry_after_honesty(run: Run) -> dict[str, float]:
    """Return the median of |Retry-After − real wait| ÷ real wait, and of Retry-After ÷ real wait."""
    turns = _Turns(run.world.requests)
    errors, ratios = [], []
    for each in run.requests:
        if each.retry_after is None or each.refused_at is None:
            continue
        wait = turns.wait_at(each.refused_at, each)
        if wait is not None:
            wait = max(LEAST_WAIT, wait)
            errors.append(abs(each.retry_after - wait) / wait)
            ratios.append(each.retry_after / wait)
    return {
        "retry_after_error": median(errors) if errors else nan,
        "retry_after_ratio": median(ratios) if ratios else nan,
        "retry_after_judged": len(errors),
    }


def answers_in_time(run: Run) -> dict[str, float]:
    """Return how many requests were neither given a server nor refused before their deadline."""
    now = run.world.timeline.now
    return {"late_answers": sum(_is_late(each, now) for each in run.world.requests)}


class _Turns:
    """When the requests of each class and institution were given a server, by their arrival."""

    def __init__(self, requests: Iterable[Request]) -> None:
        served: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
        for each in requests:
            if each.attempts and each.decided_at is not None:
                line = served[each.priority, each.institution]
                line.append((each.arrived_at, each.decided_at))
        self._lines = {key: _Line(sorted(line)) for key, line in served.items()}

    def wait_at(self, time: float, like: Request) -> float | None:
        line = self._lines.get((like.priority, like.institution))
        turn = line.first_turn_after(time) if line else None
        return None if turn is None else turn - time


class _Line:
    def __init__(self, served: list[tuple[float, float]]) -> None:
        self._arrivals = [arrived_at for arrived_at, _ in served]
        earliest = accumulate((turn for _, turn in reversed(served)), min)
        self._earliest = list(earliest)[::-1]
        """The first turn among those that arrived at this place or behind it."""

    def first_turn_after(self, time: float) -> float | None:
        place = bisect_right(self._arrivals, time)
        return self._earliest[place] if place < len(self._earliest) else None


def _is_late(request: Request, now: float) -> bool:
    due = request.arrived_at + request.deadline
    if request.decided_at is not None:
        return request.decided_at > due
    return now > due and (request.left_at is None or request.left_at > due)
