"""Requests as CSV for a spreadsheet: streamed, safe to open, its numbers the page's.

A spreadsheet runs a cell that begins like a formula, and these cells hold words of clients and servers: such a
cell gets an apostrophe in front. The byte order mark makes Excel read UTF-8; the separator is the one that it
expects in the reader's language. Column names never change with the language.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO
from uuid import UUID

from billing.periods import PARIS
from billing.usage import Request

BYTE_ORDER_MARK = "\ufeff"
SEPARATORS = {"fr": ";"}
USUAL_SEPARATOR = ","
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    "id",
    "client_request_id",
    "received_at",
    "finished_at",
    "asking",
    "application",
    "key",
    "priority",
    "endpoint",
    "stream",
    "model",
    "model_asked",
    "serving",
    "server",
    "status",
    "http_status",
    "error_code",
    "attempts",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "usage_source",
    "first_token_ms",
    "duration_ms",
    "is_demo",
    "data_class",
    "stood_in_for",
)


def csv_lines(requests: Iterable[Request], language: str) -> Iterator[str]:
    """Yield the header and a line per request. Times are Paris's, with their offset."""
    buffer = StringIO()
    writer = csv.writer(buffer, delimiter=SEPARATORS.get(language, USUAL_SEPARATOR))
    writer.writerow(_COLUMNS)
    yield BYTE_ORDER_MARK + buffer.getvalue()
    for request in requests:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([cell(getattr(request, column)) for column in _COLUMNS])
        yield buffer.getvalue()


def cell(value: str | int | bool | datetime | UUID | None) -> str:
    """Return what stands in a cell for `value`."""
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case datetime():
            return value.astimezone(PARIS).isoformat(sep=" ", timespec="milliseconds")
        case str() if value.startswith(_BEGINS_A_FORMULA):
            return f"'{value}"
        case _:
            return str(value)
