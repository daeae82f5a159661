"""Minimum shares: what each class gets of the cost that is served, beside what it is guaranteed while it waits.

Cost is prompt + 4 · completion tokens. It counts when a request's first token comes: what a server's own queue
holds has not been served yet, and may never be.
"""

from math import nan

from bench.simulation.run import OUTPUT_WEIGHT, Run, cost
from routing.core.fairness import SHARES

BACKLOGGED = 0.9
"""A class is owed its minimum when somebody in it waits for so much of the time."""


def minimum_shares(run: Run) -> dict[str, float]:
    """Return each class's share, and the least of share ÷ guarantee; both also without the tokens from caches."""
    since, before = run.scenario.since, run.scenario.before
    begun = [
        each
        for each in run.world.requests
        if each.first_token_at and since <= each.first_token_at < before
    ]
    full, computed = dict.fromkeys(range(1, 6), 0.0), dict.fromkeys(range(1, 6), 0.0)
    for each in begun:
        full[each.priority] += cost(each)
        computed[each.priority] += each.prompt - each.cached + OUTPUT_WEIGHT * each.output
    found: dict[str, float] = {}
    for level in range(1, 6):
        found[f"share_P{level}"] = full[level] / max(1.0, sum(full.values()))
        found[f"computed_share_P{level}"] = computed[level] / max(1.0, sum(computed.values()))
        found[f"backlogged_P{level}"] = _backlogged(run, level)
    owed = [level for level in SHARES if found[f"backlogged_P{level}"] >= BACKLOGGED]
    kept = [found[f"share_P{level}"] / SHARES[level] for level in owed]
    found["guarantee_kept"] = min(kept, default=nan)
    kept = [found[f"computed_share_P{level}"] / SHARES[level] for level in owed]
    found["computed_guarantee_kept"] = min(kept, default=nan)
    return found


def _backlogged(run: Run, level: int) -> float:
    """Return for which part of the window somebody in the class waited for a first token."""
    series, scenario = run.world.series, run.scenario
    looks = [
        waiting > 0
        for time, waiting in zip(series.times, series.waiting[level], strict=True)
        if scenario.since <= time < scenario.before
    ]
    return sum(looks) / max(1, len(looks))
