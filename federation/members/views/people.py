"""The people of an institution or of the federation: roles, invitations, accounts of programs."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.members.directory import Place, place_for, places_of
from federation.members.forms import tell_refusal
from federation.members.forms.people import InviteForm, RoleForm, ServiceAccountForm
from federation.members.models import Institution
from federation.members.operations.invitations import invite
from federation.members.operations.teams import create_service_account
from federation.members.policies import manages_people
from federation.members.views import tell_refused
from federation.people.factors import protected_among
from federation.people.guards import confirm_first, freshly_confirmed, must_confirm, signed_in
from federation.people.models import RoleGrant, User
from federation.people.operations import (
    close_account,
    grant_role,
    reset_second_factor,
    revoke_role,
)
from federation.people.policies import (
    can_close_account,
    can_reset_second_factor,
    can_revoke_role,
    is_federation_admin,
)


@require_safe
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """Everybody at one place; `?at=` names another that one manages."""
    user, place = _placed(request)
    here, to_give = place.people(), place.roles_to_give()
    people = [
        (
            person,
            [(grant, can_revoke_role(user, grant)) for grant in grants],
            can_close_account(user, person),
            [role for role in to_give if role not in {grant.role for grant in grants}],
        )
        for person, grants in here
    ]
    context = {
        "place": place,
        "places": places_of(user),
        "people": people,
        "protected": protected_among([person for person, grants in here]),
        "may_reset": is_federation_admin(user),
        "invitations": place.invitations(),
        "teams": place.teams(),
    }
    return render(request, "people/people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def invite_somebody(request: HttpRequest) -> HttpResponse:
    """Offer a role by e-mail."""
    user, place = _placed(request)
    if not place.roles_to_offer():
        raise PermissionDenied
    if place.institution is None and must_confirm(request):
        return confirm_first(request, request.get_full_path())
    form = InviteForm(
        request.POST or None,
        roles=place.roles_to_offer(),
        institution=place.institution,
        teams=place.teams_to_fill(),
        needs_team=place.needs_team,
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            invite(
                by=user,
                email=given["email"],
                role=given["role"],
                institution=place.institution,
                team=given["team"],
            )
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            text = _("An invitation is on its way to %(email)s.") % {"email": given["email"]}
            messages.success(request, text)
            return back_to(place.institution)
    return render(request, "people/invite.html", {"form": form, "place": place})


@require_POST
@login_required
def give_role(request: HttpRequest) -> HttpResponse:
    """Give somebody who is here another role."""
    user, place = _placed(request)
    if must_confirm(request):
        return confirm_first(request, _address_of(place.institution))
    person = get_object_or_404(
        User.objects.for_user(user), pk=_uuid(request.POST.get("account", ""))
    )
    form = RoleForm(request.POST, roles=place.roles_to_give())
    if not form.is_valid():
        raise PermissionDenied
    try:
        grant_role(
            by=user,
            user=person,
            role=form.cleaned_data["role"],
            institution_id=place.institution.pk if place.institution else None,
        )
    except ValidationError:
        messages.error(request, _("%(name)s has this role already.") % {"name": person.name})
    else:
        messages.success(request, _("The role is given."))
    return back_to(place.institution)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then take a role back."""
    user = signed_in(request)
    grant = get_object_or_404(RoleGrant.objects.for_user(user).select_related("user"), pk=pk)
    institution = Institution.objects.filter(pk__in=[grant.institution_id]).first()
    if request.method == "POST":
        try:
            revoke_role(by=user, grant=grant)
        except ValidationError as refusal:
            tell_refused(request, refusal)
        else:
            messages.success(request, _("The role is taken back."))
        return back_to(institution) if manages_people(_anew(user)) else redirect("home")
    if not can_revoke_role(user, grant):
        raise PermissionDenied
    context = {"grant": grant, "institution": institution}
    return render(request, "people/revoke_role.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def close(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then close an account."""
    user, at = signed_in(request), _returning(request)
    account = get_object_or_404(User.objects.for_user(user), pk=pk)
    if request.method == "POST":
        try:
            close_account(by=user, user=account)
        except ValidationError as refusal:
            tell_refused(request, refusal)
        else:
            messages.success(request, _("The account is closed."))
        return redirect(at)
    if not can_close_account(user, account):
        raise PermissionDenied
    return render(request, "people/close_account.html", {"account": account, "back": at})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def reset_factor(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then take a lost second factor off somebody's account."""
    user, at = signed_in(request), _returning(request)
    account = get_object_or_404(User.objects.for_user(user), pk=pk)
    if request.method == "POST":
        try:
            reset_second_factor(by=user, user=account)
        except ValidationError as refusal:
            tell_refused(request, refusal)
        else:
            text = _("The second factor of %(name)s is taken off; an e-mail tells them.")
            messages.success(request, text % {"name": account.name})
        return redirect(at)
    if not can_reset_second_factor(user, account):
        raise PermissionDenied
    return render(request, "people/reset_second_factor.html", {"account": account, "back": at})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_service_account(request: HttpRequest) -> HttpResponse:
    """Open an account for a program."""
    user, place = _placed(request)
    if place.institution is None or not place.may_open_service_accounts:
        raise PermissionDenied
    form = ServiceAccountForm(
        request.POST or None, teams=place.teams_to_fill(), needs_team=place.needs_team
    )
    if request.method == "POST" and form.is_valid():
        try:
            create_service_account(
                by=user,
                institution=place.institution,
                name=form.cleaned_data["name"],
                team=form.cleaned_data["team"],
            )
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("The service account is open."))
            return back_to(place.institution)
    return render(request, "people/new_service_account.html", {"form": form, "place": place})


def back_to(institution: Institution | None) -> HttpResponse:
    """Return to the people of a place."""
    return redirect(_address_of(institution))


def _address_of(institution: Institution | None) -> str:
    return f"{reverse('people')}?at={institution.slug if institution else ''}"


def _returning(request: HttpRequest) -> str:
    """Return the page that a question about an account was asked from: `?at=` says of which place."""
    at = request.GET.get("at")
    return reverse("people", query=None if at is None else {"at": at})


def _placed(request: HttpRequest) -> tuple[User, Place]:
    """Return the reader and the place that the page is about. 404 for a place that is not theirs to see."""
    user = signed_in(request)
    if not manages_people(user):
        raise PermissionDenied
    place = place_for(user, request.POST.get("at", request.GET.get("at")))
    if place is None:
        raise Http404
    return user, place


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _anew(user: User) -> User:
    """Return the account with the roles that it holds now."""
    fresh: User = User.objects.get(pk=user.pk)
    return fresh
