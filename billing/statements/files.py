"""A document as a file: PDF to read and sign off, CSV and a workbook to count on. The same lines in each.

Statements, credit notes and adjustments of a year (`documents`). Drafts say that they are drafts, on every page.
"""

from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table
from xlsxwriter import Workbook

from billing.enums import LineUnit
from billing.money import euros
from billing.statements.document import Document
from billing.statements.statement import Line
from billing.templatetags.money import MINUS, quantity, unit_price
from federation.days import long_day
from federation.members.pdf import BOLD, MARGIN, PLAIN, foot, register_fonts
from federation.sheets import table_lines

COLUMNS = (
    "kind",
    "other_institution",
    "model",
    "month_of_requests",
    "unit",
    "quantity",
    "unit_price_eur",
    "exact_eur",
    "amount_eur",
)
HUNDRED = 100
_CELL = ParagraphStyle("cell", fontName=PLAIN, fontSize=7.5, leading=9.5)
_NUMBER = ParagraphStyle("number", parent=_CELL, alignment=2)
_HEAD = ParagraphStyle("head", parent=_CELL, fontName=BOLD)
_TEXT = ParagraphStyle("text", fontName=PLAIN, fontSize=9, leading=13, spaceAfter=4)
_TITLE = ParagraphStyle("title", fontName=BOLD, fontSize=15, leading=20, spaceAfter=8)
_WIDTHS = tuple(width * mm for width in (20, 36, 30, 16, 24, 26, 18))


def rows(document: Document) -> Iterator[dict[str, Any]]:
    """Yield a line of the file per line: amounts are owed where they are below nothing, else received."""
    for line in document.lines:
        yield {
            "kind": line.kind.value,
            "other_institution": line.other_name,
            "model": line.model_name,
            "month_of_requests": f"{line.origin_month:%Y-%m}" if line.origin_month else "",
            "unit": line.unit.value if line.unit else "",
            "quantity": line.units if line.unit == LineUnit.AUDIO else line.quantity,
            "unit_price_eur": euros(line.unit_nano),
            "exact_eur": euros(line.sign * line.exact_nano),
            "amount_eur": Decimal(line.signed_cents) / HUNDRED,
        }
    if document.granted_cents:
        paid = Decimal(document.granted_cents) / HUNDRED
        nothing = dict.fromkeys(COLUMNS, "") | {"quantity": 0, "unit_price_eur": Decimal(0)}
        yield {**nothing, "kind": "granted", "exact_eur": paid, "amount_eur": paid}


def csv(document: Document, language: str) -> bytes:
    """Return the lines as the usage's CSV is written: a spreadsheet in the reader's language opens it."""
    return "".join(table_lines(COLUMNS, rows(document), language)).encode()


def workbook(document: Document) -> bytes:
    """Return an .xlsx file: amounts are numbers, and no text is a formula."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("statement")
        exact = book.add_format({"num_format": "0.000000000"})
        sheet.write_row(0, 0, COLUMNS, book.add_format({"bold": True}))
        for place, row in enumerate(rows(document), start=1):
            for column, value in enumerate(row.values()):
                is_exact = COLUMNS[column] in ("unit_price_eur", "exact_eur")
                sheet.write(place, column, value, exact if is_exact else None)
    return out.getvalue()


def pdf(document: Document, language: str) -> bytes:
    """Return it on A4, in the language that is active."""
    register_fonts()
    number = document.number or f"{document.first_day:%Y-%m} · {pgettext('statement', 'draft')}"
    reference = f"{settings.SITE_NAME} · {document.institution.name} · {number}"
    story: list[Flowable] = [
        Paragraph(escape(document.title), _TITLE),
        Paragraph(escape(document.institution.name), _TEXT),
        *(Paragraph(escape(text), _TEXT) for text in _identity(document)),
        Spacer(0, 4 * mm),
        _table(document),
        Spacer(0, 5 * mm),
        *(Paragraph(escape(text), _TEXT) for text in _sums(document)),
    ]
    out = BytesIO()
    SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN / 1.2,
        rightMargin=MARGIN / 1.2,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=reference,
        author=settings.SITE_NAME,
        lang=language,
    ).build(story, onFirstPage=foot(reference), onLaterPages=foot(reference))
    return out.getvalue()


def _identity(document: Document) -> Iterator[str]:
    if document.institution.siret:
        yield f"SIRET {document.institution.siret}"
    if document.issued_on is None:
        yield _("Draft: requests that arrive late still count, until the month is closed.")
    else:
        said = {"number": document.number, "day": long_day(document.issued_on)}
        yield _("No. %(number)s, issued on %(day)s.") % said
        yield _("Closed. SHA-256 of its lines: %(hash)s") % {"hash": document.lines_hash}
    if corrected := document.refers_to:
        said = {"number": corrected.number, "day": long_day(corrected.issued_on)}
        yield _("It corrects the statement no. %(number)s of %(day)s.") % said
        yield _("SHA-256 of that one’s lines: %(hash)s") % {"hash": corrected.lines_hash}
    yield from document.remarks
    yield _("Amounts in euros, without VAT.")


def _table(document: Document) -> Table:
    head = (
        _("What for"),
        _("Institution"),
        _("Model"),
        _("Month"),
        _("Quantity"),
        _("Price"),
        _("Amount"),
    )
    cells = [[Paragraph(escape(text), _HEAD) for text in head]]
    cells += [_cells(line) for line in document.lines]
    table = Table(cells, colWidths=_WIDTHS, repeatRows=1)
    table.setStyle([
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
    ])  # fmt: skip
    return table


def _cells(line: Line) -> list[Paragraph]:
    month = date_format(line.origin_month, "m/Y") if line.origin_month else ""
    much, price = (quantity(line), unit_price(line)) if line.unit else ("", "")
    texts = (line.label, line.other_name, line.model_name, month)
    return [
        *(Paragraph(escape(text), _CELL) for text in texts),
        *(Paragraph(text, _NUMBER) for text in (much, price, amount(line.signed_cents))),
    ]


def _sums(document: Document) -> Iterator[str]:
    yield _("Used at others’: %(amount)s €") % {"amount": amount(document.used_cents)}
    yield _("Served to others, less the fee: %(amount)s €") % {
        "amount": amount(document.served_cents)
    }
    if document.granted_cents:
        yield _("Paid by what was granted: %(amount)s €") % {
            "amount": amount(document.granted_cents)
        }
    if document.net_cents < 0:
        yield _("To pay: %(amount)s €") % {"amount": amount(-document.net_cents)}
    else:
        yield _("To receive: %(amount)s €") % {"amount": amount(document.net_cents)}


def amount(cents: int) -> str:
    shown = number_format(Decimal(abs(cents)) / HUNDRED, 2, force_grouping=True)
    return f"{MINUS}{shown}" if cents < 0 else shown
