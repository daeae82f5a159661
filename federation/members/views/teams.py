"""Teams: make one, see who is in it, bring people in and take them out, close it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from federation.members.directory import members_of, place_for
from federation.members.forms import tell_refusal
from federation.members.forms.people import NameForm, PlaceForm
from federation.members.models import Team, TeamPlace
from federation.members.operations.teams import (
    add_to_team,
    close_team,
    create_team,
    remove_from_team,
)
from federation.members.policies import can_manage_team, check_manage_team
from federation.members.views import tell_refused
from federation.members.views.people import back_to
from federation.people.guards import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    place = place_for(user, request.POST.get("at", request.GET.get("at")))
    if place is None or place.institution is None:
        raise Http404
    if not place.may_create_teams:
        raise PermissionDenied
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_team(
                by=user, institution=place.institution, name=form.cleaned_data["name"]
            )
        except ValidationError:
            form.add_error("name", _("The institution has a team of this name already."))
        else:
            return redirect("team", made.pk)
    return render(request, "people/new_team.html", {"form": form, "place": place})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def team(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who is in it; for its leads and the IT department, a form to bring somebody in."""
    user, row = signed_in(request), _seen(request, pk)
    form = PlaceForm(request.POST or None)
    if request.method == "POST":
        check_manage_team(user, row)
        if form.is_valid():
            given = form.cleaned_data
            try:
                add_to_team(by=user, team=row, email=given["email"], is_lead=given["is_lead"])
            except ValidationError as refusal:
                tell_refusal(form, refusal)
            else:
                messages.success(request, _("The team has changed."))
                return redirect("team", pk)
    context = {
        "team": row,
        "places": members_of(row),
        "form": form,
        "may_manage": can_manage_team(user, row),
    }
    return render(request, "people/team.html", context)


@require_POST
@login_required
def remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    visible = TeamPlace.objects.for_user(user).select_related("team__institution", "user")
    place = get_object_or_404(visible, pk=pk)
    try:
        remove_from_team(by=user, place=place)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("The team has changed."))
    return redirect("team", place.team_id)


@require_POST
@login_required
def close(request: HttpRequest, pk: UUID) -> HttpResponse:
    row = _seen(request, pk)
    try:
        close_team(by=signed_in(request), team=row)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("The team is closed."))
    return back_to(row.institution)


def _seen(request: HttpRequest, pk: UUID) -> Team:
    visible = Team.objects.for_user(signed_in(request)).select_related("institution")
    return get_object_or_404(visible, pk=pk)
