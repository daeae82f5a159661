"""The machine of a server, and what is known of its energy: what it is reckoned from, and the meter that is read."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.fleet.forms.machine import MachineForm
from federation.fleet.forms.probe import ProbeForm
from federation.fleet.models import InferenceServer
from federation.fleet.operations.probes import end_probe, probe_of
from federation.fleet.policies import check_manage_server
from federation.fleet.views.reports import visible_server
from federation.people.guards import signed_in
from federation.people.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def machine(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Show what the energy of its answers is reckoned from, and change it; name its meter, or end it."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    step = request.POST.get("step", "machine")
    sent = request.POST if request.method == "POST" else None
    form = MachineForm(sent if step == "machine" else None, server=server)
    meter = ProbeForm(sent if step == "probe" else None, server=server)
    if sent is not None:
        said = _written(request, user, server, form, meter)
        if said:
            messages.success(request, said)
            return redirect("server_machine", server_id)
    context = {"server": server, "form": form, "meter": meter, "probe": probe_of(server)}
    return render(request, "fleet/machine.html", context)


def _written(
    request: HttpRequest, user: User, server: InferenceServer, form: MachineForm, meter: ProbeForm
) -> str:
    """Return what was done, in a sentence; empty where a form says why nothing was."""
    match request.POST.get("step", "machine"):
        case "machine" if form.is_valid() and form.save(user):
            return _("Saved. Answers are reckoned so from now on; what was stored stays as it is.")
        case "probe" if meter.is_valid() and meter.save(user):
            return _("Saved. The router reads the meter within seconds; see below what it shows.")
        case "end":
            try:
                end_probe(by=user, server=server)
            except ValidationError as refusal:
                messages.error(request, " ".join(refusal.messages))
                return ""
            return _("The meter is read no more. What it has told stays.")
    return ""
