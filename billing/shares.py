"""Splitting whole amounts without losing any of them: energy among requests, costs among members. Pure."""

from collections.abc import Sequence


def proportional(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` by weights into integers that sum to it exactly; what is left over goes to the largest remainders.

    Each share is within 1 of its exact value, and a weight of 0 gets 0. Among equal remainders the first wins.
    Raises `ValueError` on a weight below 0, or when all are 0 and something is to be split.
    """
    whole = sum(weights)
    if min(weights, default=0) < 0 or total < 0 or (total and not whole):
        raise ValueError(f"{total} cannot be split by {len(weights)} weights")
    if not whole:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(total * weights[i] % whole))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares
