"""What operators have stopped at the router, whatever the register says: to read; it is lifted as it was set."""

from datetime import UTC, datetime
from typing import NamedTuple

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from federation.people.enums import Role
from federation.people.guards import signed_in
from routing.bridge.load import current_load
from routing.core.stops import Stop, Stopped

LABELS: dict[Stopped, str | Promise] = {
    Stopped.KEY: _("API key"),
    Stopped.INSTITUTION: _("institution"),
    Stopped.MODEL: _("model"),
    Stopped.SERVER: _("inference server"),
}


class Row(NamedTuple):
    stop: Stop
    label: str | Promise

    @property
    def since(self) -> datetime:
        return datetime.fromtimestamp(self.stop.since, UTC)


@require_safe
@login_required
@never_cache
def stops(request: HttpRequest) -> HttpResponse:
    if not signed_in(request).has_role(Role.FEDERATION_ADMIN):
        raise PermissionDenied
    load = current_load()
    context = {
        "rows": [Row(stop, LABELS[stop.what]) for stop in load.stops] if load else [],
        "router_is_away": load is None,
    }
    return render(request, "dashboards/stops.html", context)
