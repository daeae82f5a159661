"""Acts about institutions and people: memberships, votes, invitations, roles, accounts."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing.operations import erasure
from federation.journal.actors import Actor
from federation.members.enums import Choice, MembershipState, SubjectKind, TextKind
from federation.members.operations import (
    agreements,
    ballots,
    invitations,
    leaving,
    teams,
    texts,
)
from federation.members.operations import memberships as members
from federation.people import operations as people
from federation.people.enums import Role
from federation.people.models import RoleGrant, User
from tests.integration.federation.acts.who import ADMIN, NOBODY, RENNES_DSI, Acts
from tests.integration.federation.world import World
from tests.support.candidates import BOTH_SIGNED
from tests.support.factories import PASSWORD
from tests.support.factors import set_app


def remove_the_administrator(world: World) -> None:
    RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN).delete()


def make_link(world: World, by: Actor) -> object:
    remove_the_administrator(world)
    return people.make_first_admin_link(by=by)


def _somebody_with_an_app(world: World) -> User:
    set_app(world.cast.rennes_user)
    return world.cast.rennes_user


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
        closes_at=timezone.now() + timedelta(days=1),
    )


def _due(world: World) -> Any:
    """Return the ballot, its hour come."""
    now = timezone.now()
    type(world.ballot).objects.filter(pk=world.ballot.pk).update(
        opens_at=now - timedelta(days=2), closes_at=now - timedelta(days=1)
    )
    return world.ballot


def _invite(world: World, by: Any, role: Role) -> object:
    return invitations.invite(
        by=by, email="other@example.org", role=role, institution=world.cast.rennes
    )


def _somebody_who_left(world: World) -> User:
    User.objects.filter(pk=world.cast.orleans_user.pk).update(is_active=False)
    world.cast.orleans_user.refresh_from_db()
    return world.cast.orleans_user


ACTS: Acts = {
    "erase_person": (
        ADMIN,
        lambda w, by: erasure.erase_person(by=by, user=_somebody_who_left(w)),
    ),
    "forget_person": (
        ADMIN,
        lambda w, by: leaving.forget_person(by=by, user=_somebody_who_left(w)),
    ),
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
}
