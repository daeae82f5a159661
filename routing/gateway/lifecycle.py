"""What clients are told of names that leave: a date beforehand in every answer, afterwards where to go.

`Deprecation` is RFC 9745's, `Sunset` RFC 8594's, `successor-version` RFC 5829's.
"""

from datetime import datetime
from email.utils import formatdate
from zoneinfo import ZoneInfo

from routing.core.table import End, Model, Table
from routing.gateway.cors import HeaderList
from routing.gateway.errors import ApiError, Code

PARIS = ZoneInfo("Europe/Paris")
_SHOWN = 100  # characters of a client's own words repeated to it


def model_named(table: Table, asked: str, now: float) -> Model:
    """Return the model behind a name that is answered at `now`, in epoch seconds. Raises `ApiError`."""
    model, names, name = table.model_named(asked), table.names.names, asked.lower()
    end = names.ends.get(name)
    if model is not None and not (end and end.at is not None and end.at <= now):
        return model
    if gone := end or names.gone.get(name):
        raise ApiError(Code.UNKNOWN_MODEL, _farewell(asked, gone))
    raise ApiError(
        Code.UNKNOWN_MODEL,
        f"Unknown model `{asked[:_SHOWN]}`; GET /v1/models lists those of this key",
    )


def lifecycle_headers(table: Table, model: Model, asked: str, public_url: str) -> HeaderList:
    """Return what an answer says of the end of its model, or of the name that was asked for."""
    end = _end_of(table, model, asked)
    if end is None:
        return []
    headers = []
    if end.announced_at is not None:
        headers.append((b"deprecation", b"@%d" % end.announced_at))
    if end.at is not None:
        headers.append((b"sunset", formatdate(end.at, usegmt=True).encode()))
    links = [_link(public_url, model.name, "deprecation")]
    if end.successor:
        links.append(_link(public_url, end.successor, "successor-version"))
    return [*headers, (b"link", ", ".join(links).encode())]


def _end_of(table: Table, model: Model, asked: str) -> End | None:
    """Return the end that comes first, of the name or of the model."""
    ends = [end for end in (table.names.names.ends.get(asked.lower()), model.end) if end]
    return min(ends, key=lambda end: end.at if end.at is not None else float("inf"), default=None)


def _link(public_url: str, name: str, relation: str) -> str:
    """A public name has no character that an address or a header would not take."""
    return f'<{public_url}/catalogue/{name}/>; rel="{relation}"'


def _farewell(asked: str, end: End) -> str:
    when = f" on {datetime.fromtimestamp(end.at, PARIS).date()}" if end.at is not None else ""
    instead = f"; use `{end.successor}` instead" if end.successor else ""
    what = "name" if end.of_alias else "model"
    return f"The {what} `{asked[:_SHOWN]}` was retired{when}{instead}"
