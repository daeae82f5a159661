"""States in the database move along their tables only, whoever asks."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from federation.catalogue.enums import TRANSITIONS as STAGES
from federation.catalogue.models import AIModel
from federation.catalogue.operations.aliases import add_alias
from federation.catalogue.operations.life import put_into_production, restore_model, retire_model
from federation.catalogue.operations.proposals import adopt_model, propose_model
from federation.catalogue.operations.registering import add_version, register_model
from federation.fleet.enums import (
    FORM_TRANSITIONS,
    MAINTENANCE_TRANSITIONS,
    SERVER_TRANSITIONS,
    SITE_GRANT_TRANSITIONS,
    DeploymentState,
    FormState,
    MaintenanceState,
    SiteGrantState,
)
from federation.fleet.operations.deployments import deploy_model, retire_deployment
from federation.fleet.operations.egress import revoke_egress
from federation.fleet.operations.maintenance import (
    begin_maintenance,
    cancel_maintenance,
    end_maintenance,
)
from federation.fleet.operations.networks import (
    allow_site_egress,
    decline_site_egress,
    withdraw_site_egress,
)
from federation.fleet.operations.servers import change_server_state, limit_server
from federation.fleet.operations.technical import decline_form
from federation.journal.models import AuditEvent
from federation.members.enums import AGREEMENT_TRANSITIONS as AGREEMENTS
from federation.members.enums import BALLOT_TRANSITIONS as BALLOTS
from federation.members.enums import INVITATION_TRANSITIONS as INVITATIONS
from federation.members.enums import TRANSITIONS as MEMBERSHIPS
from federation.members.enums import (
    AgreementState,
    BallotState,
    Choice,
    InvitationState,
    Outcome,
)
from federation.members.models import Invitation
from federation.members.operations import change_membership_state, propose_membership
from federation.members.operations.agreements import (
    countersign_agreement,
    send_back_agreement,
    sign_agreement,
)
from federation.members.operations.ballots import cancel_ballot, cast_vote, close_ballot
from federation.members.operations.candidacies import withdraw_candidacy
from federation.members.operations.invitations import (
    accept_invitation,
    resend_invitation,
    withdraw_invitation,
)
from federation.transitions import ForbiddenTransitionError, Transitions
from routing.core.enums import LifecycleStage
from tests.integration.federation.world import World, undone
from tests.support.candidates import BOTH_SIGNED, SIGNED
from tests.support.factories import OPERATOR, make_user
from tests.support.lifecycle import APERTUS, deprecate, in_days, pass_checks

Move = Callable[[Any, Any], Any]


def every_step(
    table: Transitions, row: Model, field: str, move: Move
) -> list[tuple[str, str, bool]]:
    """Try each step from each state; return the steps with whether the row has moved."""
    steps = []
    for current, target in product(table, table):
        type(row)._default_manager.filter(pk=row.pk).update(**{field: current.value})
        told = AuditEvent.objects.count()
        try:
            move(row, target)
        except ValidationError:  # of a retired server, before its table is asked
            assert AuditEvent.objects.count() == told
        row.refresh_from_db()
        moved = getattr(row, field) == target and current != target
        steps.append((current, target, moved))
        assert moved or getattr(row, field) == current
    return steps


def succeeds(act: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            act()
    except ValidationError:
        return False
    return True


def allowed(table: Transitions) -> list[tuple[str, str, bool]]:
    return [
        (current, target, target in table[current]) for current, target in product(table, table)
    ]


def test_a_membership_moves_along_its_table_only(world: World) -> None:
    membership = world.cast.rennes.memberships.get()

    steps = every_step(
        MEMBERSHIPS,
        membership,
        "state",
        lambda row, state: change_membership_state(by=OPERATOR, membership=row, state=state),
    )

    assert steps == allowed(MEMBERSHIPS)


def test_a_ballot_moves_along_its_table_only(world: World) -> None:
    moves = {BallotState.CLOSED: close_ballot, BallotState.CANCELLED: cancel_ballot}
    cast_vote(by=world.cast.admin, ballot=world.ballot, choice=Choice.YES)
    outcomes = dict.fromkeys(BallotState, "") | {BallotState.CLOSED: Outcome.NO_QUORUM}

    for current, target in product(BallotState, BallotState):
        with undone():
            type(world.ballot).objects.filter(pk=world.ballot.pk).update(
                state=current, outcome=outcomes[current]
            )
            move = moves.get(target)
            act = partial(move, by=OPERATOR, ballot=world.ballot) if move else None
            moved = act is not None and succeeds(act)
            assert moved == (target in BALLOTS[current]), (current, target)


def test_an_agreement_moves_along_its_table_only(world: World) -> None:
    applicant, agreement = world.candidacy.applicant, world.agreement
    filed = agreement.signed
    files: dict[str, dict[str, object]] = {
        AgreementState.DRAWN_UP: {"signed": None, "countersigned": None},
        AgreementState.SIGNED: {"signed": filed, "countersigned": None},
        AgreementState.COUNTERSIGNED: {"signed": filed, "countersigned": filed},
        AgreementState.VOID: {"signed": None, "countersigned": None},
    }
    moves: dict[str, Callable[[], object]] = {
        AgreementState.DRAWN_UP: lambda: send_back_agreement(
            by=OPERATOR, agreement=agreement, remark="unreadable"
        ),
        AgreementState.SIGNED: lambda: sign_agreement(
            by=applicant, agreement=agreement, upload=SIGNED, signatory="A", signatory_function="B"
        ),
        AgreementState.COUNTERSIGNED: lambda: countersign_agreement(
            by=OPERATOR, agreement=agreement, upload=BOTH_SIGNED
        ),
        AgreementState.VOID: lambda: withdraw_candidacy(by=applicant, candidacy=world.candidacy),
    }

    for current, target in product(AgreementState, AgreementState):
        with undone():
            rows = type(agreement).objects.filter(pk=agreement.pk)
            rows.update(state=current, **files[current])
            succeeds(moves[target])
            moved = rows.get().state == target and current != target
            assert moved == (target in AGREEMENTS[current]), (current, target)


def test_an_invitation_moves_along_its_table_only(world: World) -> None:
    person = make_user("invited")
    rows = type(world.invitation).objects.filter(pk=world.invitation.pk)
    rows.update(email=person.email, digest=Invitation.digest_of("token"))
    moves: dict[str, Callable[[], object]] = {
        InvitationState.PENDING: lambda: resend_invitation(
            by=world.cast.rennes_dsi, invitation=world.invitation
        ),
        InvitationState.ACCEPTED: lambda: accept_invitation(by=person, token="token"),
        InvitationState.WITHDRAWN: lambda: withdraw_invitation(
            by=world.cast.rennes_dsi, invitation=world.invitation
        ),
    }

    for current, target in product(InvitationState, InvitationState):
        with undone():
            accepted = person if current == InvitationState.ACCEPTED else None
            rows.update(state=current, accepted_by=accepted)
            succeeds(moves[target])
            moved = rows.get().state == target and current != target
            assert moved == (target in INVITATIONS[current]), (current, target)


def test_a_model_moves_along_its_stages_only(world: World) -> None:
    """Each step has an operation of its own, tried here from every stage, on the day of the end."""
    rows = AIModel.objects.filter(pk=world.model.pk)
    pass_checks(world.server)
    moves: dict[str, Callable[[], object]] = {
        LifecycleStage.PROPOSED: lambda: propose_model(
            by=OPERATOR, slug=world.model.slug, facts=APERTUS
        ),
        LifecycleStage.STAGING: lambda: adopt_model(by=OPERATOR, model=rows.get(), reason="voted"),
        LifecycleStage.PRODUCTION: lambda: _to_production(rows.get()),
        LifecycleStage.DEPRECATED: lambda: deprecate(rows.get()),
        LifecycleStage.RETIRED: lambda: retire_model(by=OPERATOR, model=rows.get(), reason="over"),
    }

    for current, target in product(LifecycleStage, LifecycleStage):
        with undone():
            rows.update(stage=current)
            if current == LifecycleStage.DEPRECATED:
                rows.update(deprecated_at=timezone.now(), retires_on=in_days(0))
            told = world.model.stage_changes.count()
            succeeds(moves[target])
            moved = rows.get().stage == target and current != target
            assert moved == (target in STAGES[current]), (current, target)
            assert world.model.stage_changes.count() == told + moved


def _to_production(model: AIModel) -> object:
    if model.stage == LifecycleStage.DEPRECATED:
        return restore_model(by=OPERATOR, model=model, reason="still needed")
    return put_into_production(by=OPERATOR, model=model)


def test_a_server_moves_along_its_table_only(world: World) -> None:
    world.run.delete()  # a report that is still to come keeps a server out of service
    steps = every_step(
        SERVER_TRANSITIONS,
        world.server,
        "state",
        lambda row, state: change_server_state(by=OPERATOR, server=row, state=state),
    )

    assert steps == allowed(SERVER_TRANSITIONS)


def test_a_time_away_moves_along_its_table_only(world: World) -> None:
    moves = {
        MaintenanceState.UNDERWAY: begin_maintenance,
        MaintenanceState.OVER: end_maintenance,
        MaintenanceState.CANCELLED: cancel_maintenance,
    }

    def move(row: Any, state: MaintenanceState) -> object:
        if state not in moves:
            raise ValidationError("nobody plans what was planned already")
        return moves[state](by=OPERATOR, maintenance=row)

    steps = every_step(MAINTENANCE_TRANSITIONS, world.maintenance, "state", move)

    assert steps == allowed(MAINTENANCE_TRANSITIONS)


def test_a_network_moves_along_its_table_only(world: World) -> None:
    moves: dict[SiteGrantState, Callable[[Any], object]] = {
        SiteGrantState.GRANTED: lambda row: allow_site_egress(by=OPERATOR, grant=row),
        SiteGrantState.DECLINED: lambda row: decline_site_egress(
            by=OPERATOR, grant=row, answer="too large"
        ),
        SiteGrantState.WITHDRAWN: lambda row: withdraw_site_egress(by=OPERATOR, grant=row),
    }
    rows = type(world.network).objects.filter(pk=world.network.pk)

    for current, target in product(SITE_GRANT_TRANSITIONS, moves):
        with undone():
            rows.update(state=current, answer="no" if current == SiteGrantState.DECLINED else "")
            moved = succeeds(partial(moves[target], world.network))
            assert moved == (target in SITE_GRANT_TRANSITIONS[current]), (current, target)
            assert rows.get().state == (target if moved else current)


def test_a_form_is_decided_about_once_it_is_handed_in(world: World) -> None:
    for state in FORM_TRANSITIONS:
        type(world.form).objects.filter(pk=world.form.pk).update(state=state)
        with undone():
            if FormState.DECLINED in FORM_TRANSITIONS[state]:
                decline_form(by=OPERATOR, form=world.form, reason="no certificate")
            else:
                with pytest.raises(ValidationError):
                    decline_form(by=OPERATOR, form=world.form, reason="no certificate")


def test_a_deployment_is_taken_off_once(world: World) -> None:
    retired = retire_deployment(by=OPERATOR, deployment=world.deployment)
    assert retired.state == DeploymentState.RETIRED

    with pytest.raises(ForbiddenTransitionError):
        retire_deployment(by=OPERATOR, deployment=world.deployment)


def test_a_name_on_a_server_is_free_again_when_its_deployment_is_taken_off(world: World) -> None:
    retire_deployment(by=OPERATOR, deployment=world.deployment)

    deploy_model(
        by=OPERATOR,
        server=world.server,
        version=world.deployment.version,
        served_name=world.deployment.served_name,
    )

    assert world.server.deployments.live().count() == 1


def test_a_permission_is_withdrawn_once(world: World) -> None:
    revoke_egress(by=OPERATOR, grant=world.grant)

    with pytest.raises(ValidationError) as refused:
        revoke_egress(by=OPERATOR, grant=world.grant)
    assert refused.value.code == "revoked"


def test_a_ceiling_is_a_number_of_requests(world: World) -> None:
    for number in (0, -1, 2**31):
        with pytest.raises(ValidationError) as refused:
            limit_server(by=OPERATOR, server=world.server, max_parallel=number)
        assert "max_parallel" in refused.value.message_dict


def test_a_ceiling_may_be_taken_away(world: World) -> None:
    limit_server(by=OPERATOR, server=world.server, max_parallel=3)

    assert limit_server(by=OPERATOR, server=world.server, max_parallel=None).max_parallel is None


def test_an_institution_that_left_may_come_back_as_a_candidate(world: World) -> None:
    membership = world.cast.orleans.memberships.get()
    change_membership_state(by=OPERATOR, membership=membership, state=_left())

    again = propose_membership(
        by=OPERATOR, institution=world.cast.orleans, is_contributor=True, is_consumer=True
    )

    assert world.cast.orleans.memberships.live().get() == again


def _left() -> Any:
    return next(state for state, targets in MEMBERSHIPS.items() if not targets)


def test_an_institution_is_proposed_once(world: World) -> None:
    with pytest.raises(ValidationError):
        propose_membership(
            by=OPERATOR, institution=world.cast.rennes, is_contributor=True, is_consumer=True
        )


def test_a_new_version_is_the_current_one_and_the_old_one_stays(world: World) -> None:
    old = world.model.versions.get()

    new = add_version(by=OPERATOR, model=world.model, revision="next", quantisation="FP8")

    assert world.model.versions.get(current=True) == new
    assert world.model.versions.count() == 2
    old.refresh_from_db()
    assert not old.current


def test_the_same_version_twice_is_refused_and_the_current_one_stays(world: World) -> None:
    current = world.model.versions.get()

    with pytest.raises(ValidationError):
        add_version(
            by=OPERATOR,
            model=world.model,
            revision=current.revision,
            context_length=current.context_length,
        )

    assert world.model.versions.get(current=True) == current


def test_a_name_is_one_models_whatever_its_case_alias_or_not(world: World) -> None:
    for name in ("mistral-small", "MISTRAL-SMALL", "Mistral-Small-3.2-24B"):
        with pytest.raises(ValidationError):
            register_model(by=OPERATOR, slug=name)
        with pytest.raises(ValidationError):
            add_alias(by=OPERATOR, model=world.proposed, name=name)


def test_a_model_with_an_odd_name_is_refused(db: None) -> None:
    for name in ("", " ", "a b", "-x", "é", "x" * 129, "a\nb", "a\n"):
        with pytest.raises(ValidationError):
            register_model(by=OPERATOR, slug=name)


def test_a_public_name_may_look_like_those_of_the_engines(db: None) -> None:
    model = register_model(
        by=OPERATOR, slug="meta-llama/Llama-3.1:8b_q4", stage=LifecycleStage.STAGING
    )

    assert model.slug == "meta-llama/Llama-3.1:8b_q4"
