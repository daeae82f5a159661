"""What everyone signed in may read of the federation's servers and models: public facts, by name.

`InferenceServer.for_user` and `Deployment.for_user` give whole rows, so they hide other institutions'. Who
lends which model on which site is what a federation is about, and is told to every member: these reads fetch
the columns of a public card alone. Addresses come from `addresses`, for those who run the server.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf.locale import LANG_INFO
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext as _

from dashboards.abilities import Ability, Speed, abilities, longest_read, speeds
from dashboards.findings import Findings, Found, findings
from federation.catalogue.models import AIModel, Alias, ModelVersion
from federation.fleet.enums import SERVER_STATE_LABELS, Engine
from federation.fleet.models import Deployment, InferenceServer
from federation.members.enums import MembershipState
from federation.members.models import Membership
from federation.people.enums import Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything
from routing.core.enums import ServerState

PUBLIC_STATES = (ServerState.LIVE, ServerState.DRAINING)
_CARD = (
    "id",
    "name",
    "site__institution_id",
    "site__institution__short_name",
    "site__name",
    "site__city",
    "engine",
    "state",
    "site__pue",
    "site__labels",
)
_SERVING = (
    "id",
    "version__model_id",
    "version__model__slug",
    "version__revision",
    "version__quantisation",
    "version__context_length",
    "version__template",
    "version__current",
)


@dataclass(frozen=True)
class ServerCard:
    """A server as everyone may know it. The fields are `_CARD`'s columns, in order."""

    id: UUID
    name: str
    institution_id: UUID
    institution: str
    site: str
    city: str
    engine: str
    state: str
    pue: Decimal | None
    labels: list[str]

    @property
    def engine_label(self) -> str:
        return str(Engine(self.engine).label)

    @property
    def state_label(self) -> str:
        return str(SERVER_STATE_LABELS[self.state])

    @property
    def in_service(self) -> bool:
        return self.state in PUBLIC_STATES


@dataclass(frozen=True)
class Serving:
    """A model version on a server, as everyone may know it. The fields after the first are `_SERVING`'s columns."""

    server: ServerCard
    deployment_id: UUID
    model_id: UUID
    model: str
    revision: str
    quantisation: str
    context_length: int | None
    template: str
    is_current: bool


@dataclass(frozen=True)
class ModelCard:
    """A model of the catalogue, who serves it, and what was found there. `current` is its current version."""

    model: AIModel
    current: ModelVersion | None
    servings: tuple[Serving, ...]
    findings: Findings

    @property
    def context_length(self) -> int | None:
        return self.current.context_length if self.current else None

    @property
    def in_service(self) -> list[Serving]:
        return [serving for serving in self.servings if serving.server.in_service]

    @property
    def found(self) -> list[Mapping[str, Found]]:
        """What was found of each server in service, in their order."""
        return [self.findings.get(serving.deployment_id, {}) for serving in self.in_service]

    @property
    def quantisations(self) -> list[str]:
        return sorted({serving.quantisation for serving in self.in_service} - {""})

    @property
    def abilities(self) -> list[Ability]:
        return abilities(self.model.capabilities, self.found)

    @property
    def badges(self) -> list[Ability]:
        """The abilities that a short card shows."""
        return [each for each in self.abilities if each.is_capability]

    @property
    def speeds(self) -> list[Speed]:
        return speeds(self.found)

    @property
    def accepted(self) -> Found | None:
        """The longest prompt that a server in service has read whole."""
        return longest_read(self.found)

    @property
    def sites(self) -> list[tuple[str, str]]:
        """Institutions and sites in service, each once, in alphabetical order."""
        return sorted(
            {(serving.server.institution, serving.server.site) for serving in self.in_service}
        )

    @property
    def languages(self) -> list[str]:
        """The languages' names in the reader's own; a code that Django does not know stays a code."""
        return [_language_name(code) for code in self.model.languages]


def _language_name(code: str) -> str:
    """Return a language's name as it stands in a list: French writes it small."""
    if code == "zh":  # Django names the two scripts, models the language
        return _("Chinese")
    if code not in LANG_INFO:
        return code
    name: str = get_language_info(code)["name_translated"]
    return name.lower() if get_language() == "fr" else name


def server_cards(user: User) -> list[ServerCard]:
    """Return the servers in service, and the reader's own in any state but retired; own institution first."""
    rows = InferenceServer.objects.filter(_shown_to(user)).values_list(*_CARD)
    cards = [ServerCard(*row) for row in rows.order_by("site__institution__short_name", "name")]
    own = institution_ids_for(user)
    return sorted(cards, key=lambda card: card.institution_id not in own)


def servings(user: User, *, of: AIModel | None = None) -> list[Serving]:
    """Return what runs on the servers of `server_cards`: `of` one model, else of all that `user` may see."""
    shown = InferenceServer.objects.filter(_shown_to(user))
    versions = ModelVersion.objects.for_user(user)
    if of:
        versions = versions.filter(model=of)
    rows = (
        Deployment.objects.live()
        .filter(server__in=shown, version__in=versions)
        .order_by("version__model__slug", "server__site__institution__short_name", "server__name")
        .values_list(*_SERVING, *(f"server__{column}" for column in _CARD))
    )
    return [Serving(ServerCard(*row[len(_SERVING) :]), *row[: len(_SERVING)]) for row in rows]


def model_cards(user: User) -> list[ModelCard]:
    """Return the catalogue as `user` may see it. Four queries, however long it is."""
    return _cards(user, AIModel.objects.for_user(user))


def model_card(user: User, model: AIModel) -> ModelCard:
    """Return the card of one model that `user` may see; nothing is read of the others."""
    return _cards(user, [model], of=model)[0]


def _cards(user: User, models: Iterable[AIModel], *, of: AIModel | None = None) -> list[ModelCard]:
    running: dict[UUID, list[Serving]] = {}
    for serving in servings(user, of=of):
        running.setdefault(serving.model_id, []).append(serving)
    versions = ModelVersion.objects.for_user(user).filter(current=True)
    if of:
        versions = versions.filter(model=of)
    current = {version.model_id: version for version in versions}
    found = findings(each.deployment_id for served in running.values() for each in served)
    return [
        ModelCard(model, current.get(model.pk), tuple(running.get(model.pk, ())), found)
        for model in models
    ]


def other_names(user: User) -> dict[UUID, list[str]]:
    """Return the aliases of each model that are in force."""
    names: dict[UUID, list[str]] = {}
    aliases = Alias.objects.for_user(user).in_force()
    for model, name in aliases.values_list("model_id", "name"):
        names.setdefault(model, []).append(name)
    return names


def addresses(user: User) -> dict[UUID, str]:
    """Return the addresses of the servers that `user` runs: an IT department's own, all for the federation."""
    servers = InferenceServer.objects.for_user(user).present()
    if not sees_everything(user):
        run = institution_ids_for(user, Role.MEMBER_DSI)
        servers = servers.filter(site__institution_id__in=run)
    return dict(servers.values_list("pk", "base_url"))


def _shown_to(user: User) -> Q:
    """In service at an approved contributor, as the router's table has it; or the reader's own."""
    contributes = Membership.objects.filter(
        institution=OuterRef("site__institution"),
        state=MembershipState.APPROVED,
        is_contributor=True,
    )
    own = InferenceServer.objects.for_user(user).present()
    return (Q(state__in=PUBLIC_STATES) & Exists(contributes)) | Q(pk__in=own.values("pk"))
