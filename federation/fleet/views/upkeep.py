"""What an owner does with a server that is there: another key, away for a while, back, gone for good."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from federation.fleet.forms.upkeep import KeyForm, MaintenanceForm
from federation.fleet.models import Maintenance
from federation.fleet.operations.keys import change_access_key
from federation.fleet.operations.maintenance import cancel_maintenance, plan_maintenance
from federation.fleet.operations.servers import change_server_state
from federation.fleet.policies import check_change_server_state, check_manage_server
from federation.fleet.views.reports import visible_server
from federation.people.guards import freshly_confirmed, signed_in
from routing.core.enums import ServerState
from routing.upstream.credentials import Secret

STEPS = {
    "drain": ServerState.DRAINING,
    "resume": ServerState.LIVE,
    "retire": ServerState.RETIRED,
}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def rotate_key(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Have another access key tried, which then takes the place of the present one."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        run = change_access_key(by=user, server=server, key=Secret(form.cleaned_data["key"]))
        messages.success(
            request,
            _("The new key is tried first: until the server has taken it, the present one stays.")
            if run.tries_key
            else _("The new key is in force within a second. The checks begin."),
        )
        return redirect("server_report", server_id)
    return render(request, "fleet/rotate_key.html", {"server": server, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def calendar(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """When the server will be away, and another time away."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    form = MaintenanceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        starts_at, ends_at = form.times()
        try:
            plan_maintenance(
                by=user,
                server=server,
                starts_at=starts_at,
                ends_at=ends_at,
                reason=form.cleaned_data["reason"],
            )
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
        else:
            messages.success(request, _("It is planned, and stands on the page of the server."))
            return redirect("server_calendar", server_id)
    context = {"server": server, "form": form, "maintenances": server.maintenances.all()[:50]}
    return render(request, "fleet/calendar.html", context)


@require_POST
@login_required
def cancel(request: HttpRequest, maintenance_id: UUID) -> HttpResponse:
    """Call off what has not begun."""
    user = signed_in(request)
    visible = Maintenance.objects.for_user(user).select_related("server__site__institution")
    maintenance = get_object_or_404(visible, pk=maintenance_id)
    check_manage_server(user, maintenance.server)
    try:
        cancel_maintenance(by=user, maintenance=maintenance)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("server_calendar", maintenance.server_id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def move(request: HttpRequest, server_id: UUID, step: str) -> HttpResponse:
    """Ask whether it is meant, then drain, resume or retire."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    target = STEPS[step]
    if server.state in (ServerState.SUBMITTED, ServerState.STAGING) and step != "retire":
        return redirect("server_report", server_id)  # into service is another page's
    if request.method == "POST":
        try:
            change_server_state(by=user, server=server, state=target)
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
        else:
            messages.success(request, _("Done. Routers go by it within a second."))
        return redirect("server_report", server_id)
    try:
        check_change_server_state(user, server, target)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("server_report", server_id)
    return render(request, "fleet/move.html", {"server": server, "step": step})
