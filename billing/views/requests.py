"""Requests for more of a budget: asked for, listed, answered."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.budgeting.amounts import in_words
from billing.budgeting.requests import requests_seen, requests_to_decide
from billing.budgeting.standing import names_of, stand
from billing.enums import RequestState
from billing.forms.budgets import AnswerForm, ApprovalForm, AskForm
from billing.mails import until_in_words
from billing.models import Budget, BudgetRequest
from billing.operations.requests import decline_request, withdraw_request
from billing.policies import can_decide_request, check_ask_for_more, check_decide_request
from federation.people.guards import signed_in
from routing.core.enums import BudgetUnit

APPROVE, DECLINE, WITHDRAW = "approve", "decline", "withdraw"
STEPS = (APPROVE, DECLINE, WITHDRAW)
PAGE = 50


class Row:
    """A request in words; `whose` is the name of whom its budget bounds."""

    def __init__(self, asked: BudgetRequest, whose: str) -> None:
        self.asked, self.whose = asked, whose

    def _words(self, amount: int) -> str:
        return in_words(amount, BudgetUnit(self.asked.budget.unit))

    @property
    def wanted(self) -> str:
        return self._words(self.asked.wanted)

    @property
    def granted(self) -> str:
        return "" if self.asked.granted is None else self._words(self.asked.granted)

    @property
    def before(self) -> str:
        before = self.asked.before
        return self._words(self.asked.budget.most if before is None else before)

    @property
    def until(self) -> str:
        return until_in_words(self.asked.until)


@require_safe
@login_required
def requests(request: HttpRequest) -> HttpResponse:
    """Those that the reader may answer, the oldest first; then all that they see, the newest first."""
    user = signed_in(request)
    to_decide = requests_to_decide(user)
    others = requests_seen(user).exclude(pk__in=[asked.pk for asked in to_decide])
    page = Paginator(others, PAGE).get_page(request.GET.get("page"))
    context = {"to_decide": _rows(to_decide), "others": _rows(list(page)), "page": page}
    return render(request, "billing/requests.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ask(request: HttpRequest, budget_id: UUID) -> HttpResponse:
    """Ask who holds a budget for more of it."""
    user = signed_in(request)
    budget = get_object_or_404(Budget.objects.for_user(user).in_force(), pk=budget_id)
    if asked := requests_seen(user).open().filter(budget=budget).first():
        messages.info(request, _("Somebody has asked for more of this budget already."))
        return redirect("budget_request", asked.pk)
    try:
        check_ask_for_more(user, budget)
    except ValidationError as refusal:
        messages.info(request, " ".join(refusal.messages))
        return redirect("budget", budget.pk)
    form = AskForm(request.POST or None, budget=budget)
    if request.method == "POST" and form.is_valid() and (made := form.save(user)):
        messages.success(request, _("It is asked for: you get the answer by e-mail."))
        return redirect("budget_request", made.pk)
    return render(request, "billing/ask.html", {"shown": stand([budget])[0], "form": form})


@require_safe
@login_required
def request_page(request: HttpRequest, request_id: UUID) -> HttpResponse:
    asked = _visible(request, request_id)
    return _page(request, asked, ApprovalForm(None, asked=asked), AnswerForm())


@require_POST
@login_required
def decide(request: HttpRequest, request_id: UUID, step: str) -> HttpResponse:
    """Approve, decline, or take back."""
    user, asked = signed_in(request), _visible(request, request_id)
    approval = ApprovalForm(request.POST if step == APPROVE else None, asked=asked)
    answer = AnswerForm(request.POST if step == DECLINE else None)
    if step == APPROVE:
        check_decide_request(user, asked)
        if not approval.is_valid() or not approval.save(user):
            return _page(request, asked, approval, answer)
        messages.success(request, _("The budget is raised; the router goes by it within a second."))
        return redirect("budget_request", asked.pk)
    if step == DECLINE and not answer.is_valid():
        check_decide_request(user, asked)
        return _page(request, asked, approval, answer)
    try:
        if step == DECLINE:
            decline_request(by=user, asked=asked, answer=answer.cleaned_data["answer"])
            messages.success(request, _("It is declined; who has asked is told."))
        else:
            withdraw_request(by=user, asked=asked)
            messages.success(request, _("It is withdrawn: nobody has to answer any more."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("budget_request", asked.pk)


def _page(
    request: HttpRequest, asked: BudgetRequest, approval: ApprovalForm, answer: AnswerForm
) -> HttpResponse:
    user = signed_in(request)
    context = {
        "row": _rows([asked])[0],
        "shown": stand([asked.budget])[0],
        "approval": approval,
        "answer": answer,
        "may_decide": can_decide_request(user, asked),
        "may_withdraw": asked.state == RequestState.OPEN and asked.asked_by == user,
    }
    return render(request, "billing/request.html", context)


def _rows(asked: list[BudgetRequest]) -> list[Row]:
    names = names_of([each.budget for each in asked])
    return [Row(each, names.get(each.budget.scope_id, "")) for each in asked]


def _visible(request: HttpRequest, request_id: UUID) -> BudgetRequest:
    return get_object_or_404(requests_seen(signed_in(request)), pk=request_id)
