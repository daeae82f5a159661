"""A comparison as a table for people and as JSON for programs. Neither holds a request, an answer's text or a key.

The text of an error is shown, as each side said it.
"""

from collections.abc import Iterator, Sequence
from statistics import median

import msgspec

from routing.shadow.asking import Observation
from routing.shadow.comparing import Difference, Kind

MARKS = {Kind.OPEN: "!", Kind.MEANT: "·", Kind.CHANCE: "~"}
LONGEST = 60  # characters of a value in the table; the JSON has all of it


class Result(msgspec.Struct, frozen=True):
    """One request, asked several times of each side."""

    name: str
    old: list[Observation]
    new: list[Observation]
    differences: list[Difference]


class _Side(msgspec.Struct, frozen=True):
    status: int
    failure: str
    first_ms: float | None
    total_ms: float


class _Row(msgspec.Struct, frozen=True):
    request: str
    old: _Side
    new: _Side
    differences: list[Difference]


def count(results: Sequence[Result], kind: Kind) -> int:
    return sum(difference.kind == kind for each in results for difference in each.differences)


def to_json(results: Sequence[Result]) -> bytes:
    rows = [
        _Row(each.name, _summed(each.old), _summed(each.new), each.differences) for each in results
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n"


def to_table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines: one for each request, one below it for each difference."""
    width = max(len("request"), *(len(each.name) for each in results))
    yield f"  {'request':<{width}}  {'status':>9}  {'first event, ms':>17}  {'whole, ms':>17}"
    for each in results:
        old, new = _summed(each.old), _summed(each.new)
        yield (
            f"{_worst(each)} {each.name:<{width}}  {f'{old.status} {new.status}':>9}"
            f"  {_pair(old.first_ms, new.first_ms):>17}  {_pair(old.total_ms, new.total_ms):>17}"
        )
        yield from (f"    {line}" for line in _lines(each.differences))
    yield (
        f"{len(results)} requests; differences: {count(results, Kind.OPEN)} to look at (!),"
        f" {count(results, Kind.MEANT)} meant (·), {count(results, Kind.CHANCE)} that may vary (~)."
        " Numbers are old, then new."
    )


def _lines(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield a line for each, and one for all that was added for the same reason."""
    added: dict[str, list[str]] = {}
    for difference in differences:
        if difference.kind is Kind.MEANT and difference.old == "absent":
            added.setdefault(difference.why, []).append(difference.what)
            continue
        why = f" ({difference.why})" if difference.why else ""
        old, new = _short(difference.old), _short(difference.new)
        yield f"{MARKS[difference.kind]} {difference.what}: {old} → {new}{why}"
    for why, names in added.items():
        yield f"{MARKS[Kind.MEANT]} new: {', '.join(names)} ({why})"


def _worst(result: Result) -> str:
    kinds = {difference.kind for difference in result.differences}
    return next((MARKS[kind] for kind in Kind if kind in kinds), " ")


def _summed(seen: Sequence[Observation]) -> _Side:
    """Return the last answer's outside with the median of the times."""
    firsts = [each.first_ms for each in seen if each.first_ms is not None]
    total = median(each.total_ms for each in seen)
    first = round(median(firsts), 1) if firsts else None
    return _Side(seen[-1].status, seen[-1].failure, first, round(total, 1))


def _pair(old: float | None, new: float | None) -> str:
    return " ".join("–" if value is None else f"{value:.0f}" for value in (old, new))


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return (flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…") or "nothing"
