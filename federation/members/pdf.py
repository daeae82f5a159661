"""The consortium agreement as a PDF: A4, embedded fonts, boxes to sign in. Not responsible for what it says."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import reportlab
from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from federation.members.markup import Block, BlockKind

FONTS = Path(reportlab.__file__).parent / "fonts"
PLAIN, BOLD = "Vera", "VeraBd"
MARGIN = 24 * mm
BOX = 38 * mm
_BODY = ParagraphStyle("body", fontName=PLAIN, fontSize=9.5, leading=14, spaceAfter=5)
STYLES = {
    BlockKind.TITLE: ParagraphStyle(
        "title", parent=_BODY, fontName=BOLD, fontSize=16, leading=21, spaceAfter=12
    ),
    BlockKind.HEADING: ParagraphStyle(
        "heading",
        parent=_BODY,
        fontName=BOLD,
        fontSize=11,
        leading=15,
        spaceBefore=9,
        keepWithNext=1,
    ),
    BlockKind.ITEM: ParagraphStyle("item", parent=_BODY, leftIndent=12, bulletIndent=2),
    BlockKind.PARAGRAPH: _BODY,
}


class Party(NamedTuple):
    """Who signs in a box: under which name, by whom."""

    name: str
    by: str


def agreement_pdf(
    *, blocks: Iterable[Block], parties: Sequence[Party], reference: str, language: str
) -> bytes:
    """Return the document; `reference` stands at the foot of each page, so that none is exchanged."""
    register_fonts()
    story: list[Flowable] = [_flowable(block) for block in blocks]
    story.append(KeepTogether([Spacer(0, 8 * mm), _boxes(parties)]))
    out = BytesIO()
    SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=reference,
        author=parties[0].name,
        lang=language,
    ).build(story, onFirstPage=foot(reference), onLaterPages=foot(reference))
    return out.getvalue()


def register_fonts() -> None:
    """Bitstream Vera comes with the library; embedded, the file looks the same for years."""
    for name in (PLAIN, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, FONTS / f"{name}.ttf"))


def _flowable(block: Block) -> Flowable:
    bullet = "•" if block.kind == BlockKind.ITEM else None
    return Paragraph(escape(block.text), STYLES[block.kind], bulletText=bullet)


def _boxes(parties: Sequence[Party]) -> Flowable:
    """One box for each party: name and function, place and date, signature."""
    cells = [
        [
            Paragraph(f'<font name="{BOLD}">{escape(party.name)}</font>', _BODY),
            Paragraph(escape(party.by), _BODY),
            Paragraph(escape(_("Place and date, signature:")), _BODY),
            Spacer(0, BOX / 2),
        ]
        for party in parties
    ]
    width = (A4[0] - 2 * MARGIN) / len(parties)
    table = Table([cells], colWidths=[width] * len(parties))
    table.setStyle([("BOX", (n, 0), (n, 0), 0.5, "#555555") for n in range(len(parties))])
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP")])
    return table


def foot(reference: str):  # type: ignore[no-untyped-def]  # the library's own types are not published
    def draw(canvas, document) -> None:  # type: ignore[no-untyped-def]
        canvas.saveState()
        canvas.setFont(PLAIN, 7.5)
        canvas.drawString(MARGIN, 12 * mm, reference)
        canvas.drawRightString(A4[0] - MARGIN, 12 * mm, str(document.page))
        canvas.restoreState()

    return draw
