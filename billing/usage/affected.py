"""Whom the absence of a server concerns: the institutions whose requests it has answered lately."""

from typing import NamedTuple
from uuid import UUID

from django.db.models import Count

from billing.models import UsageRecord
from billing.periods import last_days
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
    rows = list(
        UsageRecord.objects.for_user(user)
        .ended_in(last_days(DAYS))
        .filter(server_id=server.pk)
        .values("asking_institution_id", "model_id")
        .annotate(requests=Count("pk"))
        .order_by("-requests")
    )
    institutions = Institution.objects.in_bulk({row["asking_institution_id"] for row in rows})
    models = AIModel.objects.in_bulk({row["model_id"] for row in rows})
    others = _other_servers(server, set(models))
    return [
        Affected(
            institution=_named(institutions, row["asking_institution_id"]),
            model=models[row["model_id"]].slug if row["model_id"] in models else "–",
            requests=row["requests"],
            others=others.get(row["model_id"], 0),
        )
        for row in rows
    ]


def _other_servers(server: InferenceServer, models: set[UUID]) -> dict[UUID, int]:
    live = Deployment.objects.live().filter(
        server__state=ServerState.LIVE, version__model__in=models
    )
    counts = (
        live.exclude(server=server)
        .values_list("version__model")
        .annotate(Count("server", distinct=True))
    )
    return dict(counts.order_by())


def _named(institutions: dict[UUID, Institution], pk: UUID) -> str:
    found = institutions.get(pk)
    return found.short_name if found else "–"
