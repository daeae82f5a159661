"""Ballots: their history, one of them with its votes, voting, closing, taking back."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.members.enums import Choice, SubjectKind
from federation.members.forms import tell_refusal
from federation.members.forms.committee import VoteForm
from federation.members.models import Ballot, Vote
from federation.members.operations.ballots import cancel_ballot, cast_vote, close_ballot
from federation.members.policies import can_close_ballot, can_decide, can_vote
from federation.members.queries import count_votes, is_last_to_vote
from federation.members.subjects import subject_of
from federation.members.views import tell_refused
from federation.people.guards import signed_in
from federation.people.models import User

PAGE = 50


@require_safe
@login_required
def history(request: HttpRequest) -> HttpResponse:
    """Every ballot, the latest first."""
    rows = Ballot.objects.for_user(_overseer(request)).prefetch_related("votes")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "members/ballots.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ballot(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The question, the votes so far, one's own vote."""
    user, row = _overseer(request), _seen(request, pk)
    own = Vote.objects.filter(ballot=row, voter=user).first()
    initial = {"choice": own.choice, "comment": own.comment} if own else None
    form = VoteForm(request.POST or None, initial=initial, kind=SubjectKind(row.kind))
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            cast_vote(by=user, ballot=row, choice=Choice(given["choice"]), comment=given["comment"])
            if "close" in request.POST:
                return _close_and_go_on(request, user, row)
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("Your vote is cast. You may change it until the close."))
            return redirect("ballot", pk)
    subject = subject_of(row.kind)
    context = {
        "ballot": row,
        "form": form,
        "own": own,
        "votes": row.votes.select_related("voter"),
        "count": count_votes(row),
        "may_vote": can_vote(user, row),
        "may_close": can_close_ballot(user, row),
        "is_last": is_last_to_vote(user, row),
        "may_cancel": can_decide(user),
        "subject_name": subject.name(row.subject_id),
        "facts": subject.facts(row.subject_id),
        "subject_address": subject.address(row.subject_id),
    }
    return render(request, "members/ballot.html", context)


def _close_and_go_on(request: HttpRequest, user: User, row: Ballot) -> HttpResponse:
    """Count after the last vote, and lead to what was decided about: its page says what comes next."""
    closed = close_ballot(by=user, ballot=row)
    text = _("The ballot is closed: %(outcome)s.")
    messages.success(request, text % {"outcome": closed.get_outcome_display()})
    return redirect(subject_of(row.kind).address(row.subject_id))


@require_POST
@login_required
def close(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Count, and carry out what was decided."""
    return _act(request, pk, close_ballot, _("The ballot is closed, and its decision carried out."))


@require_POST
@login_required
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the question back."""
    return _act(request, pk, cancel_ballot, _("The ballot is cancelled: nothing was decided."))


def _act(
    request: HttpRequest, pk: UUID, operation: Callable[..., Ballot], done: str
) -> HttpResponse:
    user, row = _overseer(request), _seen(request, pk)
    try:
        operation(by=user, ballot=row)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, done)
    return redirect("ballot", pk)


def _overseer(request: HttpRequest) -> User:
    user = signed_in(request)
    if not user.sees_everything:
        raise PermissionDenied
    return user


def _seen(request: HttpRequest, pk: UUID) -> Ballot:
    return get_object_or_404(Ballot.objects.for_user(signed_in(request)), pk=pk)
