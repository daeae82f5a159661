"""What stands in the register of that which a dispatcher has as well, read once: the plan knows no database."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from federation.access.models import ApiKey
from federation.catalogue.models import AIModel, Alias, ModelVersion, RoutingPolicy
from federation.fleet.models import Deployment, InferenceServer
from federation.fleet.operations.credentials import current_credential
from federation.members.enums import MembershipState
from federation.members.models import Institution as InstitutionRow
from federation.members.models import Membership
from routing.core.enums import LifecycleStage, RoutingMode, RoutingSetting, ServerState
from routing.upstream.credentials import Secret

CONTACT = re.compile(r"^Contact: (\S+)$", re.MULTILINE)
"""In an application's description, whom the dispatcher had an address of but who has no account here."""


@dataclass(frozen=True)
class Institution:
    slug: str
    name: str
    short_name: str
    is_member: bool
    contributes: bool


@dataclass(frozen=True)
class Server:
    """`serves` maps the names that the server knows to models' public names."""

    institution: str
    url: str
    engine: str
    state: ServerState
    token: Secret | None
    max_parallel: int | None
    serves: Mapping[str, str]


@dataclass(frozen=True)
class Model:
    slug: str
    label: str
    stage: LifecycleStage
    weights: str
    quantisation: str
    setting: RoutingSetting
    forward_priority: bool


@dataclass(frozen=True)
class Key:
    id: UUID
    digest: str
    name: str
    institution: str
    email: str
    priority: int
    threshold: int | None
    answers_200_when_full: bool
    routing_mode: RoutingMode
    is_usable: bool


@dataclass(frozen=True)
class Register:
    """Models by their names in lower case, keys by digest."""

    institutions: tuple[Institution, ...] = ()
    servers: tuple[Server, ...] = ()
    models: Mapping[str, Model] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)


def read_register() -> Register:
    """Return the register as it stands; retired servers have left it."""
    return Register(
        institutions=_institutions(),
        servers=_servers(),
        models=_models(),
        aliases={
            name.lower(): slug
            for name, slug in Alias.objects.in_force().values_list("name", "model__slug")
        },
        keys=_keys(),
    )


def _institutions() -> tuple[Institution, ...]:
    approved = dict(
        Membership.objects.filter(state=MembershipState.APPROVED).values_list(
            "institution_id", "is_contributor"
        )
    )
    return tuple(
        Institution(
            slug=row.slug,
            name=row.name,
            short_name=row.short_name,
            is_member=row.pk in approved,
            contributes=approved.get(row.pk, False),
        )
        for row in InstitutionRow.objects.order_by("slug")
    )


def _servers() -> tuple[Server, ...]:
    serves: dict[UUID, dict[str, str]] = defaultdict(dict)
    for row in Deployment.objects.live().select_related("version__model").order_by("pk"):
        serves[row.server_id][row.served_name] = row.version.model.slug
    rows = InferenceServer.objects.present().select_related("site__institution")
    return tuple(
        Server(
            institution=row.institution.slug,
            url=row.base_url,
            engine=row.engine,
            state=ServerState(row.state),
            token=current_credential(row),
            max_parallel=row.max_parallel,
            serves=serves[row.pk],
        )
        for row in rows.order_by("created_at", "pk")
    )


def _models() -> dict[str, Model]:
    versions = {row.model_id: row for row in ModelVersion.objects.filter(current=True)}
    policies = {row.model_id: row for row in RoutingPolicy.objects.current()}
    return {
        row.slug.lower(): _model(
            row, versions.get(row.pk), policies.get(row.pk) or RoutingPolicy(model=row)
        )
        for row in AIModel.objects.order_by("created_at", "pk")
    }


def _model(row: AIModel, version: ModelVersion | None, policy: RoutingPolicy) -> Model:
    return Model(
        slug=row.slug,
        label=row.display_name,
        stage=LifecycleStage(row.stage),
        weights=version.revision if version else "",
        quantisation=version.quantisation if version else "",
        setting=RoutingSetting(policy.setting),
        forward_priority=policy.forward_priority,
    )


def _keys() -> dict[str, Key]:
    rows = ApiKey.objects.select_related("application__institution", "application__owner")
    return {row.digest: _key(row) for row in rows.order_by("created_at", "pk")}


def _key(row: ApiKey) -> Key:
    application = row.application
    contact = CONTACT.search(application.description)
    email = application.owner.email if application.owner else contact[1] if contact else ""
    return Key(
        id=row.pk,
        digest=row.digest,
        name=row.name,
        institution=application.institution.slug,
        email=email,
        priority=row.priority,
        threshold=row.threshold,
        answers_200_when_full=row.answers_200_when_full,
        routing_mode=RoutingMode(row.routing_mode),
        is_usable=row.is_usable,
    )
