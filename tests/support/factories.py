"""The known cast of the tests, made through the register's own operations.

Rennes and Reims contribute, Orléans consumes, the intruder has an account and no right. Not responsible for
sessions: `client.force_login(person)`, or sign in with `PASSWORD`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import count

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import transaction
from django.test import override_settings

from federation.access.models import ApiKey, Application
from federation.access.operations import create_application, issue_key
from federation.catalogue.models import AIModel
from federation.catalogue.operations.registering import ModelFacts, add_version, register_model
from federation.fleet.enums import Engine
from federation.fleet.models import Deployment, InferenceServer, Site
from federation.fleet.operations.publication import Offer, publish_server
from federation.fleet.operations.servers import add_site, register_server
from federation.journal.actors import CommandActor
from federation.members.enums import MembershipState, TextKind
from federation.members.models import Institution
from federation.members.operations import (
    add_institution,
    change_membership_state,
    propose_membership,
)
from federation.members.operations.texts import accept_charter
from federation.members.queries import current_text
from federation.people.enums import Language, Role
from federation.people.models import User
from federation.people.operations import create_user, grant_role
from routing.core.enums import LifecycleStage, PriorityClass, RoutingMode
from routing.upstream.credentials import Secret

OPERATOR = CommandActor("tests")
PASSWORD = "lande bretonne 1831"
NAMES = {"rennes": "Université de Rennes", "reims": "Université de Reims Champagne-Ardenne"} | {
    "orleans": "Université d'Orléans"
}
MODEL = "mistral-small-3.2-24b"
_numbers = count(1)


class QuickHasher(PBKDF2PasswordHasher):
    """The product's own hash with one round: the settings of a test still check it, in no time."""

    iterations = 1


QUICK_HASHER = f"{__name__}.{QuickHasher.__name__}"


@dataclass(frozen=True)
class Cast:
    """Three members and the people who try things; `people()` names them all."""

    rennes: Institution
    reims: Institution
    orleans: Institution
    admin: User
    auditor: User
    rennes_dsi: User
    rennes_user: User
    reims_dsi: User
    orleans_user: User
    intruder: User

    def people(self) -> dict[str, User]:
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: who for name, who in held.items() if isinstance(who, User)}


@transaction.atomic
def make_cast() -> Cast:
    rennes, reims = make_institution("rennes"), make_institution("reims")
    orleans = make_institution("orleans", is_contributor=False)
    return Cast(
        rennes=rennes,
        reims=reims,
        orleans=orleans,
        admin=make_user("admin", Role.FEDERATION_ADMIN),
        auditor=make_user("auditor", Role.AUDITOR),
        rennes_dsi=make_user("rennes_dsi", Role.MEMBER_DSI, rennes),
        rennes_user=make_user("rennes_user", Role.USER, rennes),
        reims_dsi=make_user("reims_dsi", Role.MEMBER_DSI, reims),
        orleans_user=make_user("orleans_user", Role.USER, orleans),
        intruder=make_user("intruder"),
    )


def make_institution(
    slug: str, *, is_contributor: bool = True, is_consumer: bool = True
) -> Institution:
    """An approved member."""
    name = NAMES.get(slug, slug.title())
    institution = add_institution(by=OPERATOR, slug=slug, name=name, short_name=slug.title())
    membership = propose_membership(
        by=OPERATOR,
        institution=institution,
        is_contributor=is_contributor,
        is_consumer=is_consumer,
    )
    change_membership_state(by=OPERATOR, membership=membership, state=MembershipState.APPROVED)
    return institution


def make_user(
    name: str,
    role: Role | None = None,
    institution: Institution | None = None,
    *,
    language: Language = Language.FRENCH,
) -> User:
    """An account `name@example.org` that has accepted the charter, with at most one role; `grant_role` gives more."""
    with override_settings(PASSWORD_HASHERS=[QUICK_HASHER]):
        user = create_user(
            by=OPERATOR,
            email=f"{name}@example.org",
            name=name,
            password=PASSWORD,
            language=language,
        )
    accept_charter(by=user, number=current_text(TextKind.CHARTER).number)
    if role is not None:
        institution_id = institution.pk if institution else None
        grant_role(by=OPERATOR, user=user, role=role, institution_id=institution_id)
    return user


def make_site(institution: Institution, name: str = "") -> Site:
    return add_site(
        by=OPERATOR, institution=institution, name=name or f"salle {next(_numbers)}", city="Rennes"
    )


def make_server(
    site: Site, *, slug: str = "", base_url: str = "https://inference.example.org"
) -> InferenceServer:
    """A server in staging that serves nothing yet."""
    slug = slug or f"server-{next(_numbers)}"
    return register_server(
        by=OPERATOR, site=site, name=slug, slug=slug, engine=Engine.VLLM, base_url=base_url
    )


def make_model(
    slug: str = MODEL,
    *,
    stage: LifecycleStage = LifecycleStage.PRODUCTION,
    facts: ModelFacts | None = None,
    context_length: int = 32_768,
) -> AIModel:
    """A model with one version, the current one."""
    model = register_model(by=OPERATOR, slug=slug, stage=stage, facts=facts)
    add_version(
        by=OPERATOR, model=model, revision=f"publisher/{slug}", context_length=context_length
    )
    return model


def serve_model(
    institution: Institution,
    model_name: str = MODEL,
    *,
    url: str = "",
    engine: Engine = Engine.VLLM,
    credential: str = "",
    max_parallel: int | None = None,
) -> Deployment:
    """A model in service at an institution; both model and server are made when they are new."""
    offer = Offer(
        institution=institution,
        url=url or f"http://127.0.0.1:{20_000 + next(_numbers)}",
        engine=engine,
        model_name=model_name,
        served_name=f"served/{model_name}",
        credential=Secret(credential) if credential else None,
        max_parallel=max_parallel,
    )
    return publish_server(by=OPERATOR, offer=offer).deployment


def make_application(
    institution: Institution, owner: User | None = None, name: str = ""
) -> Application:
    return create_application(
        by=OPERATOR,
        institution=institution,
        name=name or f"application {next(_numbers)}",
        owner=owner,
    )


def make_key(
    application: Application,
    *,
    name: str = "essai",
    priority: PriorityClass = PriorityClass.P3,
    routing_mode: RoutingMode = RoutingMode.ANY,
    models: Sequence[AIModel] = (),
) -> tuple[ApiKey, str]:
    """A key and its text."""
    key, secret = issue_key(
        by=OPERATOR,
        application=application,
        name=name,
        priority=priority,
        routing_mode=routing_mode,
        models=models,
    )
    return key, secret.reveal()
