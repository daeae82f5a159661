"""Two answers to the same request, and what differs: what to look at, what is meant to, what chance explains.

What is meant is listed, with its reason, in docs/router.md, "Coming from aristote-dispatcher".
"""

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from routing.shadow.asking import Observation
from routing.shadow.cases import Case


class Kind(StrEnum):
    OPEN = "to look at"
    MEANT = "meant"
    CHANCE = "may vary"


class Difference(msgspec.Struct, frozen=True):
    """What `old` and `new` say of one thing, and for what is meant, why."""

    what: str
    old: str
    new: str
    kind: Kind = Kind.OPEN
    why: str = ""


OURS = {"error.message", "error.type", "error.code", "error.param"}
# Two answers to one question may be of different lengths, and end for different reasons.
CHANCES = frozenset({"usage.completion_tokens", "usage.total_tokens", "choices[].finish_reason"})
OWN_WORDS = re.compile(
    r"Internal Server Error|No model specified|local priority model|model .* not found"
)
"""Texts of the old dispatcher that no client reads; the others are kept inside ours."""
ADDED = "clients ignore what they do not know"
MEANT_ABSENT = {
    "system_fingerprint": "stands beside the usage, which is asked for and taken out again",
}
"""Fields that a stream may lack."""
MEANT_STATUS = {
    "no model": "the client's mistake is told as one",
    "priority as text": "the client's mistake is told as one",
    "empty model": "nothing was named: 400",
}


def compare(case: Case, old: Observation, new: Observation) -> list[Difference]:
    """Return what differs, what matters most first."""
    if old.failure or new.failure:
        return list(_differs("answer", old.failure or "came", new.failure or "came"))
    if old.is_error or new.is_error:
        return [*_statuses(case, old, new), *_messages(old, new), *_headers(old, new)]
    return [
        *_statuses(case, old, new),
        *_differs("content-type", old.media_type, new.media_type),
        *_differs("[DONE]", _yes(old.is_done), _yes(new.is_done)),
        *_shapes(case, old, new),
        *_values(old, new),
        *_headers(old, new),
    ]


def _differs(what: str, old: str, new: str) -> Iterator[Difference]:
    if old != new:
        yield Difference(what, old, new)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _statuses(case: Case, old: Observation, new: Observation) -> Iterator[Difference]:
    if old.status == new.status and old.is_error == new.is_error:
        return
    why = ""
    if old.is_error and new.is_error:
        if old.status == 200:
            why = "an error must look like one: the server's status is kept"
        elif old.status in (404, 500) and 400 <= new.status < 500:
            why = MEANT_STATUS.get(case.name, "")
    yield Difference("status", _status(old), _status(new), Kind.MEANT if why else Kind.OPEN, why)


def _status(seen: Observation) -> str:
    return (
        f"{seen.status} with an error" if seen.is_error and seen.status < 400 else str(seen.status)
    )


def _messages(old: Observation, new: Observation) -> Iterator[Difference]:
    """Tell of an error's shape and text: the shape is ours, and holds the old text."""
    if not (old.is_error and new.is_error):
        return
    if old.shape.keys() != new.shape.keys():
        meant = (Kind.MEANT, "clients read error.message") if new.shape.keys() >= OURS else ()
        yield Difference("error shape", _fields(old), _fields(new), *meant)
    if old.message not in new.message:
        meant = (Kind.MEANT, "its own words") if OWN_WORDS.match(old.message) else ()
        yield Difference("error text", old.message, new.message, *meant)


def _fields(seen: Observation) -> str:
    return " ".join(sorted(path for path in seen.shape if path)) or "no JSON"


def _shapes(case: Case, old: Observation, new: Observation) -> Iterator[Difference]:
    for path in sorted(old.shape.keys() | new.shape.keys()):
        before, after = old.shape.get(path, set()), new.shape.get(path, set())
        types = (path or "body", _joined(before) or "absent", _joined(after) or "absent")
        if before == after:
            continue
        if not before:
            yield Difference(*types, Kind.MEANT, ADDED)
        elif before & after:
            yield Difference(*types, Kind.CHANCE)
        elif not after and case.is_stream and path in MEANT_ABSENT:
            yield Difference(*types, Kind.MEANT, MEANT_ABSENT[path])
        else:
            yield Difference(*types)


def _values(old: Observation, new: Observation) -> Iterator[Difference]:
    for path in sorted(old.values.keys() & new.values.keys()):
        before, after = old.values[path], new.values[path]
        if before == after:
            continue
        if path == "data[].id" and before < after:
            why = "models were added"
            yield Difference(path, _joined(before), _joined(after), Kind.MEANT, why)
        else:
            kind = Kind.CHANCE if path in CHANCES else Kind.OPEN
            yield Difference(path, _joined(before), _joined(after), kind)


def _headers(old: Observation, new: Observation) -> Iterator[Difference]:
    for name in sorted(old.headers ^ new.headers):
        if name in new.headers:
            yield Difference(name, "absent", "present", Kind.MEANT, ADDED)
        else:
            yield Difference(name, "present", "absent")


def _joined(values: set[str]) -> str:
    return " ".join(sorted(values))
