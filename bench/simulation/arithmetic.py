"""Percentiles, means, and how even a division is. NaN stands for "nothing to measure"."""

import math
from collections.abc import Iterable, Sequence


def percentile(values: Iterable[float], percent: float) -> float:
    """Return a percentile, interpolated linearly between the two nearest values."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    place = (len(ordered) - 1) * (percent / 100)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    low, high, part = ordered[below], ordered[above], place - below
    # From the nearer end, as NumPy does: figures stay comparable to the last digit.
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def mean(values: Iterable[float]) -> float:
    """Return the mean of those that are numbers."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 when all have the same, 1/n when one has all."""
    total = sum(shares)
    if not total:
        return math.nan
    return total**2 / (len(shares) * sum(share * share for share in shares))


def fair_shares(demand: dict[str, float], served: float) -> dict[str, float]:
    """Return the max-min fair division of `served`: nobody gets more than it asked for."""
    fair: dict[str, float] = {}
    left = served
    for place, who in enumerate(sorted(demand, key=lambda each: demand[each])):
        fair[who] = min(demand[who], left / (len(demand) - place))
        left -= fair[who]
    return fair
