"""The applicant's pages: begin, fill in part by part, hand in, follow, withdraw."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.members.enums import AgreementState
from federation.members.forms.candidacies import FORMS, InstitutionForm
from federation.members.forms.committee import SignatureForm
from federation.members.models import Candidacy, MembershipDecision
from federation.members.operations.candidacies import submit_candidacy, withdraw_candidacy
from federation.members.policies import (
    can_edit_part,
    can_sign,
    can_withdraw,
    check_edit_part,
)
from federation.members.queries import Part
from federation.members.steps import next_part, standing_of
from federation.members.views import tell_refused
from federation.people.guards import signed_in


@require_safe
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """The candidacies that one may see as a member of an institution; with one only, its page."""
    user = signed_in(request)
    candidacies = Candidacy.objects.for_user(user).kept().select_related("membership")
    if not user.sees_everything and len(candidacies) == 1:
        return redirect("candidacy", candidacies[0].pk)
    listed = [(candidacy, standing_of(candidacy)) for candidacy in candidacies]
    return render(request, "members/mine.html", {"listed": listed})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def begin(request: HttpRequest) -> HttpResponse:
    """The first part of a new candidacy, which makes it."""
    user = signed_in(request)
    draft = Candidacy.objects.kept().filter(applicant=user, membership=None).first()
    if draft is not None:
        return redirect("candidacy", draft.pk)
    form = InstitutionForm(request.POST or None, by=user)
    if request.method == "POST" and form.is_valid() and (made := form.save()):
        return redirect("candidacy_part", made.pk, Part.ROLE)
    return render(request, "members/part.html", {"form": form, "part": Part.INSTITUTION})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def fill_in(request: HttpRequest, pk: UUID, part: Part) -> HttpResponse:
    """One part; saved, it leads to the next that is not filled in, or back; the last may be handed in at once."""
    user, candidacy = signed_in(request), _seen(request, pk)
    try:
        check_edit_part(user, candidacy, part)
    except ValidationError as refusal:
        tell_refused(request, refusal)
        return redirect("candidacy", pk)
    form = FORMS[part](request.POST or None, by=user, candidacy=candidacy)
    if request.method == "POST" and form.is_valid() and (saved := form.save()):
        missing = next_part(saved)
        if saved.membership is None and missing:
            return redirect("candidacy_part", pk, missing)
        if "hand_in" in request.POST and saved.membership is None:
            return submit(request, pk=pk)
        messages.success(request, _("Saved."))
        return redirect("candidacy", pk)
    context = {"form": form, "part": part, "candidacy": candidacy}
    return render(request, "members/part.html", context)


@require_safe
@login_required
def candidacy(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Where it stands, what comes next, what was written, what to sign."""
    user, row = signed_in(request), _seen(request, pk)
    membership = row.membership
    agreement = membership.agreements.live().first() if membership else None
    to_sign = agreement is not None and agreement.state == AgreementState.DRAWN_UP
    decisions = MembershipDecision.objects.for_user(user).filter(membership=membership)
    context = {
        "candidacy": row,
        "standing": standing_of(row),
        "contacts": row.contacts.all(),
        "agreement": agreement,
        "decisions": decisions if membership else (),
        "may_edit": can_edit_part(user, row, Part.INSTITUTION),
        "may_name_contacts": can_edit_part(user, row, Part.CONTACTS),
        "may_submit": membership is None and next_part(row) is None and can_withdraw(user, row),
        "may_withdraw": can_withdraw(user, row),
        "form": SignatureForm(initial=_signatory(row))
        if agreement is not None and to_sign and can_sign(user, agreement)
        else None,
    }
    return render(request, "members/candidacy.html", context)


@require_POST
@login_required
def submit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hand it in."""
    try:
        submit_candidacy(by=signed_in(request), candidacy=_seen(request, pk))
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("Your candidacy is handed in, and its agreement is drawn up."))
    return redirect("candidacy", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then give it up."""
    row = _seen(request, pk)
    if request.method == "POST":
        try:
            withdraw_candidacy(by=signed_in(request), candidacy=row)
        except ValidationError as refusal:
            tell_refused(request, refusal)
            return redirect("candidacy", pk)
        messages.success(request, _("The candidacy is withdrawn."))
        return redirect("home")
    return render(request, "members/withdraw.html", {"candidacy": row})


def _seen(request: HttpRequest, pk: UUID) -> Candidacy:
    visible = Candidacy.objects.for_user(signed_in(request))
    return get_object_or_404(visible.select_related("membership__institution"), pk=pk)


def _signatory(candidacy: Candidacy) -> dict[str, str]:
    """Propose the contact for governance as who signs."""
    governance = candidacy.contacts.filter(role="governance").first()
    if governance is None:
        return {}
    return {"signatory": governance.name, "signatory_function": governance.function}
