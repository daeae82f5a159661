"""What the federation decides about servers: the queue, a private address, into service or not."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.catalogue.models import AIModel
from federation.fleet.enums import SERVER_STATE_LABELS
from federation.fleet.forms.upkeep import DeclineForm, GrantForm, OfferForm
from federation.fleet.models import InferenceServer, TechnicalForm
from federation.fleet.operations.egress import grant_egress
from federation.fleet.operations.offering import accept_and_offer
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.servers import change_server_state
from federation.fleet.operations.technical import accept_form, decline_form
from federation.fleet.policies import check_decide_form, check_grant_egress
from federation.fleet.queries import networks_to_decide, newest_runs, servers_to_decide
from federation.fleet.reports import refused_address
from federation.fleet.views.reports import report_context, visible_server
from federation.people.guards import confirm_first, is_confirmed, must_confirm, signed_in
from federation.people.models import User
from federation.people.policies import is_federation_admin
from routing.core.enums import LifecycleStage, ServerState


@require_safe
@login_required
def approvals(request: HttpRequest) -> HttpResponse:
    """The servers that wait for a decision, with what their reports say."""
    if not is_federation_admin(signed_in(request)):
        raise PermissionDenied
    rows = [
        {
            "server": server,
            "state_label": SERVER_STATE_LABELS[server.state],
            "form": getattr(server, "technical_form", None),
            "reports": [report_context(run, {}) for run in newest_runs(server)],
        }
        for server in servers_to_decide()
    ]
    context = {"rows": rows, "networks_asked": networks_to_decide().count()}
    return render(request, "fleet/approvals.html", context)


@require_POST
@login_required
def accept(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Put a server into service; with a reason, its models that wait go into production, too."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    offer = OfferForm(request.POST) if "reason" in request.POST else None
    try:
        if offer is not None and not offer.is_valid():
            raise ValidationError(_("Say where the committee has decided about the model."))
        _put_into_service(user, server, offer.cleaned_data["reason"] if offer else "")
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, _in_service(server))
    return redirect("server_report", server_id)


def _in_service(server: InferenceServer) -> str:
    models = AIModel.objects.filter(versions__deployments__in=server.deployments.live())
    if models.filter(stage=LifecycleStage.PROPOSED).exists():
        return _("It is in service. Requests come once the committee has said yes to its model.")
    return _("It is in service. Routers send requests within a second.")


def _put_into_service(user: User, server: InferenceServer, reason: str) -> None:
    form = TechnicalForm.objects.for_user(user).filter(server=server).first()
    if form is None:
        change_server_state(by=user, server=server, state=ServerState.LIVE)
    elif reason:
        accept_and_offer(by=user, form=form, reason=reason)
    else:
        accept_form(by=user, form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def decline(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Refuse a server that was handed in, with the reason."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    row = TechnicalForm.objects.for_user(user).filter(server=server).first()
    if row is None:
        raise PermissionDenied
    form = DeclineForm(request.POST or None)
    try:
        check_decide_form(user, row)
        if request.method == "POST" and form.is_valid():
            decline_form(by=user, form=row, reason=form.cleaned_data["reason"])
            messages.success(request, _("The form is declined; the institution is told."))
            return redirect("approvals")
    except ValidationError as refusal:
        form.add_error(None, refusal.messages) if form.is_bound else messages.error(
            request, " ".join(refusal.messages)
        )
    return render(request, "fleet/decline.html", {"server": server, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def grant(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Let the router reach exactly one private address and port, for this server alone."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_grant_egress(user)
    if request.method != "POST" and must_confirm(request):
        return confirm_first(request, request.get_full_path())
    refused = next((found for run in newest_runs(server) if (found := refused_address(run))), None)
    initial = {"address": refused[0], "port": refused[1]} if refused else {}
    form = GrantForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and is_confirmed(request, form):
        try:
            grant_egress(by=user, server=server, **form.cleaned_data)
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
        else:
            request_run(by=user, server=server)
            messages.success(request, _("The address is allowed. The checks begin again."))
            return redirect("server_report", server_id)
    return render(request, "fleet/grant.html", {"server": server, "form": form})
