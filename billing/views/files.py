"""A document, or a table, as the answer to a request for a file."""

from django.http import HttpResponse
from django.utils.translation import get_language

from billing.statements import files
from billing.statements.document import Document

TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def document_file(document: Document, ending: str, name: str) -> HttpResponse:
    """Return it in the reader's language, under `name` and its ending."""
    language = get_language() or ""
    match ending:
        case "pdf":
            content = files.pdf(document, language)
        case "xlsx":
            content = files.workbook(document)
        case _:
            content = files.csv(document, language)
    return attached(content, ending, name)


def attached(content: bytes, ending: str, name: str) -> HttpResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{ending}"',
        "Cache-Control": "no-store",
    }
    return HttpResponse(content, content_type=TYPES[ending], headers=headers)
