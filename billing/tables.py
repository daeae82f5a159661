"""Rows as a file for spreadsheets: CSV in the reader's language, or a workbook whose numbers are numbers."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any

from xlsxwriter import Workbook

from federation.sheets import table_lines

Rows = Iterable[Mapping[str, Any]]


def csv(columns: Sequence[str], rows: Rows, language: str) -> bytes:
    return "".join(table_lines(columns, rows, language)).encode()


def workbook(columns: Sequence[str], rows: Rows, name: str) -> bytes:
    """Return an .xlsx file with one sheet: no text of it is a formula."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet(name)
        money = book.add_format({"num_format": "0.00#######"})
        sheet.write_row(0, 0, columns, book.add_format({"bold": True}))
        for place, row in enumerate(rows, start=1):
            for at, column in enumerate(columns):
                value = row[column]
                sheet.write(place, at, value, money if isinstance(value, Decimal) else None)
    return out.getvalue()
