"""What everyone signed in may read of the federation's servers and models: public facts, by name.

`InferenceServer.for_user` and `Deployment.for_user` give whole rows, so they hide other institutions'. Who
lends which model on which site is what a federation is about, and is told to every member: these reads fetch
the columns of a public card alone. Addresses come from `addresses`, for those who run the server.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf.locale import LANG_INFO
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext as _

from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel, ModelVersion
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
    """A model version on a server, as everyone may know it."""

    server: ServerCard
    model_id: UUID
    model: str
    revision: str
    quantisation: str
    context_length: int | None
    is_current: bool


@dataclass(frozen=True)
class ModelCard:
    """A model of the catalogue and who serves it. `context_length` is the current version's."""

    model: AIModel
    context_length: int | None
    servings: tuple[Serving, ...]

    @property
    def sites(self) -> list[tuple[str, str]]:
        """Institutions and sites in service, each once, in alphabetical order."""
        cards = [serving.server for serving in self.servings if serving.server.in_service]
        return sorted({(card.institution, card.site) for card in cards})

    @property
    def capability_labels(self) -> list[str]:
        return [str(Capability(value).label) for value in self.model.capabilities]

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


def servings(user: User) -> list[Serving]:
    """Return what runs on the servers of `server_cards`, of the models that `user` may see."""
    shown = InferenceServer.objects.filter(_shown_to(user))
    rows = (
        Deployment.objects.live()
        .filter(server__in=shown, version__in=ModelVersion.objects.for_user(user))
        .order_by("version__model__slug", "server__site__institution__short_name", "server__name")
        .values_list(
            "version__model_id",
            "version__model__slug",
            "version__revision",
            "version__quantisation",
            "version__context_length",
            "version__current",
            *(f"server__{column}" for column in _CARD),
        )
    )
    return [Serving(ServerCard(*row[6:]), *row[:6]) for row in rows]


def model_cards(user: User) -> list[ModelCard]:
    """Return the catalogue as `user` may see it. Three queries, however long it is."""
    running: dict[UUID, list[Serving]] = {}
    for serving in servings(user):
        running.setdefault(serving.model_id, []).append(serving)
    current = ModelVersion.objects.for_user(user).filter(current=True)
    contexts = dict(current.values_list("model_id", "context_length"))
    return [
        ModelCard(model, contexts.get(model.pk), tuple(running.get(model.pk, ())))
        for model in AIModel.objects.for_user(user)
    ]


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
