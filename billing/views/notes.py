"""Credit notes and adjustments of a year: a list, each as a page and as files."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from billing.invoicing.prospects import prospect_of
from billing.models import Note
from billing.policies import can_keep_accounts, can_tell_invoicing
from billing.statements.document import of_note
from billing.views.accounts import PAGE, accountant
from billing.views.files import document_file
from federation.people.guards import signed_in

RELATED = ("institution", "statement__period", "statement__institution", "pool", "contest")


@require_safe
@login_required
def notes(request: HttpRequest) -> HttpResponse:
    """Those of the institutions whose accounts one reads, the newest first."""
    user = accountant(request)
    rows = Note.objects.for_user(user).with_invoices().order_by("-pk")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "billing/notes.html", {"page": page})


@require_safe
@login_required
def note(request: HttpRequest, number: str) -> HttpResponse:
    user, row = signed_in(request), note_asked(request, number)
    context = {
        "note": row,
        "document": of_note(row),
        "prospect": prospect_of(row),
        "may_keep": can_keep_accounts(user),
        "may_tell": can_tell_invoicing(user, row.institution),
    }
    return render(request, "billing/note.html", context)


@require_safe
@login_required
def note_file(request: HttpRequest, number: str, ending: str) -> HttpResponse:
    row = note_asked(request, number)
    return document_file(of_note(row), ending, f"{row.institution.slug}_{row.number}")


def note_asked(request: HttpRequest, number: str) -> Note:
    """Return the document. Raises 404 on one that the reader may not see."""
    visible = Note.objects.for_user(signed_in(request)).select_related(*RELATED)
    return get_object_or_404(visible, number=number)
