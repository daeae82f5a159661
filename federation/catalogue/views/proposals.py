"""Proposals: one's own, or all for the federation; one of them with its state and next step; and a new one."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.catalogue.forms.proposals import ProposalForm
from federation.catalogue.models import AIModel, Proposal
from federation.catalogue.operations.proposals import withdraw_proposal
from federation.catalogue.policies import (
    can_put_to_the_committee,
    can_withdraw_proposal,
    can_write,
)
from federation.catalogue.steps import next_step
from federation.members.enums import BallotState, SubjectKind
from federation.members.models import Ballot, Institution
from federation.members.views import tell_refused
from federation.people.guards import signed_in
from federation.people.models import User
from federation.people.policies import is_federation_admin

PAGE = 50


@require_safe
@login_required
def proposals(request: HttpRequest) -> HttpResponse:
    """For the federation the models that wait, whoever named them, too."""
    user = signed_in(request)
    rows = Proposal.objects.for_user(user).select_related("model", "proposed_by", "institution")
    waiting = AIModel.objects.none()
    if user.sees_everything:
        waiting = AIModel.objects.for_user(user).unnamed()
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "unnamed": waiting,
        "under_vote": set(
            Ballot.objects.filter(kind=SubjectKind.MODEL, state=BallotState.OPEN).values_list(
                "subject_id", flat=True
            )
        ),
        "may_propose": may_propose(user),
    }
    return render(request, "catalogue/proposals.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def propose(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    if not may_propose(user):
        raise PermissionDenied
    form = ProposalForm(request.POST or None, by=user, institutions=proposing_institutions(user))
    if request.method == "POST" and form.is_valid() and (made := form.propose()):
        messages.success(request, _("Your proposal is with the committee."))
        return redirect("proposal", made.pk)
    return render(request, "catalogue/propose.html", {"form": form})


@require_safe
@login_required
def proposal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What was said, how far it is, and what comes now."""
    user, row = signed_in(request), _seen(request, pk)
    ballots = Ballot.objects.for_user(user).about(SubjectKind.MODEL, row.model_id)
    is_standing = row.withdrawn_at is None
    may_decide = is_standing and can_write(user) and can_put_to_the_committee(row.model)
    context = {
        "proposal": row,
        "open_ballot": ballots.filter(state=BallotState.OPEN).first(),
        "may_decide": may_decide,
        "step": next_step(row, may_decide=may_decide),
        "history": row.model.stage_changes.select_related("decided_by", "ballot"),
        "may_withdraw": can_withdraw_proposal(user, row),
    }
    return render(request, "catalogue/proposal.html", context)


@require_POST
@login_required
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    row = _seen(request, pk)
    try:
        withdraw_proposal(by=signed_in(request), proposal=row)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("The proposal is withdrawn. It can be made again."))
    return redirect("proposal", pk)


def proposing_institutions(user: User) -> list[Institution]:
    """Return the members in whose name one may propose."""
    members = Institution.objects.for_user(user).approved().order_by("short_name")
    return list(members.filter(pk__in=user.institution_ids()))


def may_propose(user: User) -> bool:
    return is_federation_admin(user) or bool(proposing_institutions(user))


def _seen(request: HttpRequest, pk: UUID) -> Proposal:
    rows = Proposal.objects.for_user(signed_in(request))
    related = rows.select_related("model", "proposed_by", "institution")
    return get_object_or_404(related, pk=pk)
