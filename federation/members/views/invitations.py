"""Invitations: accept one by its link; send again or withdraw those that one sent."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from federation.members.forms import tell_refusal
from federation.members.forms.people import NewAccountForm
from federation.members.models import Invitation
from federation.members.operations.invitations import (
    accept_invitation,
    check_is_for,
    check_is_usable,
    resend_invitation,
    withdraw_invitation,
)
from federation.members.views import tell_refused
from federation.members.views.people import back_to
from federation.people.guards import sign_in, signed_in
from federation.people.models import User
from federation.people.operations import open_account
from federation.people.throttle import may_go_on, too_many


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Accept: signed in, with one click; without an account, by opening one; with one, after signing in."""
    if not may_go_on(request, "invitation"):
        return too_many(request)
    invitation = (
        Invitation.objects.with_token(token)
        .select_related("institution", "team", "invited_by")
        .first()
    )
    try:
        check_is_usable(invitation)
    except ValidationError as refusal:
        context = {"reason": " ".join(refusal.messages)}
        return render(request, "members/invitation_gone.html", context, status=404)
    assert invitation is not None  # it was checked
    if isinstance(request.user, User):
        return _accept_as(request, invitation, token)
    if User.objects.filter(email__iexact=invitation.email).exists():
        return render(request, "members/invitation_sign_in.html", {"invitation": invitation})
    return _open_account(request, invitation, token)


def _accept_as(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    user, refused, is_for_reader = signed_in(request), "", False
    try:
        check_is_for(invitation, user)
        is_for_reader = True
        if request.method == "POST":
            accept_invitation(by=user, token=token)
            messages.success(request, _("You have the role now."))
            return redirect("home")
    except ValidationError as refusal:
        refused = " ".join(refusal.messages)
    context = {"invitation": invitation, "refused": refused, "is_for_reader": is_for_reader}
    return render(request, "members/invitation.html", context)


def _open_account(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    """The link came by e-mail to this address, so the address is proved."""
    form = NewAccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                user = open_account(
                    email=invitation.email,
                    name=form.cleaned_data["name"],
                    password=form.cleaned_data["password"],
                    language=(get_language() or "fr")[:2],
                )
                accept_invitation(by=user, token=token)
        except ValidationError as refusal:
            _tell(form, refusal)
        else:
            return sign_in(request, user)
    context = {"invitation": invitation, "form": form}
    return render(request, "members/invitation_new_account.html", context)


def _tell(form: NewAccountForm, refusal: ValidationError) -> None:
    """A weak password is refused without the name of its field."""
    codes = {error.code for error in getattr(refusal, "error_list", ())}
    if codes and all(str(code).startswith("password") for code in codes):
        form.add_error("password", refusal)
    else:
        tell_refusal(form, refusal)


@require_POST
@login_required
def resend(request: HttpRequest, pk: UUID) -> HttpResponse:
    invitation = _seen(request, pk)
    try:
        resend_invitation(by=signed_in(request), invitation=invitation)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        text = _("A new link is on its way to %(email)s; the former one is worthless.")
        messages.success(request, text % {"email": invitation.email})
    return back_to(invitation.institution)


@require_POST
@login_required
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    invitation = _seen(request, pk)
    try:
        withdraw_invitation(by=signed_in(request), invitation=invitation)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("The invitation is withdrawn."))
    return back_to(invitation.institution)


def _seen(request: HttpRequest, pk: UUID) -> Invitation:
    visible = Invitation.objects.for_user(signed_in(request)).select_related("institution", "team")
    return get_object_or_404(visible, pk=pk)
