"""The machine of a server, and what is known of its energy."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.fleet.forms.machine import MachineForm
from federation.fleet.policies import check_manage_server
from federation.fleet.views.reports import visible_server
from federation.people.guards import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def machine(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Show what the energy of its answers is reckoned from, and change it."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    form = MachineForm(request.POST or None, server=server)
    if request.method == "POST" and form.is_valid() and form.save(user):
        messages.success(
            request,
            _("Saved. Answers are reckoned so from now on; what was stored stays as it is."),
        )
        return redirect("server_machine", server_id)
    return render(request, "fleet/machine.html", {"server": server, "form": form})
