"""An invoice or a credit note to read and to file: PDF/A-3 with its XML inside (Factur-X).

In French, as it is handed to Chorus Pro.
"""

from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any, Literal
from xml.sax.saxutils import escape

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import override
from facturx import generate_from_binary
from PIL.ImageCms import ImageCmsProfile, createProfile
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    TextStringObject,
)
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from billing.invoicing.bill import HUNDRED, STANDARD_RATE, Bill, Item, Party
from billing.invoicing.cii import EXEMPTION_TEXT, LEVEL, xml_of
from billing.money import per_million
from federation.days import long_day
from federation.members.pdf import BOLD, MARGIN, PLAIN, foot, register_fonts

FRENCH = "fr"
SRGB: Literal["sRGB"] = "sRGB"
COMPONENTS = 3
_CELL = ParagraphStyle("cell", fontName=PLAIN, fontSize=8, leading=10.5)
_NUMBER = ParagraphStyle("number", parent=_CELL, alignment=2)
_STRONG = ParagraphStyle("strong", parent=_NUMBER, fontName=BOLD)
_HEAD = ParagraphStyle("head", parent=_CELL, fontName=BOLD)
_TEXT = ParagraphStyle("text", fontName=PLAIN, fontSize=9, leading=13, spaceAfter=3)
_NOTE = ParagraphStyle("note", parent=_TEXT, fontSize=7.5, leading=10.5)
_TITLE = ParagraphStyle("title", fontName=BOLD, fontSize=16, leading=21, spaceAfter=6)
_FRAME = 6
"""Points that the library leaves free around texts."""
_SUMS_STYLE = [
    ("FONTNAME", (0, 0), (-1, -1), PLAIN),
    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    *((f"{side}PADDING", (0, 0), (-1, -1), 1) for side in ("TOP", "BOTTOM")),
]
_WIDTH = A4[0] - 2 * MARGIN - 2 * _FRAME
_SIDE = _WIDTH / 2
_OWN_FONT = ("FONTNAME", (0, 0), (-1, -1), PLAIN)
"""A table names a font even where it writes nothing with it; PDF/A takes none that is not inside."""
_OF_SECONDS = 3
"""Decimals of a quantity of audio."""
_NUMBERS = tuple(width * mm for width in (30, 27, 26))
_WIDTHS = (_WIDTH - sum(_NUMBERS), *_NUMBERS)


def facturx_of(bill: Bill) -> bytes:
    """Return the file. Raises `ValueError` when it lacks what the standard asks for."""
    file: bytes = generate_from_binary(
        _archivable(_pages(bill)),
        xml_of(bill),
        flavor="factur-x",
        level=LEVEL,
        check_xsd=False,
        pdf_metadata={
            "author": bill.seller.name,
            "keywords": "Factur-X",
            "title": _in_french(bill),
            "subject": f"{_in_french(bill)} · {bill.buyer.name}",
        },
        lang=FRENCH,
    )
    return file


def title_of(bill: Bill) -> str:
    title = _("Credit note %(number)s") if bill.is_credit else _("Invoice %(number)s")
    return title % {"number": bill.number}


def _in_french(bill: Bill) -> str:
    with override(FRENCH):
        return title_of(bill)


def _pages(bill: Bill) -> bytes:
    register_fonts()
    out = BytesIO()
    with override(FRENCH):
        title = title_of(bill)
        SimpleDocTemplate(
            out,
            pagesize=A4,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            topMargin=MARGIN,
            bottomMargin=MARGIN,
            title=title,
            author=bill.seller.name,
            lang=FRENCH,
            initialFontName=PLAIN,
        ).build(list(_story(bill)), onFirstPage=foot(title), onLaterPages=foot(title))
    return out.getvalue()


def _story(bill: Bill) -> Iterator[Flowable]:
    yield Paragraph(escape(title_of(bill)), _TITLE)
    yield from (Paragraph(escape(text), _TEXT) for text in _facts(bill))
    yield Spacer(0, 3 * mm)
    yield _sides(bill)
    yield Spacer(0, 6 * mm)
    yield _lines(bill)
    yield Spacer(0, 4 * mm)
    yield _sums(bill)
    yield Spacer(0, 5 * mm)
    yield from (Paragraph(escape(text), _NOTE) for text in _notes(bill))


def _facts(bill: Bill) -> Iterator[str]:
    issued = (
        _("Issued on %(day)s, set against what is to be paid or paid back by %(due)s")
        if bill.is_credit
        else _("Issued on %(day)s, to be paid by %(due)s")
    )
    yield issued % {"day": long_day(bill.issued_on), "due": long_day(bill.due_on)}
    yield _("For what was used from %(first)s to %(last)s") % {
        "first": long_day(bill.first_day),
        "last": long_day(bill.last_day),
    }
    if bill.corrects:
        yield _("Corrects: %(invoices)s") % {"invoices": ", ".join(_preceding(bill))}
    for label, value in (
        (_("Service code"), bill.orders.service),
        (_("Commitment number"), bill.orders.commitment),
        (_("Contract"), bill.orders.contract),
    ):
        if value:
            yield _("%(label)s: %(value)s") % {"label": label, "value": value}


def _preceding(bill: Bill) -> Iterator[str]:
    for each in bill.corrects:
        said = {"number": each.number, "day": long_day(each.issued_on)}
        yield _("invoice %(number)s of %(day)s") % said


def _sides(bill: Bill) -> Table:
    cells = [
        [Paragraph(escape(head), _HEAD), *(Paragraph(escape(text), _CELL) for text in _side(party))]
        for head, party in ((_("Issuer"), bill.seller), (_("Billed to"), bill.buyer))
    ]
    table = Table([cells], colWidths=[_SIDE, _SIDE])
    table.setStyle(
        [_OWN_FONT, ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0)]
    )
    return table


def _side(party: Party) -> Iterator[str]:
    yield party.name
    yield from party.street.splitlines()
    yield f"{party.postcode} {party.city}"
    yield f"SIRET {party.siret}"
    if party.vat_number:
        yield _("VAT number %(number)s") % {"number": party.vat_number}


def _lines(bill: Bill) -> Table:
    heads = (_("What for"), _("Quantity"), _("€ per million"), _("Amount (€)"))
    styles = (_HEAD, *(_STRONG for _each in _NUMBERS))
    cells: list[list[Any]] = [
        [Paragraph(escape(text), style) for text, style in zip(heads, styles, strict=True)]
    ]
    cells += [_cells(item) for item in bill.items]
    table = Table(cells, colWidths=_WIDTHS, repeatRows=1)
    table.setStyle([
        _OWN_FONT,
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ])  # fmt: skip
    return table


def _cells(item: Item) -> list[list[Paragraph]]:
    has_units = bool(item.unit_nano)
    decimals = 0 if item.quantity == int(item.quantity) else _OF_SECONDS
    quantity = number_format(item.quantity, decimals, force_grouping=True) if has_units else ""
    price = number_format(per_million(item.unit_nano), 3) if has_units else ""
    what = [Paragraph(escape(item.name), _CELL)]
    if item.detail:
        what.append(Paragraph(escape(item.detail), _NOTE))
    return [what, *([Paragraph(text, _NUMBER)] for text in (quantity, price, _euros(item.cents)))]


def _sums(bill: Bill) -> Table:
    vat = _("VAT, exempt") if bill.is_exempt else _("VAT, %(rate)s %%") % {"rate": STANDARD_RATE}
    granted = (
        _("Given back to what was granted") if bill.is_credit else _("Paid by what was granted")
    )
    due = _("To get back (€)") if bill.is_credit else _("To pay (€)")
    rows = [
        (_("Total without VAT"), bill.net_cents, _NUMBER),
        (vat, bill.vat_cents, _NUMBER),
        (_("Total with VAT"), bill.total_cents, _NUMBER),
        *([(granted, -bill.granted_cents, _NUMBER)] if bill.granted_cents else []),
        (due, bill.due_cents, _STRONG),
    ]  # fmt: skip
    cells = [
        ["", Paragraph(escape(label), style), Paragraph(_euros(cents), style)]
        for label, cents, style in rows
    ]
    return Table(cells, colWidths=[_WIDTH - 92 * mm, 66 * mm, 26 * mm], style=_SUMS_STYLE)


def _notes(bill: Bill) -> Iterator[str]:
    if bill.is_exempt:
        yield f"{EXEMPTION_TEXT}."
    yield from (mention.text for mention in bill.mentions)
    if bill.is_credit:
        return
    account = bill.account
    bic = f" · BIC {account.bic}" if account.bic else ""
    yield _("By transfer to IBAN %(iban)s%(bic)s, with the reference %(number)s.") % {
        "iban": " ".join(account.iban[n : n + 4] for n in range(0, len(account.iban), 4)),
        "bic": bic,
        "number": bill.number,
    }


def _archivable(pages: bytes) -> bytes:
    """Add what PDF/A asks for and the library of pages leaves out: what the colours mean."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pages)))
    profile = DecodedStreamObject()
    profile.set_data(ImageCmsProfile(createProfile(SRGB)).tobytes())
    profile[NameObject("/N")] = NumberObject(COMPONENTS)
    intent = DictionaryObject({
        NameObject("/Type"): NameObject("/OutputIntent"),
        NameObject("/S"): NameObject("/GTS_PDFA1"),
        NameObject("/OutputConditionIdentifier"): TextStringObject(SRGB),
        NameObject("/DestOutputProfile"): writer._add_object(profile.flate_encode()),
    })  # fmt: skip
    writer.root_object[NameObject("/OutputIntents")] = ArrayObject([writer._add_object(intent)])
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _euros(cents: int) -> str:
    return number_format(Decimal(cents) / HUNDRED, 2, force_grouping=True)
