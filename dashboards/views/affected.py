"""A part of a server's pages: whom its absence concerns."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from billing.usage.affected import DAYS, affected_by
from dashboards.warnings import breaches_without
from federation.fleet.models import InferenceServer
from federation.fleet.policies import check_manage_server
from federation.people.guards import signed_in


@require_safe
@login_required
def affected(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """The institutions that have used the server lately, and where their requests will go."""
    user = signed_in(request)
    visible = InferenceServer.objects.for_user(user).present().select_related("site__institution")
    server = get_object_or_404(visible, pk=server_id)
    check_manage_server(user, server)
    context = {
        "server": server,
        "rows": affected_by(user, server),
        "days": DAYS,
        "breaches": breaches_without(user, server),
    }
    is_part = request.headers.get("HX-Request") == "true"
    template = "dashboards/_affected.html" if is_part else "dashboards/affected.html"
    return render(request, template, context)
