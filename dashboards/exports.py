"""Requests as CSV for a spreadsheet: streamed, safe to open, its numbers the page's.

A spreadsheet runs a cell that begins like a formula, and these cells hold words of clients and servers: such a
cell gets an apostrophe in front. The byte order mark makes Excel read UTF-8; the separator is the one that it
expects in the reader's language. Column names never change with the language.
"""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import islice
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from billing.money import euros
from billing.periods import PARIS
from billing.usage import Request

LINES_AT_ONCE = 500
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
    "cost_eur",
)


def csv_lines(requests: Iterable[Request], language: str) -> Iterator[str]:
    """Return the header and a line per request. Times are Paris's, with their offset."""
    return table_lines(_COLUMNS, map(row_of, requests), language)


def row_of(request: Request) -> dict[str, Any]:
    """Return the values of a line, by column. The cost is exact: nine decimals."""
    told = {column: getattr(request, column) for column in _COLUMNS if column != "cost_eur"}
    return {**told, "cost_eur": euros(request.cost_nano)}


def table_lines(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], language: str
) -> Iterator[str]:
    """Yield the header and a line per row, whose values stand under the names of `columns`."""
    buffer = StringIO()
    writer = csv.writer(buffer, delimiter=SEPARATORS.get(language, USUAL_SEPARATOR))
    writer.writerow(columns)
    yield BYTE_ORDER_MARK + buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([cell(row[column]) for column in columns])
        yield buffer.getvalue()


def csv_response(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        _encoded(lines),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _encoded(lines: Iterator[str]) -> AsyncIterator[bytes]:
    """Yield `lines` in pieces, each fetched in a thread: the portal serves other pages meanwhile."""
    while piece := await sync_to_async(lambda: "".join(islice(lines, LINES_AT_ONCE)))():
        yield piece.encode()


def cell(value: str | int | bool | datetime | Decimal | UUID | None) -> str:
    """Return what stands in a cell for `value`."""
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case Decimal():
            return f"{value:.9f}"
        case datetime():
            return value.astimezone(PARIS).isoformat(sep=" ", timespec="milliseconds")
        case str() if value.startswith(_BEGINS_A_FORMULA):
            return f"'{value}"
        case _:
            return str(value)
