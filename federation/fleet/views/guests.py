"""The rules for guests of one's own servers. The operation decides."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.fleet.forms.guests import Rules
from federation.fleet.models import InferenceServer
from federation.fleet.policies import check_manage_server
from federation.people.guards import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def guest_rules(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Show the rules, and replace them as a whole."""
    user = signed_in(request)
    visible = InferenceServer.objects.for_user(user).present().select_related("site__institution")
    server = get_object_or_404(visible, pk=server_id)
    check_manage_server(user, server)
    rules = Rules(request.POST if request.method == "POST" else None, by=user, server=server)
    if request.method == "POST" and rules.is_valid() and rules.save():
        messages.success(request, _("The rules are set. Routers go by them within a second."))
        return redirect("guest_rules", server_id)
    return render(request, "fleet/guests.html", {"server": server, "rules": rules})
