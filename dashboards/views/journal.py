"""The journal of acts: who did what to what, for everyone as far as it concerns them; and whether it is whole."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_POST, require_safe

from dashboards.journal.entries import COLUMNS, entries_of, rows
from dashboards.journal.forms import JournalForm
from federation.journal.chain import BrokenChainError, verify
from federation.journal.models import FIRST_PREVIOUS_HASH, AuditEvent
from federation.journal.queries import check_not_emptied
from federation.people.guards import signed_in
from federation.sheets import streamed, table_lines

PAGE = 25
MOST_ROWS = 50_000
"""Of a file: what a spreadsheet opens without trouble. Whoever wants more narrows the days."""
STEP = 5_000
"""Events that one request verifies: well under a second."""
SALT = "journal chain"


@require_safe
@login_required
def journal(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = _form(request)
    events = list(form.page[: PAGE + 1])
    context = {
        "form": form,
        "entries": entries_of(user, events[:PAGE]),
        "older": events[PAGE - 1].seq if len(events) > PAGE else None,
        "is_newest": not form.cleaned_data.get("before"),
        "most_rows": MOST_ROWS,
        "of_others": user.sees_everything or bool(user.overseen_institution_ids),
    }
    return render(request, "dashboards/journal.html", context)


@require_safe
@login_required
def journal_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The newest of the chosen events, bounded."""
    language = get_language() or ""
    told = rows(signed_in(request), _form(request).chosen, MOST_ROWS, language)
    lines = table_lines(COLUMNS, told, language)
    return streamed(lines, f"journal_{timezone.localdate()}.csv")


@require_POST
@login_required
def chain(request: HttpRequest) -> HttpResponse:
    """Verify some more of the chain, from where the form's mark says that an earlier step ended."""
    if not signed_in(request).sees_everything:
        raise PermissionDenied
    after = _verified_so_far(request.POST.get("mark", ""))
    context: dict[str, Any] = {"at": timezone.now()}
    events = AuditEvent.objects.filter(seq__gt=after[0]).order_by("seq")
    try:
        check_not_emptied()
        count, head = verify(events[:STEP], after)
    except BrokenChainError as fault:
        context["fault"] = fault.number
    else:
        last = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
        is_over = count - after[0] < STEP
        mark = "" if is_over else signing.dumps([count, head], salt=SALT)
        context |= {"count": count, "head": head, "total": max(last, count), "mark": mark}
    page = "_journal_chain.html" if request.headers.get("HX-Request") else "journal_chain.html"
    return render(request, f"dashboards/{page}", context)


def _verified_so_far(mark: str) -> tuple[int, str]:
    """Return where to go on; from the first event when the mark is not one of ours."""
    try:
        count, head = signing.loads(mark, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return 0, FIRST_PREVIOUS_HASH
    return count, head


def _form(request: HttpRequest) -> JournalForm:
    form = JournalForm(request.GET.dict(), user=signed_in(request))
    form.is_valid()  # a choice that cannot be read is left out, and the form says so
    return form
