"""The table `users`: who may ask, with which key."""

from collections.abc import Iterator
from pathlib import Path

from routing.bridge.transfer.dump import Row, rows
from routing.bridge.transfer.meaning import Key
from routing.bridge.transfer.reading import Field, Reading
from routing.core.enums import PriorityClass, RoutingMode
from routing.core.keys import MAX_KEY_LENGTH
from routing.upstream.credentials import Secret

TABLE = "users"
COLUMNS = (
    *("id", "token", "name", "organization", "email", "priority", "threshold", "client_type"),
    "default_routing_mode",
)
_REQUIRED = ("token", "priority", "threshold")
CHAT = "chat"
"""The one `client_type` that the dispatcher treats otherwise: it answers 200 when it is full."""


def read_users(path: Path, reading: Reading) -> tuple[Key, ...]:
    """Return each user's key."""
    found = []
    for number, row in enumerate(rows(path, TABLE)):
        if number == 0:
            check_columns(TABLE, row, COLUMNS, _REQUIRED, reading)
        found.append(_key(row, reading))
    return tuple(found)


def check_columns(
    table: str,
    row: Row,
    known: tuple[str, ...],
    required: tuple[str, ...],
    reading: Reading,
) -> None:
    """Raise `Refused` on columns that nobody knows, or a table without those that matter."""
    for column in sorted(row.values.keys() - set(known)):
        reading.unknown(f"{table}.{column}")
    for column in required:
        if column not in row.values:
            reading.refuse(f"{table}.{column}", f"is missing at {row.where}")
    reading.finish()


def read_key(field: Field) -> Secret:
    """Return a key's text, as it is: any that a header can carry."""
    text = field.text(MAX_KEY_LENGTH)
    if text and (text != field.value or len(text.split()) > 1):
        field.reading.note(field.where, "holds a space: it has never worked, and does not here")
    return Secret(text)


def read_class(field: Field) -> int:
    """Return the class. The dispatcher's queues know none above 5; its 0 is the lowest here as there."""
    value = field.whole(0)
    if value < PriorityClass.P1:
        field.reading.note(field.where, "0 becomes class 1, the lowest")
    if value > PriorityClass.P5:
        field.reading.note(field.where, f"{value} becomes class 5, as in the dispatcher's queues")
    return max(PriorityClass.P1.value, min(value, PriorityClass.P5.value))


def read_threshold(field: Field) -> int:
    return field.whole(0)


def _key(row: Row, reading: Reading) -> Key:
    fields = dict(_fields(row, reading))
    mode, kind = fields.get("default_routing_mode"), fields.get("client_type")
    for name in _REQUIRED:
        if name not in fields and name in row.values:
            reading.refuse(f"{row.where}.{name}", "is empty")
    if kind and kind.value != CHAT:
        reading.note(kind.where, "has no effect in the dispatcher, and none here")
    return Key(
        token=read_key(fields["token"]) if "token" in fields else Secret(""),
        name=fields["name"].text() if "name" in fields else f"user {row.values.get('id')}",
        priority=read_class(fields["priority"]) if "priority" in fields else 1,
        threshold=read_threshold(fields["threshold"]) if "threshold" in fields else 0,
        organization=fields["organization"].text() if "organization" in fields else "",
        email=fields["email"].text() if "email" in fields else "",
        answers_200_when_full=bool(kind and kind.value == CHAT),
        routing_mode=mode.choice(RoutingMode) if mode else RoutingMode.ANY,
        where=row.where,
    )


def _fields(row: Row, reading: Reading) -> Iterator[tuple[str, Field]]:
    """Yield what is not null; whole numbers are read as such."""
    for name, text in row.values.items():
        if text is None or (text == "" and name != "token"):
            continue
        value: object = text
        if name in ("priority", "threshold") and text.strip().lstrip("-").isdecimal():
            value = int(text)
        yield name, Field(value, f"{row.where}.{name}", reading)
