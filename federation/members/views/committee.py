"""The committee's pages: all members and candidates, one of them, decisions about it. Auditors read them."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from federation.members.enums import (
    TRANSITIONS,
    AgreementState,
    BallotState,
    MembershipState,
    SubjectKind,
)
from federation.members.forms import tell_refusal
from federation.members.forms.committee import BallotForm, DecisionForm, UploadForm
from federation.members.models import Ballot, Candidacy, Membership
from federation.members.operations.ballots import open_ballot
from federation.members.operations.memberships import change_membership_state
from federation.members.policies import (
    can_decide,
    can_put_to_the_committee,
    check_decide_membership,
    is_accepted,
)
from federation.people.guards import signed_in
from federation.people.models import User

PAGE = 50


@require_safe
@login_required
def members(request: HttpRequest) -> HttpResponse:
    """Candidates first, then members; with `?ended` those that have left."""
    user, ended = _overseer(request), "ended" in request.GET
    rows = Membership.objects.for_user(user).select_related("institution", "candidacy")
    rows = rows.filter(state=MembershipState.LEFT) if ended else rows.live()
    rows = rows.prefetch_related("agreements").order_by("-state", "institution__short_name")
    listed = sorted(rows, key=lambda row: row.state != MembershipState.CANDIDATE)
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    return render(request, "members/members.html", {"page": page, "ended": ended})


@require_safe
@login_required
def member(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything about one member or candidate, and what can be decided now."""
    user, membership = _overseer(request), _seen(request, pk)
    candidacy = Candidacy.objects.for_user(user).filter(membership=membership).first()
    ballots = Ballot.objects.for_user(user).about(SubjectKind.MEMBERSHIP, pk)
    agreement = membership.agreements.live().first()
    is_open = ballots.filter(state=BallotState.OPEN).exists()
    context = {
        "membership": membership,
        "candidacy": candidacy,
        "contacts": candidacy.contacts.all() if candidacy else (),
        "agreements": membership.agreements.select_related(
            "drawn_up", "signed", "countersigned", "text"
        ),
        "ballots": ballots,
        "decisions": membership.decisions.select_related("decided_by"),
        "is_accepted": is_accepted(membership),
        "to_vote": BallotForm()
        if can_decide(user) and not is_open and can_put_to_the_committee(membership)
        else None,
        "to_countersign": agreement
        if agreement and agreement.state == AgreementState.SIGNED and can_decide(user)
        else None,
        "upload": UploadForm(),
        "states": _states(membership) if can_decide(user) else [],
    }
    return render(request, "members/member.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def put_to_the_vote(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Open a ballot about a candidate."""
    user, membership = _overseer(request), _seen(request, pk)
    check_decide_membership(user)
    form = BallotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ballot = open_ballot(
                by=user,
                kind=SubjectKind.MEMBERSHIP,
                subject_id=membership.pk,
                closes_at=form.cleaned_data["closes_on"],
            )
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            return redirect("ballot", ballot.pk)
    return render(request, "members/put_to_the_vote.html", {"form": form, "membership": membership})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Suspend, lift the suspension, or end, with the reason."""
    user, membership = _overseer(request), _seen(request, pk)
    check_decide_membership(user)
    form = DecisionForm(
        request.POST or None,
        states=_states(membership),
        is_candidate=membership.state == MembershipState.CANDIDATE,
    )
    if request.method == "POST" and form.is_valid():
        try:
            change_membership_state(
                by=user,
                membership=membership,
                state=MembershipState(form.cleaned_data["state"]),
                reason=form.cleaned_data["reason"],
            )
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("The decision is in force."))
            return redirect("member", pk)
    return render(request, "members/decide.html", {"form": form, "membership": membership})


def _states(membership: Membership) -> list[MembershipState]:
    """Return the states that one person may choose; who came by a candidacy is admitted by a ballot."""
    state = MembershipState(membership.state)
    if state == MembershipState.CANDIDATE:
        return [MembershipState.LEFT]
    return [target for target in MembershipState if target in TRANSITIONS[state]]


def _overseer(request: HttpRequest) -> User:
    user = signed_in(request)
    if not user.sees_everything:
        raise PermissionDenied
    return user


def _seen(request: HttpRequest, pk: UUID) -> Membership:
    visible = Membership.objects.for_user(signed_in(request)).select_related("institution")
    return get_object_or_404(visible, pk=pk)
