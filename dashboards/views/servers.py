"""The servers of the federation, by institution, with what the router observes of them now."""

from itertools import groupby
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.critical import critical_models
from dashboards.observed import ServerRow, health_texts, is_stopped, observed
from dashboards.queries import addresses, server_cards, servings
from federation.fleet.models import InferenceServer
from federation.fleet.policies import can_manage_server
from federation.fleet.queries import (
    failing_servers,
    lending_institutions,
    networks_to_decide,
    servers_to_decide,
)
from federation.people.guards import signed_in
from federation.people.models import User
from federation.people.policies import is_federation_admin
from federation.people.scope import institution_ids_for
from routing.bridge.load import current_load


@require_safe
@login_required
def servers(request: HttpRequest) -> HttpResponse:
    user, load = signed_in(request), current_load()
    run, models = addresses(user), _models_by_server(user)
    rows = [
        ServerRow(
            card,
            observed(card, load),
            tuple(models.get(card.id, ())),
            run.get(card.id),
            is_stopped(card, load),
        )
        for card in server_cards(user)
    ]
    own = institution_ids_for(user)
    by_institution = groupby(rows, key=lambda row: (row.card.institution_id, row.card.institution))
    context = {
        "groups": [(name, pk in own, list(group)) for (pk, name), group in by_institution],
        "ruled": _ruled_by(user),
        "seen": set(InferenceServer.objects.for_user(user).present().values_list("pk", flat=True)),
        "failing": failing_servers(user),
        "may_lend": lending_institutions(user).exists(),
        "to_decide": servers_to_decide().count() + networks_to_decide().count()
        if is_federation_admin(user)
        else 0,
        "critical": critical_models(user, load),
        "router_is_away": load is None,
        "health_texts": health_texts(),
    }
    return render(request, "dashboards/servers.html", context)


def _models_by_server(user: User) -> dict[UUID, list[str]]:
    models: dict[UUID, list[str]] = {}
    for serving in servings(user):
        models.setdefault(serving.server.id, []).append(serving.model)
    return models


def _ruled_by(user: User) -> set[UUID]:
    """Return the servers whose rules for guests `user` sets."""
    seen = InferenceServer.objects.for_user(user).present().select_related("site")
    return {server.pk for server in seen if can_manage_server(user, server)}
