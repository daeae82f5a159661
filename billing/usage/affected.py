"""Whom the absence of a server concerns: the institutions whose requests it has answered lately."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Sum

from billing.models import UsageDay
from billing.periods import last_days
from billing.usage.queries import named
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment, InferenceServer
from federation.members.models import Institution
from federation.people.models import User
from routing.core.enums import ServerState

DAYS = 30


class Affected(NamedTuple):
    """An institution's requests for one model to a server. `others`: servers in service that have the model too."""

    institution: str
    model: str
    requests: int
    others: int


def affected_by(user: User, server: InferenceServer) -> list[Affected]:
    """Return who has used the server in 30 days, the most requests first, as far as `user` may know."""
    sums = UsageDay.objects.for_user(user).between(last_days(DAYS)).filter(server_id=server.pk)
    by = sums.values_list("asking_institution_id", "model_id")
    rows = list(by.annotate(n_requests=Sum("requests")).order_by("-n_requests"))
    institutions = named(Institution, "short_name", {asking for asking, _model, _n in rows})
    models = named(AIModel, "slug", {model for _asking, model, _n in rows})
    others = _other_servers(server, models.keys())
    return [
        Affected(
            institution=institutions.get(asking, "–"),
            model=models.get(model, "–"),
            requests=requests,
            others=others.get(model, 0),
        )
        for asking, model, requests in rows
    ]


def _other_servers(server: InferenceServer, models: Collection[UUID | None]) -> dict[UUID, int]:
    live = Deployment.objects.live().filter(
        server__state=ServerState.LIVE, version__model__in=models
    )
    counts = (
        live.exclude(server=server)
        .values_list("version__model")
        .annotate(Count("server", distinct=True))
    )
    return dict(counts.order_by())
