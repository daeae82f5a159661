"""An application's people: who owns it, who manages it, which team does, and how that changes hands."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from federation.access.models import Application
from federation.access.operations import remove_manager
from federation.access.policies import check_manage_application
from federation.access.queries import can_hand_over, can_manage_application
from federation.access.upkeep_forms import PersonForm, TeamForm
from federation.members.models import Team
from federation.people.guards import signed_in
from federation.people.models import User

ADD, GIVE, REMOVE, TEAM = "add", "give", "remove", "team"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def people(request: HttpRequest, application_id: UUID) -> HttpResponse:
    """Show who is behind an application; whoever manages it names others, its owner gives it away."""
    user = signed_in(request)
    visible = Application.objects.for_user(user).select_related("institution", "owner", "team")
    application = get_object_or_404(visible, pk=application_id)
    act = request.POST.get("act") if request.method == "POST" else None
    add = PersonForm(
        request.POST if act == ADD else None, by=user, application=application, prefix=ADD
    )
    give = PersonForm(
        request.POST if act == GIVE else None, by=user, application=application, prefix=GIVE
    )
    team = TeamForm(
        request.POST if act == TEAM else None, by=user, application=application, prefix=TEAM
    )
    if request.method == "POST":
        check_manage_application(user, application)
        if done := _carry_out(request, user, application, add, give, team):
            messages.success(request, done)
            return _next_page(user, application)
    context = {
        "application": application,
        "managers": application.managers.order_by("name"),
        "may_manage": can_manage_application(user, application),
        "may_hand_over": can_hand_over(user, application),
        "add": add,
        "give": give,
        "team": team,
    }
    return render(request, "access/application.html", context)


def _carry_out(
    request: HttpRequest,
    user: User,
    application: Application,
    add: PersonForm,
    give: PersonForm,
    team: TeamForm,
) -> str:
    """Do what was asked; return what is said of it, nothing when a form has its reason against it."""
    names: dict[str, object] = {"application": application.name}
    if add.is_bound and add.is_valid() and (person := add.add()):
        return _("%(person)s now manages “%(application)s”, too.") % {**names, "person": person}
    if give.is_bound and give.is_valid() and (person := give.give()):
        return _("“%(application)s” now belongs to %(person)s.") % {**names, "person": person}
    if team.is_bound and team.is_valid() and team.give():
        if chosen := team.cleaned_data["team"]:
            names["team"] = chosen
            return _("The team %(team)s now manages “%(application)s”, too.") % names
        return _("No team manages “%(application)s” any more.") % names
    if request.POST.get("act") == REMOVE:
        return _remove(request, user, application)
    return ""


def _remove(request: HttpRequest, user: User, application: Application) -> str:
    asked = request.POST.get("person", "")
    manager = next((one for one in application.managers.all() if str(one.pk) == asked), None)
    if manager is None:
        return _("This person does not manage the application.")
    try:
        remove_manager(by=user, application=application, manager=manager)
    except ValidationError as refusal:
        return " ".join(refusal.messages)
    names = {"person": manager, "application": application.name}
    return _("%(person)s no longer manages “%(application)s”.") % names


def _next_page(user: User, application: Application) -> HttpResponse:
    """Who has given it away, or left it, may no longer see it."""
    fresh = User.objects.get(pk=user.pk)
    try:
        check_manage_application(fresh, Application.objects.get(pk=application.pk))
    except PermissionDenied:
        return redirect("keys")
    return redirect("application", application.pk)


@require_safe
@login_required
def of_team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """What a team manages: a part of the team's own page."""
    user = signed_in(request)
    team = get_object_or_404(Team.objects.for_user(user), pk=team_id)
    applications = Application.objects.for_user(user).filter(team=team)
    return render(request, "access/_team.html", {"applications": applications})
