"""Every operation against everybody: done and told by the journal, or refused without a trace."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from federation.access import keyring
from federation.access import operations as access
from federation.access.models import ApiKey
from federation.catalogue import operations as catalogue
from federation.fleet.enums import Engine, MaintenanceState
from federation.fleet.operations import (
    credentials,
    deployments,
    egress,
    guests,
    labels,
    maintenance,
    publication,
    runs,
    servers,
    technical,
)
from federation.journal.actors import SYSTEM, Actor, CommandActor
from federation.journal.models import AuditEvent
from federation.members import operations as members
from federation.members.enums import MembershipState
from federation.people import operations as people
from federation.people.enums import Language, Role
from federation.people.models import RoleGrant, User
from routing.core.enums import LifecycleStage, Measure, PriorityClass, RoutingMode, ServerState
from routing.core.keys import digest
from routing.upstream.credentials import Secret
from tests.integration.federation.world import World
from tests.support.factories import PASSWORD

ADMIN = frozenset({"admin"})
RENNES_DSI = ADMIN | {"rennes_dsi"}
NOBODY = frozenset[str]()
Act = Callable[[World, Actor], object]


def remove_the_administrator(world: World) -> None:
    RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN).delete()


def make_link(world: World, by: Actor) -> object:
    remove_the_administrator(world)
    return people.make_first_admin_link(by=by)


def soon() -> datetime:
    return timezone.now() + timedelta(days=7)


def leaked(world: World) -> str:
    """Return a text by which a key is known from now on, without a word in the journal."""
    text = "found in public"
    ApiKey.objects.filter(pk=world.key.pk).update(digest=digest(settings.PEPPER.encode(), text))
    return text


def managing(world: World) -> User:
    """Return somebody who manages the user's application, too."""
    manager = world.cast.rennes_dsi
    world.users_application.managers.add(manager)
    return manager


OFFER = publication.Offer
ACTS: dict[str, tuple[frozenset[str], Act]] = {
    "add_institution": (
        ADMIN,
        lambda w, by: members.add_institution(by=by, slug="nantes", name="Nantes"),
    ),
    "propose_membership": (
        ADMIN,
        lambda w, by: members.propose_membership(
            by=by,
            institution=_institution_that_left(w),
            is_contributor=True,
            is_consumer=False,
        ),
    ),
    "change_membership_state": (
        ADMIN,
        lambda w, by: members.change_membership_state(
            by=by, membership=w.cast.rennes.memberships.get(), state=MembershipState.SUSPENDED
        ),
    ),
    "create_user": (
        ADMIN,
        lambda w, by: people.create_user(
            by=by, email="new@example.org", name="New", password=PASSWORD
        ),
    ),
    "set_password": (
        ADMIN,
        lambda w, by: people.set_password(by=by, user=w.cast.rennes_user, password=PASSWORD),
    ),
    "grant_role": (
        ADMIN,
        lambda w, by: people.grant_role(by=by, user=w.cast.intruder, role=Role.AUDITOR),
    ),
    "make_first_admin_link": (NOBODY, make_link),
    "register_model": (ADMIN, lambda w, by: catalogue.register_model(by=by, slug="new-model")),
    "add_version": (
        ADMIN,
        lambda w, by: catalogue.add_version(by=by, model=w.model, revision="other"),
    ),
    "change_stage": (
        ADMIN,
        lambda w, by: catalogue.change_stage(by=by, model=w.model, stage=LifecycleStage.DEPRECATED),
    ),
    "add_alias": (ADMIN, lambda w, by: catalogue.add_alias(by=by, model=w.model, name="another")),
    "set_routing": (
        ADMIN,
        lambda w, by: catalogue.set_routing(by=by, model=w.model, settings={"longest_wait": 60}),
    ),
    "add_site": (
        ADMIN,
        lambda w, by: servers.add_site(by=by, institution=w.cast.rennes, name="other room"),
    ),
    "register_server": (
        ADMIN,
        lambda w, by: servers.register_server(
            by=by,
            site=w.site,
            name="new",
            slug="new",
            engine=Engine.VLLM,
            base_url="https://new.example.org",
        ),
    ),
    "change_server_state": (
        RENNES_DSI,
        lambda w, by: servers.change_server_state(
            by=by, server=w.server, state=ServerState.DRAINING
        ),
    ),
    "limit_server": (
        RENNES_DSI,
        lambda w, by: servers.limit_server(by=by, server=w.server, max_parallel=3),
    ),
    "change_engine": (
        RENNES_DSI,
        lambda w, by: servers.change_engine(by=by, server=w.server, engine=Engine.LMDEPLOY),
    ),
    "move_server": (
        ADMIN,
        lambda w, by: publication.move_server(by=by, server=w.server, url="http://10.0.0.7:8000"),
    ),
    "rotate_credential": (
        RENNES_DSI,
        lambda w, by: credentials.rotate_credential(
            by=by, server=w.server, credential=Secret("new token")
        ),
    ),
    "set_guest_rules": (
        RENNES_DSI,
        lambda w, by: guests.set_guest_rules(
            by=by, server=w.server, blocked_institutions=[w.cast.orleans]
        ),
    ),
    "deploy_model": (
        RENNES_DSI,
        lambda w, by: deployments.deploy_model(
            by=by, server=w.server, version=w.model.versions.get(), served_name="other"
        ),
    ),
    "retire_deployment": (
        RENNES_DSI,
        lambda w, by: deployments.retire_deployment(by=by, deployment=w.deployment),
    ),
    "grant_egress": (
        ADMIN,
        lambda w, by: egress.grant_egress(
            by=by, server=w.server, address="10.1.2.3", port=8000, reason="private network"
        ),
    ),
    "revoke_egress": (ADMIN, lambda w, by: egress.revoke_egress(by=by, grant=w.grant)),
    "publish_server": (
        NOBODY,
        lambda w, by: publication.publish_server(
            by=by,
            offer=OFFER(w.cast.rennes, "https://127.0.0.1:1", Engine.VLLM, w.model.slug, "new"),
        ),
    ),
    "create_application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.create_application(by=by, institution=w.cast.rennes, name="new"),
    ),
    "issue_key": (
        RENNES_DSI,
        lambda w, by: access.issue_key(by=by, application=w.application, name="new"),
    ),
    "issue_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.issue_key(by=by, application=w.users_application, name="new"),
    ),
    "issue_key of the highest class": (
        RENNES_DSI,
        lambda w, by: access.issue_key(
            by=by, application=w.users_application, name="new", priority=PriorityClass.P5
        ),
    ),
    "change_key": (
        RENNES_DSI,
        lambda w, by: access.change_key(
            by=by,
            key=w.users_application.keys.get(),
            priority=PriorityClass.P4,
            routing_mode=RoutingMode.PRIVATE_FIRST,
            answers_200_when_full=True,
        ),
    ),
    "change_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.change_key(
            by=by,
            key=w.users_application.keys.get(),
            priority=PriorityClass.P2,
            routing_mode=RoutingMode.ANY,
            answers_200_when_full=False,
        ),
    ),
    "revoke_key": (RENNES_DSI, lambda w, by: access.revoke_key(by=by, key=w.key, reason="leak")),
    "revoke_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.revoke_key(
            by=by, key=w.users_application.keys.get(), reason="replaced"
        ),
    ),
    "replace_key": (
        RENNES_DSI,
        lambda w, by: keyring.replace_key(by=by, key=w.key, old_until=soon()),
    ),
    "replace_key of one's own application": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: keyring.replace_key(
            by=by, key=w.users_application.keys.get(), old_until=soon()
        ),
    ),
    "revoke_keys": (
        RENNES_DSI,
        lambda w, by: keyring.revoke_keys(
            by=by, institution=w.cast.rennes, key_ids=[w.key.pk], reason="audit"
        ),
    ),
    "report_leak": (
        NOBODY,
        lambda w, by: keyring.report_leak(by=by, text=leaked(w)),
    ),
    "hand_over": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.hand_over(
            by=by, application=w.users_application, owner=w.cast.rennes_dsi
        ),
    ),
    "add_manager": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.add_manager(
            by=by, application=w.users_application, manager=w.cast.rennes_dsi
        ),
    ),
    "remove_manager": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.remove_manager(
            by=by, application=w.users_application, manager=managing(w)
        ),
    ),
    "set_site_labels": (
        ADMIN,
        lambda w, by: labels.set_site_labels(by=by, site=w.site, labels=["HDS"]),
    ),
    "set_limit of an institution": (
        ADMIN,
        lambda w, by: access.set_limit(
            by=by, owner=w.cast.rennes, measure=Measure.TOKENS_PER_DAY, most=10**10
        ),
    ),
    "set_limit of an application": (
        RENNES_DSI,
        lambda w, by: access.set_limit(
            by=by, owner=w.users_application, measure=Measure.AT_ONCE, most=3
        ),
    ),
    "set_limit of one's own key": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.set_limit(
            by=by, owner=w.users_application.keys.get(), measure=Measure.AT_ONCE, most=3
        ),
    ),
    "remove_limit": (RENNES_DSI, lambda w, by: access.remove_limit(by=by, limit=w.limit)),
    "set_threshold": (
        RENNES_DSI,
        lambda w, by: access.set_threshold(by=by, key=w.key, threshold=10),
    ),
    "take a server into service": (
        ADMIN,
        lambda w, by: servers.change_server_state(
            by=by, server=w.staging_server, state=ServerState.LIVE
        ),
    ),
    "take a suspended server back into service": (ADMIN, lambda w, by: _resume(w, by)),
    "save_draft": (
        RENNES_DSI,
        lambda w, by: technical.save_draft(
            by=by, institution=w.cast.rennes, fields={"server_name": "GPU-7"}
        ),
    ),
    "revise_form": (
        RENNES_DSI,
        lambda w, by: technical.revise_form(by=by, form=w.form, fields={"gpu_count": 4}),
    ),
    "accept_form": (ADMIN, lambda w, by: technical.accept_form(by=by, form=w.form)),
    "decline_form": (
        ADMIN,
        lambda w, by: technical.decline_form(by=by, form=w.form, reason="no certificate"),
    ),
    "request_run": (RENNES_DSI, lambda w, by: runs.request_run(by=by, server=w.staging_server)),
    "conclude_run": (NOBODY, lambda w, by: runs.conclude_run(by=by, run=w.run)),
    "plan_maintenance": (
        RENNES_DSI,
        lambda w, by: maintenance.plan_maintenance(
            by=by, server=w.staging_server, starts_at=timezone.now() + timedelta(hours=1)
        ),
    ),
    "cancel_maintenance": (
        RENNES_DSI,
        lambda w, by: maintenance.cancel_maintenance(by=by, maintenance=w.maintenance),
    ),
    "begin_maintenance": (
        RENNES_DSI,
        lambda w, by: maintenance.begin_maintenance(by=by, maintenance=w.maintenance),
    ),
    "end_maintenance": (RENNES_DSI, lambda w, by: _end_maintenance(w, by)),
    "pause_server": (
        RENNES_DSI,
        lambda w, by: maintenance.pause_server(by=by, server=w.server),
    ),
    "resume_server": (RENNES_DSI, lambda w, by: _resume_paused(w, by)),
}
HANDED_IN = {"submit_form"}
"""It tells of what the product itself does too: `tests/integration/fleet/test_technical_form.py` has it."""


def _institution_that_left(world: World) -> Any:
    membership = world.cast.orleans.memberships.get()
    type(membership).objects.filter(pk=membership.pk).update(state=MembershipState.LEFT)
    return world.cast.orleans


def _resume(world: World, by: Actor) -> object:
    type(world.server).objects.filter(pk=world.server.pk).update(state=ServerState.SUSPENDED)
    return servers.change_server_state(by=by, server=world.server, state=ServerState.LIVE)


def _end_maintenance(world: World, by: Actor) -> object:
    row = type(world.maintenance).objects
    row.filter(pk=world.maintenance.pk).update(state=MaintenanceState.UNDERWAY)
    return maintenance.end_maintenance(by=by, maintenance=world.maintenance)


def _resume_paused(world: World, by: Actor) -> object:
    rows = type(world.server).objects.filter(pk=world.server.pk)
    rows.update(state=ServerState.DRAINING, paused=True)
    return maintenance.resume_server(by=by, server=world.server)


PEOPLE = ("admin", "auditor", "rennes_dsi", "rennes_user", "reims_dsi", "orleans_user", "intruder")
OPERATORS = (CommandActor("tests"), SYSTEM)


@pytest.mark.parametrize("person", PEOPLE)
def test_an_act_is_done_and_told_or_refused_without_a_trace(world: World, person: str) -> None:
    by = world.cast.people()[person]
    before = AuditEvent.objects.count()

    for name, (allowed, act) in ACTS.items():
        with undone():
            if person in allowed:
                act(world, by)
            else:
                with pytest.raises(PermissionDenied):
                    act(world, by)
            told = AuditEvent.objects.filter(seq__gt=before)
            pseudonyms = {event.actor_pseudonym for event in told}
            assert pseudonyms == ({by.pseudonym} if person in allowed else set()), name


@pytest.mark.parametrize("by", OPERATORS, ids=["a command", "the system"])
def test_an_operator_at_the_machine_may_do_everything(world: World, by: Actor) -> None:
    before = AuditEvent.objects.count()
    kind, _pseudonym, command = by.audit_identity

    for name, (_allowed, act) in ACTS.items():
        with undone():
            act(world, by)
            event = AuditEvent.objects.filter(seq__gt=before).first()
            assert event is not None, name
            assert (event.actor_kind, event.actor_command) == (kind, command), name


def test_everybody_chooses_a_language_for_themselves(world: World) -> None:
    for person in world.cast.people().values():
        people.choose_language(by=person, language=Language.ENGLISH)

        event = AuditEvent.objects.order_by("seq").last()
        assert event is not None
        assert (event.actor_pseudonym, event.object_id) == (person.pseudonym, str(person.pk))


@contextmanager
def undone() -> Iterator[None]:
    """Leave the database as it was: one register serves several tries."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


MODULES: tuple[ModuleType, ...] = (
    *(access, keyring, catalogue, members, people),
    *(credentials, deployments, egress, guests, labels, publication, servers),
    *(maintenance, runs, technical),
)


def test_every_operation_is_tried_here() -> None:
    found = {
        name
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "by" in inspect.signature(function).parameters
    }

    assert found - {"choose_language"} - HANDED_IN == {name.partition(" ")[0] for name in ACTS} - {
        "take"
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_operations_take_keywords_only(module: ModuleType) -> None:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if function.__module__ == module.__name__ and "by" in parameters and name[0] != "_":
            assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}, name
