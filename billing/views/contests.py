"""What institutions say to their statements: a line contested, all of it accepted; and the federation's answers."""

from datetime import date
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.enums import ContestState
from billing.forms.contests import AnswerForm, ContestForm
from billing.models import Contest, Note, Statement
from billing.operations.contests import accept_statement, withdraw_contest
from billing.policies import can_keep_accounts, can_speak_for, check_keep_accounts, check_speak_for
from billing.statements.statement import Line, draft_of, kept, keys_of
from billing.views.accounts import PAGE, accountant
from billing.views.statements import institution_asked
from federation.members.models import Institution
from federation.people.guards import signed_in
from federation.people.models import User

LONGEST_HASH = 64


@require_safe
@login_required
def contests(request: HttpRequest) -> HttpResponse:
    """Those of the institutions whose accounts one reads, the unanswered first."""
    user = accountant(request)
    rows = Contest.objects.for_user(user).select_related("institution")
    waiting = rows.waiting().order_by("pk")
    answered = rows.exclude(state=ContestState.OPEN).order_by("-answered_at", "-pk")
    context = {
        "waiting": waiting,
        "page": Paginator(answered, PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "billing/contests.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contest(request: HttpRequest, contest_id: UUID) -> HttpResponse:
    """One contested line; with a form to answer it, to whoever keeps the accounts."""
    user = signed_in(request)
    people = ("institution", "made_by", "answered_by")
    row = get_object_or_404(Contest.objects.for_user(user).select_related(*people), pk=contest_id)
    if request.method == "POST":
        check_keep_accounts(user)
    is_open = row.state == ContestState.OPEN
    may_answer = is_open and can_keep_accounts(user)
    form = (
        AnswerForm(request.POST or None, contest=row, user=user)
        if can_keep_accounts(user)
        else None
    )
    if request.method == "POST" and form and form.is_valid() and form.save(user):
        messages.success(request, _("It is answered; the institution is told."))
        return redirect("contest", contest_id=row.pk)
    context = {
        "contest": row,
        "form": form if may_answer else None,
        "may_withdraw": is_open and can_speak_for(user, row.institution),
        "notes": Note.objects.for_user(user).filter(contest=row),
    }
    return render(request, "billing/contest.html", context)


@require_POST
@login_required
def take_contest_back(request: HttpRequest, contest_id: UUID) -> HttpResponse:
    user = signed_in(request)
    row = get_object_or_404(Contest.objects.for_user(user), pk=contest_id)
    try:
        withdraw_contest(by=user, contest=row)
        messages.success(request, _("It is taken back: the line stands as it is."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("contest", contest_id=row.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_contest(request: HttpRequest, month: date, slug: str, line_key: str) -> HttpResponse:
    user = signed_in(request)
    institution = institution_asked(user, slug)
    check_speak_for(user, institution)
    line = _line(user, institution, month, line_key)
    form = ContestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = form.save(user, institution=institution, month=month, line_key=line_key)
        if made:
            messages.success(request, _("The line is contested: the federation’s finance is told."))
            return redirect("contest", contest_id=made.pk)
    context = {"form": form, "line": line, "institution": institution, "month": month}
    return render(request, "billing/new_contest.html", context)


@require_POST
@login_required
def accept(request: HttpRequest, month: date, slug: str) -> HttpResponse:
    user = signed_in(request)
    institution = institution_asked(user, slug)
    seen = request.POST.get("seen", "")[:LONGEST_HASH]
    try:
        accept_statement(by=user, institution=institution, month=month, lines_hash=seen)
        messages.success(request, _("The statement is accepted."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("statement", month, slug)


def _line(user: User, institution: Institution, month: date, line_key: str) -> Line:
    """Return a line of a statement as it stands. Raises 404 when it is not there any more."""
    closed = Statement.objects.for_user(user).filter(period_id=month, institution=institution)
    row = closed.first()
    lines = (kept(row) if row else draft_of(institution, month)).lines
    found = dict(zip(keys_of(lines), lines, strict=True)).get(line_key)
    if found is None:
        raise Http404
    return found
