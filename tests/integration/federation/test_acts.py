"""Every operation against everybody: done and told by the journal, or refused without a trace."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from federation.access import keyring, trials
from federation.access import operations as access
from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.catalogue.operations import (
    aliases,
    facts,
    life,
    minimum,
    notices,
    proposals,
    registering,
    routing,
)
from federation.fleet.enums import Engine, MaintenanceState, RunState
from federation.fleet.operations import (
    certificates,
    credentials,
    deployments,
    egress,
    guests,
    labels,
    maintenance,
    networks,
    offering,
    publication,
    rotation,
    runs,
    servers,
    technical,
)
from federation.journal.actors import SYSTEM, Actor, CommandActor
from federation.journal.models import AuditEvent
from federation.members.enums import Choice, MembershipState, SubjectKind, TextKind
from federation.members.operations import (
    agreements,
    ballots,
    candidacies,
    invitations,
    teams,
    texts,
)
from federation.members.operations import memberships as members
from federation.people import operations as people
from federation.people.enums import Language, Role
from federation.people.models import RoleGrant, User
from routing.core.enums import LifecycleStage, Measure, PriorityClass, RoutingMode, ServerState
from routing.core.keys import digest
from routing.upstream.credentials import Secret
from tests.integration.federation.world import SHOWN, World
from tests.support.candidates import BOTH_SIGNED, NANTES, PART
from tests.support.factories import PASSWORD
from tests.support.factors import set_app
from tests.support.lifecycle import APERTUS, bring_the_day, in_days

ADMIN = frozenset({"admin"})
RENNES_DSI = ADMIN | {"rennes_dsi"}
NOBODY = frozenset[str]()
Act = Callable[[World, Any], object]


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
        lambda w, by: members.add_institution(by=by, slug="brest", name="Brest"),
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
    "grant_role at one's own institution": (
        RENNES_DSI,
        lambda w, by: people.grant_role(
            by=by,
            user=w.cast.rennes_user,
            role=Role.PROJECT_OWNER,
            institution_id=w.cast.rennes.pk,
        ),
    ),
    "grant_role to somebody who was not invited": (
        ADMIN,
        lambda w, by: people.grant_role(
            by=by, user=w.cast.intruder, role=Role.USER, institution_id=w.cast.rennes.pk
        ),
    ),
    "revoke_role": (
        RENNES_DSI,
        lambda w, by: people.revoke_role(by=by, grant=w.cast.rennes_user.role_grants.get()),
    ),
    "revoke_role of the federation": (
        ADMIN,
        lambda w, by: people.revoke_role(by=by, grant=w.cast.auditor.role_grants.get()),
    ),
    "close_account": (
        ADMIN,
        lambda w, by: people.close_account(by=by, user=w.cast.rennes_user),
    ),
    "reset_second_factor": (
        ADMIN,
        lambda w, by: people.reset_second_factor(by=by, user=_somebody_with_an_app(w)),
    ),
    "reseal_everything": (NOBODY, lambda w, by: _seal_anew(w, by)),
    "send_back_agreement": (
        ADMIN,
        lambda w, by: agreements.send_back_agreement(
            by=by, agreement=w.agreement, remark="page 2 cannot be read"
        ),
    ),
    "countersign_agreement": (
        ADMIN,
        lambda w, by: agreements.countersign_agreement(
            by=by, agreement=w.agreement, upload=BOTH_SIGNED
        ),
    ),
    "open_ballot": (ADMIN, lambda w, by: _ask_again(w, by)),
    "cast_vote": (
        ADMIN,
        lambda w, by: ballots.cast_vote(by=by, ballot=w.ballot, choice=Choice.YES),
    ),
    "close_ballot": (ADMIN, lambda w, by: ballots.close_ballot(by=by, ballot=_due(w))),
    "cancel_ballot": (ADMIN, lambda w, by: ballots.cancel_ballot(by=by, ballot=w.ballot)),
    "publish_text": (
        ADMIN,
        lambda w, by: texts.publish_text(
            by=by, kind=TextKind.CHARTER, text_fr="# Charte", text_en="# Charter", seen=1
        ),
    ),
    "invite": (RENNES_DSI, lambda w, by: _invite(w, by, Role.PROJECT_OWNER)),
    "invite to the federation": (
        ADMIN,
        lambda w, by: invitations.invite(
            by=by, email="other@example.org", role=Role.AUDITOR, institution=None
        ),
    ),
    "resend_invitation": (
        RENNES_DSI,
        lambda w, by: invitations.resend_invitation(by=by, invitation=w.invitation),
    ),
    "withdraw_invitation": (
        RENNES_DSI,
        lambda w, by: invitations.withdraw_invitation(by=by, invitation=w.invitation),
    ),
    "create_team": (
        RENNES_DSI,
        lambda w, by: teams.create_team(by=by, institution=w.cast.rennes, name="Other"),
    ),
    "add_to_team": (
        RENNES_DSI,
        lambda w, by: teams.add_to_team(by=by, team=w.team, email="rennes_dsi@example.org"),
    ),
    "remove_from_team": (
        RENNES_DSI,
        lambda w, by: teams.remove_from_team(by=by, place=w.team.places.get()),
    ),
    "close_team": (RENNES_DSI, lambda w, by: teams.close_team(by=by, team=w.team)),
    "create_service_account": (
        RENNES_DSI,
        lambda w, by: teams.create_service_account(
            by=by, institution=w.cast.rennes, name="nightly indexing"
        ),
    ),
    "describe_model": (
        ADMIN,
        lambda w, by: facts.describe_model(by=by, model=w.model, facts={"licence": "MIT"}),
    ),
    "register_model": (ADMIN, lambda w, by: registering.register_model(by=by, slug="new-model")),
    "add_version": (
        ADMIN,
        lambda w, by: registering.add_version(by=by, model=w.model, revision="other"),
    ),
    "propose_model": (
        ADMIN,
        lambda w, by: proposals.propose_model(by=by, slug="apertus-70b", facts=APERTUS),
    ),
    "propose_model in the name of a member": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: proposals.propose_model(
            by=by, slug="apertus-70b", facts=APERTUS, institution=w.cast.rennes
        ),
    ),
    "withdraw_proposal": (
        ADMIN | {"rennes_user"},
        lambda w, by: proposals.withdraw_proposal(by=by, proposal=w.proposal),
    ),
    "adopt_model": (
        ADMIN,
        lambda w, by: proposals.adopt_model(by=by, model=w.proposed, reason="minutes of 3 May"),
    ),
    "put_into_production": (ADMIN, lambda w, by: _put_into_production(w, by)),
    "deprecate_model": (
        ADMIN,
        lambda w, by: life.deprecate_model(by=by, model=w.model, retires_on=in_days(60)),
    ),
    "change_deprecation": (
        ADMIN,
        lambda w, by: life.change_deprecation(by=by, model=_deprecated(w), retires_on=in_days(60)),
    ),
    "restore_model": (
        ADMIN,
        lambda w, by: life.restore_model(by=by, model=_deprecated(w), reason="still needed"),
    ),
    "retire_model": (
        ADMIN,
        lambda w, by: life.retire_model(by=by, model=bring_the_day(_deprecated(w))),
    ),
    "retire_model that was never offered": (
        ADMIN,
        lambda w, by: life.retire_model(by=by, model=w.proposed, reason="no licence"),
    ),
    "add_alias": (ADMIN, lambda w, by: aliases.add_alias(by=by, model=w.model, name="another")),
    "end_alias": (
        ADMIN,
        lambda w, by: aliases.end_alias(by=by, alias=w.alias, sunset=in_days(60)),
    ),
    "remove_alias": (ADMIN, lambda w, by: aliases.remove_alias(by=by, alias=w.alias)),
    "name_for_trial": (
        RENNES_DSI,
        lambda w, by: trials.name_for_trial(by=by, model=w.trial.model, key=w.key),
    ),
    "name_for_trial a key of others": (
        ADMIN,
        lambda w, by: trials.name_for_trial(
            by=by,
            model=w.trial.model,
            key=ApiKey.objects.get(application__institution=w.cast.orleans),
        ),
    ),
    "end_trial": (RENNES_DSI, lambda w, by: trials.end_trial(by=by, trial=w.trial)),
    "set_routing": (
        ADMIN,
        lambda w, by: routing.set_routing(by=by, model=w.model, settings={"longest_wait": 60}),
    ),
    "set_minimum": (
        ADMIN,
        lambda w, by: minimum.set_minimum(by=by, model=w.model, minimum={"protected_class": 4}),
    ),
    "open_alarm": (NOBODY, lambda w, by: _open_alarm(w, by)),
    "end_alarm": (
        NOBODY,
        lambda w, by: minimum.end_alarm(
            by=by, alarm=w.model.minimum_alarms.get(), ended_at=timezone.now()
        ),
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
    "ask_site_egress": (
        RENNES_DSI,
        lambda w, by: networks.ask_site_egress(
            by=by, site=w.site, wish=networks.Wish("10.1.0.0/24", (8000,), "a VLAN")
        ),
    ),
    "allow_site_egress": (
        ADMIN,
        lambda w, by: networks.allow_site_egress(by=by, grant=w.network),
    ),
    "decline_site_egress": (
        ADMIN,
        lambda w, by: networks.decline_site_egress(by=by, grant=w.network, answer="too large"),
    ),
    "withdraw_site_egress": (
        RENNES_DSI,
        lambda w, by: networks.withdraw_site_egress(by=by, grant=w.network),
    ),
    "trust_authorities": (
        RENNES_DSI,
        lambda w, by: certificates.trust_authorities(by=by, server=w.server, authorities="PEM"),
    ),
    "show_certificate": (
        RENNES_DSI,
        lambda w, by: certificates.show_certificate(by=by, server=w.server, shown=SHOWN),
    ),
    "remove_certificate": (
        RENNES_DSI,
        lambda w, by: certificates.remove_certificate(by=by, server=w.server),
    ),
    "warn_of_expiry": (
        NOBODY,
        lambda w, by: certificates.warn_of_expiry(by=by, certificate=w.certificate),
    ),
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
    "give_to_team": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: access.give_to_team(by=by, application=w.users_application, team=None),
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
    "discard_draft": (RENNES_DSI, lambda w, by: technical.discard_draft(by=by, form=w.draft)),
    "revise_form": (
        RENNES_DSI,
        lambda w, by: technical.revise_form(by=by, form=w.form, fields={"gpu_count": 4}),
    ),
    "accept_form": (ADMIN, lambda w, by: technical.accept_form(by=by, form=w.form)),
    "accept_and_offer": (
        ADMIN,
        lambda w, by: offering.accept_and_offer(by=by, form=w.form, reason="minutes of May"),
    ),
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


def _somebody_with_an_app(world: World) -> User:
    set_app(world.cast.rennes_user)
    return world.cast.rennes_user


def _seal_anew(world: World, by: Actor) -> object:
    """With a key that has sealed nothing yet."""
    keys = settings.ENCRYPTION_KEY
    with override_settings(ENCRYPTION_KEY=f"{Fernet.generate_key().decode()},{keys}"):
        return rotation.reseal_everything(by=by)


def _institution_that_left(world: World) -> Any:
    membership = world.cast.orleans.memberships.get()
    type(membership).objects.filter(pk=membership.pk).update(state=MembershipState.LEFT)
    return world.cast.orleans


def _ask_again(world: World, by: Actor) -> object:
    type(world.ballot).objects.filter(pk=world.ballot.pk).update(state="cancelled")
    return ballots.open_ballot(
        by=by,
        kind=SubjectKind.MEMBERSHIP,
        subject_id=world.ballot.subject_id,
        question="Shall Nantes become a member?",
        closes_at=timezone.now() + timedelta(days=1),
    )


def _due(world: World) -> Any:
    """Return the ballot, its hour come."""
    now = timezone.now()
    type(world.ballot).objects.filter(pk=world.ballot.pk).update(
        opens_at=now - timedelta(days=2), closes_at=now - timedelta(days=1)
    )
    return world.ballot


def _open_alarm(world: World, by: Actor) -> object:
    world.model.minimum_alarms.update(ended_at=timezone.now())
    least = world.model.minimum_services.get()
    return minimum.open_alarm(by=by, minimum=least, began_at=timezone.now(), servers=0, sites=0)


def _invite(world: World, by: Any, role: Role) -> object:
    return invitations.invite(
        by=by, email="other@example.org", role=role, institution=world.cast.rennes
    )


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


def _put_into_production(world: World, by: Actor) -> object:
    type(world.model).objects.filter(pk=world.model.pk).update(stage=LifecycleStage.STAGING)
    type(world.run).objects.filter(pk=world.run.pk).update(
        state=RunState.PASSED, ended_at=timezone.now()
    )
    return life.put_into_production(by=by, model=world.model)


def _deprecated(world: World) -> AIModel:
    """Return the model as if it had been deprecated, without a word in the journal."""
    rows = AIModel.objects.filter(pk=world.model.pk)
    rows.update(
        stage=LifecycleStage.DEPRECATED, deprecated_at=timezone.now(), retires_on=in_days(90)
    )
    return rows.get()


OF_PEOPLE = {"cast_vote", "invite", "resend_invitation", "withdraw_invitation"}
"""Acts that take a person: a command has no vote, and sends no invitation in somebody's name."""
OF_ONES_OWN = {
    *("choose_language", "accept_charter", "accept_invitation", "begin_candidacy"),
    *("describe_institution", "describe_part", "name_contacts", "submit_candidacy"),
    *("withdraw_candidacy", "sign_agreement", "draw_up", "move", "admit_if_settled"),
    *("enter", "note_stage", "adopt_by_ballot"),
}
"""Everybody's own affair, tried below and in `tests/integration/members`; and steps of other operations."""
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
        if name.split()[0] in OF_PEOPLE:
            continue
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


def test_nobody_writes_in_a_candidacy_of_others(world: World) -> None:
    for person in world.cast.people().values():
        for act in (
            lambda by: candidacies.describe_institution(
                by=by, candidacy=world.candidacy, seen="", facts=NANTES
            ),
            lambda by: candidacies.describe_part(
                by=by, candidacy=world.candidacy, seen="", facts=PART
            ),
            lambda by: candidacies.name_contacts(
                by=by, candidacy=world.candidacy, seen="", contacts={}
            ),
            lambda by: candidacies.submit_candidacy(by=by, candidacy=world.candidacy),
            lambda by: candidacies.withdraw_candidacy(by=by, candidacy=world.candidacy),
            lambda by: agreements.sign_agreement(
                by=by,
                agreement=world.agreement,
                upload=BOTH_SIGNED,
                signatory="",
                signatory_function="",
            ),
        ):
            with pytest.raises(PermissionDenied):
                act(person)


@contextmanager
def undone() -> Iterator[None]:
    """Leave the database as it was: one register serves several tries."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


MODULES: tuple[ModuleType, ...] = (
    *(access, keyring, trials, members, people),
    *(registering, proposals, life, notices, aliases, minimum, routing, facts),
    *(agreements, ballots, candidacies, invitations, teams, texts),
    *(credentials, deployments, egress, guests, labels, publication, rotation, servers),
    *(certificates, maintenance, networks, offering, runs, technical),
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

    assert found - OF_ONES_OWN - HANDED_IN == {name.partition(" ")[0] for name in ACTS} - {"take"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_operations_take_keywords_only(module: ModuleType) -> None:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if function.__module__ == module.__name__ and "by" in parameters and name[0] != "_":
            named = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
            assert {p.kind for p in parameters.values()} <= named, name
