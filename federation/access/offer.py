"""What a key can be used for now: its models that are served at sites where it may go, and how they are spoken to."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from federation.access.models import ApiKey
from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel, ModelVersion
from federation.catalogue.models.names import OPEN_TO_ALL
from federation.fleet.enums import Engine
from federation.fleet.models import Deployment
from routing.core.enums import Endpoint, LifecycleStage, RoutingMode, ServerState
from routing.core.labels import OWN, data_class, site_labels

AGENTS = frozenset({Endpoint.RESPONSES.value, Endpoint.MESSAGES.value})
"""Interfaces of agents. vLLM has both; of other engines it is believed when it was declared."""


SUITED = {
    Endpoint.CHAT: Capability.CHAT,
    Endpoint.RESPONSES: Capability.CHAT,
    Endpoint.MESSAGES: Capability.CHAT,
    Endpoint.COMPLETIONS: Capability.CHAT,
    Endpoint.EMBEDDINGS: Capability.EMBEDDINGS,
    Endpoint.RERANK: Capability.RERANK,
    Endpoint.TRANSCRIPTIONS: Capability.TRANSCRIPTION,
}
"""What a model must be able to do to be asked by an interface; the first interfaces are shown first."""


@dataclass(frozen=True)
class Usable:
    """A model that a key may ask and that is served to it. `context`: tokens, None when unknown."""

    slug: str
    display_name: str
    capabilities: tuple[str, ...]
    context: int | None
    agents: frozenset[str]
    """Of `AGENTS`, those that the model's servers speak and the key may ask."""
    bound_to: tuple[str, ...] = ()
    """The interfaces that the key is bound to; empty when it may use all."""

    def can(self, capability: Capability) -> bool:
        """Say whether it can; of a model about which nothing is known, conversations are believed."""
        known = self.capabilities or (Capability.CHAT,)
        return capability in known

    def answers(self, endpoint: Endpoint) -> bool:
        """Say whether the key may ask it by this interface, and it can answer there."""
        if self.bound_to and endpoint not in self.bound_to:
            return False
        if endpoint in AGENTS and endpoint not in self.agents:
            return False
        return self.can(SUITED[endpoint])


def first_way(
    models: Iterable[Usable], endpoints: Iterable[Endpoint] = tuple(SUITED)
) -> tuple[Usable, Endpoint] | None:
    """Return the model and the first of these interfaces by which a key can ask anything, None when it can nothing."""
    known = tuple(models)
    ways = ((model, endpoint) for endpoint in endpoints for model in known)
    return next((way for way in ways if way[0].answers(way[1])), None)


def usable_models(key: ApiKey) -> list[Usable]:
    """Return the models, by name, those for conversations first, in each group the deprecated last. Four queries."""
    chosen = list(key.models.values_list("pk", flat=True))
    trials = Q(pk__in=key.trials.in_force().values("model_id"))
    usual = Q(pk__in=chosen) if chosen else Q(stage__in=OPEN_TO_ALL)
    models = AIModel.objects.served().filter(usual | trials)
    rows = sorted(models.order_by("slug"), key=lambda one: one.stage == LifecycleStage.DEPRECATED)
    versions = ModelVersion.objects.filter(model__in=rows, current=True)
    contexts = dict(versions.values_list("model_id", "context_length"))
    spoken = _agents_by_model(key)
    found = [
        Usable(
            slug=model.slug,
            display_name=model.display_name,
            capabilities=tuple(model.capabilities),
            context=contexts.get(model.pk),
            agents=spoken[model.pk],
            bound_to=tuple(key.endpoints),
        )
        for model in rows
        if model.pk in spoken
    ]
    return sorted(found, key=lambda model: not model.can(Capability.CHAT))


def _agents_by_model(key: ApiKey) -> dict[UUID, frozenset[str]]:
    """Return the models that live servers have where the key may go, with the agents' interfaces of each."""
    rows = Deployment.objects.live().filter(server__state=ServerState.LIVE)
    labels = set(data_class(key.labels))
    if key.routing_mode == RoutingMode.PRIVATE_ONLY or OWN in labels:
        rows = rows.filter(server__site__institution=key.application.institution_id)
    allowed = AGENTS & set(key.endpoints) if key.endpoints else AGENTS
    found: dict[UUID, frozenset[str]] = defaultdict(frozenset)
    for row in rows.select_related("server__site", "version"):
        if labels - {OWN} <= site_labels(row.server.site.labels):
            found[row.version.model_id] |= allowed & _agents_of(row)
    return found


def _agents_of(row: Deployment) -> frozenset[str]:
    if row.endpoints:
        return AGENTS & set(row.endpoints)
    return AGENTS if row.server.engine == Engine.VLLM else frozenset()
