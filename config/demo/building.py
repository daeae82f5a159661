"""Makes the demonstration's register, through the operations; a second time it finds everything and adds nothing.

What was changed since by hand stays: only what is missing is made. Usage is `history`, files are `files`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.utils.crypto import get_random_string

from config.demo.catalogue import CRITICAL, MODELS, DemoMinimum, DemoModel
from config.demo.files import HOST, Remembered, free_ports
from config.demo.fleet import SERVERS, DemoServer
from config.demo.members import (
    ACCOUNTS,
    APPLICATIONS,
    CANDIDATE,
    INSTITUTIONS,
    DemoAccount,
    DemoApplication,
    DemoCandidate,
    DemoInstitution,
)
from config.launch.environment import try_address
from federation.access.models import ApiKey, Application
from federation.access.operations import create_application, issue_key, revoke_key
from federation.catalogue.models import AIModel
from federation.catalogue.operations.aliases import add_alias
from federation.catalogue.operations.minimum import Minimum, set_minimum
from federation.catalogue.operations.registering import add_version, register_model
from federation.catalogue.operations.routing import set_routing
from federation.fleet.enums import EnergyUnit, MeterScope
from federation.fleet.models import InferenceServer
from federation.fleet.operations.credentials import current_credential, rotate_credential
from federation.fleet.operations.labels import set_site_labels
from federation.fleet.operations.probes import Described, probe_of, set_probe
from federation.fleet.operations.publication import Offer, move_server, publish_server
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.servers import (
    Machine,
    add_site,
    describe_machine,
    machine_of,
)
from federation.journal.actors import CommandActor
from federation.members.enums import ContactRole, MembershipState, TextKind
from federation.members.files import Upload
from federation.members.models import Agreement, Candidacy, Institution
from federation.members.operations import (
    add_institution,
    change_membership_state,
    propose_membership,
)
from federation.members.operations.agreements import sign_agreement
from federation.members.operations.candidacies import (
    begin_candidacy,
    describe_part,
    name_contacts,
    submit_candidacy,
)
from federation.members.operations.texts import accept_charter
from federation.members.queries import Part, current_text, seen_of
from federation.people.models import User
from federation.people.operations import create_user, grant_role, set_password
from routing.core.enums import LifecycleStage, ServerState
from routing.core.keys import digest
from routing.simulator.metrics import ENERGY, IDLE_W
from routing.upstream.credentials import Secret
from routing.upstream.egress import parse_base_url

BY = CommandActor("demo")
SIGNATURE = b"% signed, for the demonstration\n%%EOF\n"
"""After the end of the document: whoever reads it sees what was drawn up."""
PASSWORD_LENGTH, TOKEN_LENGTH = 16, 40
"""Of letters and digits: 95 and 238 bits."""


class Account(NamedTuple):
    """An account as `demo.json` tells of it."""

    email: str
    password: str
    totp_secret: str | None


class Register(NamedTuple):
    """What the demonstration has in the register, by the names of its own tables."""

    accounts: dict[str, Account]
    keys: dict[str, str]
    applications: list[tuple[DemoApplication, ApiKey]]
    servers: list[tuple[DemoServer, InferenceServer]]


def build_register(remembered: Remembered) -> Register:
    institutions = {plan.slug: _institution(plan) for plan in INSTITUTIONS}
    people, accounts = {}, {}
    for plan in ACCOUNTS:
        user, password = _person(plan, institutions, remembered)
        secret = _totp_secret(user) if plan.has_totp else None
        people[plan.reference] = user
        accounts[plan.reference] = Account(user.email, password, secret)
    _candidate(CANDIDATE)
    for model in MODELS:
        _model(model)
    _minimum(CRITICAL)
    servers = _servers(institutions)
    keys: dict[str, str] = {}
    applications = []
    for application in APPLICATIONS:
        owner = people[application.owner] if application.owner else None
        row = _application(application, institutions, owner)
        key, text = _key(application, row, remembered)
        applications.append((application, key))
        if application.reference:
            keys[application.reference] = text
    return Register(accounts, keys, applications, servers)


def _institution(plan: DemoInstitution) -> Institution:
    if found := Institution.objects.filter(slug=plan.slug).first():
        return found
    institution = add_institution(by=BY, slug=plan.slug, name=plan.name, short_name=plan.short_name)
    membership = propose_membership(
        by=BY, institution=institution, is_contributor=plan.city is not None, is_consumer=True
    )
    change_membership_state(by=BY, membership=membership, state=MembershipState.APPROVED)
    if plan.city:
        name = f"Centre de données de {plan.city}"
        site = add_site(by=BY, institution=institution, name=name, city=plan.city, pue=plan.pue)
        if plan.labels:
            set_site_labels(by=BY, site=site, labels=plan.labels)
    return institution


def _candidate(plan: DemoCandidate) -> None:
    """Have an institution apply and sign, so that the committee has something to decide."""
    if Candidacy.objects.filter(slug=plan.facts["slug"]).exists():
        return
    password = get_random_string(
        PASSWORD_LENGTH
    )  # nobody keeps it: a new one is asked for by e-mail
    applicant = create_user(by=BY, email=plan.email, name=plan.applicant, password=password)
    candidacy = begin_candidacy(by=applicant, facts=plan.facts)
    describe_part(
        by=applicant, candidacy=candidacy, seen=seen_of(candidacy, Part.ROLE), facts=plan.part
    )
    candidacy = name_contacts(
        by=applicant,
        candidacy=candidacy,
        seen=seen_of(candidacy, Part.CONTACTS),
        contacts=plan.contacts,
    )
    submit_candidacy(by=applicant, candidacy=candidacy)
    agreement = Agreement.objects.select_related("drawn_up").get(membership__candidacy=candidacy)
    content = bytes(agreement.drawn_up.content) + SIGNATURE
    sign_agreement(
        by=applicant,
        agreement=agreement,
        upload=Upload("accord-signe.pdf", content),
        signatory=plan.contacts[ContactRole.GOVERNANCE]["name"],
        signatory_function=plan.contacts[ContactRole.GOVERNANCE]["function"],
    )


def _person(
    plan: DemoAccount, institutions: Mapping[str, Institution], remembered: Remembered
) -> tuple[User, str]:
    """Return an account and its password: the one that is known, a new one in the place of one that is not."""
    password = remembered.password(plan.reference)
    user: User | None = User.objects.filter(email=plan.email).first()
    if user is not None and password and user.check_password(password):
        return user, password
    password = get_random_string(PASSWORD_LENGTH)
    if user is not None:
        return set_password(by=BY, user=user, password=password), password
    user = create_user(by=BY, email=plan.email, name=plan.name, password=password)
    institution_id = institutions[plan.institution].pk if plan.institution else None
    grant_role(by=BY, user=user, role=plan.role, institution_id=institution_id)
    accept_charter(by=user, number=current_text(TextKind.CHARTER).number)
    return user, password


def _totp_secret(user: User) -> str:
    """Return the secret of the account's one-time codes, a new one if none can be read."""
    held = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if held is not None:
        try:
            return str(get_adapter().decrypt(held.data["secret"]))
        except InvalidToken:  # sealed with a key that is no longer there
            held.delete()
    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def _model(plan: DemoModel) -> AIModel:
    if found := AIModel.objects.filter(slug=plan.slug).first():
        return found
    model = register_model(by=BY, slug=plan.slug, stage=LifecycleStage.PRODUCTION, facts=plan.facts)
    add_version(
        by=BY,
        model=model,
        revision=plan.revision,
        quantisation=plan.quantisation,
        context_length=plan.context_length,
    )
    set_routing(by=BY, model=model, settings={"setting": plan.setting})
    for name in plan.aliases:
        add_alias(by=BY, model=model, name=name)
    return model


def _minimum(plan: DemoMinimum) -> None:
    model = AIModel.objects.get(slug=plan.slug)
    if not model.minimum_services.exists():
        fallback = AIModel.objects.get(slug=plan.fallback)
        least = Minimum(servers=plan.servers, sites=plan.sites, fallback=fallback)
        set_minimum(by=BY, model=model, minimum=least)


def _servers(institutions: Mapping[str, Institution]) -> list[tuple[DemoServer, InferenceServer]]:
    """The register knows each server's address and token from the first run on."""
    known = {row.slug: row for row in InferenceServer.objects.filter(slug__in=SLUGS)}
    ports = iter(free_ports(len(SERVERS) - len(known)))
    for plan in SERVERS:
        if plan.slug not in known:
            known[plan.slug] = _publish(plan, institutions[plan.institution], next(ports))
            request_run(by=BY, server=known[plan.slug])  # so that the cards tell of tests at once
    for row in known.values():
        if row.state != ServerState.RETIRED and current_credential(row) is None:
            rotate_credential(by=BY, server=row, credential=_new_token())
    return [(plan, known[plan.slug]) for plan in SERVERS]


SLUGS = tuple(plan.slug for plan in SERVERS)


def move_from_taken_ports() -> list[InferenceServer]:
    """Give another port to each simulated server on whose port somebody listens; return the moved ones.

    While the simulator runs, that somebody is the simulator: only for when it does not.
    """
    taken = [row for row in InferenceServer.objects.filter(slug__in=SLUGS) if _is_taken(row)]
    ports = free_ports(len(taken))
    moved = []
    for row, port in zip(taken, ports, strict=True):
        moved.append(move_server(by=BY, server=row, url=_url(port)))
        if probe_of(row) is not None:
            set_probe(by=BY, server=row, described=_meter(port))
    return moved


def _is_taken(server: InferenceServer) -> bool:
    target = parse_base_url(server.base_url)
    return server.state != ServerState.RETIRED and bool(try_address(target.host, target.port))


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _publish(plan: DemoServer, institution: Institution, port: int) -> InferenceServer:
    token = _new_token()
    for model_name, served_name in plan.serves.items():
        offer = Offer(
            institution=institution,
            url=_url(port),
            engine=plan.engine,
            model_name=model_name,
            served_name=served_name,
            credential=token,
            max_parallel=plan.max_parallel,
            server_name=plan.name,
            server_slug=plan.slug,
        )
        published = publish_server(by=BY, offer=offer)
    server = InferenceServer.objects.select_related("site").get(pk=published.deployment.server_id)
    machine = Machine(**{**machine_of(server), "gpu_type": plan.gpu, "gpu_count": plan.gpus})
    if plan.is_metered:
        set_probe(by=BY, server=server, described=_meter(port))
    return describe_machine(by=BY, server=server, machine=machine)


def _meter(port: int) -> Described:
    """The simulator's counter of energy."""
    return Described(
        url=f"{_url(port)}/dcgm/metrics",
        metric=ENERGY,
        labels={},
        unit=EnergyUnit.MILLIJOULE.value,
        scope=MeterScope.GPU.value,
        multiplier=Decimal(1),
        idle_w=Decimal(str(IDLE_W)),
        limit_w=None,
    )


def _new_token() -> Secret:
    return Secret(get_random_string(TOKEN_LENGTH))


def _application(
    plan: DemoApplication, institutions: Mapping[str, Institution], owner: User | None
) -> Application:
    institution = institutions[plan.institution]
    found = Application.objects.filter(institution=institution, name=plan.name).first()
    return found or create_application(by=BY, institution=institution, name=plan.name, owner=owner)


def _key(
    plan: DemoApplication, application: Application, remembered: Remembered
) -> tuple[ApiKey, str]:
    """Return the application's first key and its text, which is empty when nobody keeps it.

    A key whose text should be known and is not gives way to a new one.
    """
    text = remembered.key(plan.reference) if plan.reference else ""
    usable = application.keys.usable().filter(name=plan.name)
    if plan.reference is None:
        held = application.keys.filter(name=plan.name).first()
    else:
        held = usable.filter(digest=digest(settings.PEPPER.encode(), text)).first()
    if held is not None:
        return held, text
    for lost in usable:
        revoke_key(by=BY, key=lost, reason="its text was lost")
    key, secret = issue_key(by=BY, application=application, name=plan.name, priority=plan.priority)
    return key, secret.reveal()
