"""What a run looked like over time, small enough to keep: for the plots."""

from collections import defaultdict
from typing import TypedDict

from bench.simulation.arithmetic import percentile
from bench.simulation.run import Run

BIN_SECONDS = 5.0
KEPT_EVERY = 2
"""Of the looks each second, one in so many is kept."""


class Curves(TypedDict):
    """Classes are written as "P5": the keys of a JSON object are strings."""

    times: list[float]
    waiting: dict[str, list[int]]
    """By class, requests without a first token."""
    running: dict[str, list[int]]
    """By server, requests in its engine; a server that joined later has fewer."""
    queued: dict[str, list[int]]
    bins: list[float]
    first_tokens: dict[str, list[float | None]]
    """By class, the 95th percentile of the seconds to the first token, of those that arrived in each bin."""


def curves_of(run: Run) -> Curves:
    series = run.world.series
    by_bin: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for request in run.world.requests:
        place = int(request.arrived_at / BIN_SECONDS)
        by_bin[request.priority][place].append(run.waited(request))
    places = range(1 + max((place for found in by_bin.values() for place in found), default=-1))
    return Curves(
        times=series.times[::KEPT_EVERY],
        waiting={f"P{level}": counts[::KEPT_EVERY] for level, counts in series.waiting.items()},
        running={name: _every(counts) for name, counts in series.running.items()},
        queued={name: _every(counts) for name, counts in series.queued.items()},
        bins=[place * BIN_SECONDS for place in places],
        first_tokens={
            f"P{level}": [
                percentile(found[place], 95) if place in found else None for place in places
            ]
            for level, found in by_bin.items()
        },
    )


def _every(counts: list[int]) -> list[int]:
    """Thin out from the end, where lists of different lengths meet."""
    return counts[::-1][::KEPT_EVERY][::-1]
