"""Rows as CSV for a spreadsheet: safe to open, read as its reader's language expects.

A spreadsheet runs a cell that begins like a formula, and cells hold words of clients, servers and members: such a
cell gets an apostrophe in front. The byte order mark makes Excel read UTF-8; the separator is the one that it expects
in the reader's language. Column names never change with the language.
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
from django.utils import timezone

BYTE_ORDER_MARK = "\ufeff"
SEPARATORS = {"fr": ";"}
USUAL_SEPARATOR = ","
CSV = "text/csv; charset=utf-8"
LINES_AT_ONCE = 500
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


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
            return timezone.localtime(value).isoformat(sep=" ", timespec="milliseconds")
        case str() if value.startswith(_BEGINS_A_FORMULA):
            return f"'{value}"
        case _:
            return str(value)


def streamed(lines: Iterator[str], name: str, content_type: str = CSV) -> StreamingHttpResponse:
    """Return the answer that is a file of this name, sent as its lines come."""
    return StreamingHttpResponse(
        _encoded(lines),
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _encoded(lines: Iterator[str]) -> AsyncIterator[bytes]:
    """Yield `lines` in pieces, each fetched in a thread: the portal serves other pages meanwhile."""
    while piece := await sync_to_async(lambda: "".join(islice(lines, LINES_AT_ONCE)))():
        yield piece.encode()
