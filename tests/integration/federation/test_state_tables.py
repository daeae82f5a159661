"""Every state table of the register, found as the document finds them: every pair of states is tried.

Through the operations: here for forms, runs and deployments, in `test_states` for the others. A new table fails until
it is named here. The database itself takes no state that its table does not know.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from enum import Enum
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from billing.enums import (
    CONTEST_TRANSITIONS,
    PERIOD_TRANSITIONS,
    REQUEST_TRANSITIONS,
    ContestState,
    PeriodState,
    RequestState,
)
from billing.models import AccountingPeriod, BudgetRequest, Contest
from billing.operations.contests import (
    Remedy,
    reject_contest,
    uphold_contest,
    withdraw_contest,
)
from billing.operations.months import close_month, draft_month
from billing.operations.requests import (
    approve_request,
    decline_request,
    fall_back,
    withdraw_request,
)
from dashboards.states import Table, tables
from federation.catalogue.models import AIModel
from federation.fleet.enums import (
    DEPLOYMENT_TRANSITIONS,
    FORM_TRANSITIONS,
    HELD_LEASES,
    LEASE_TRANSITIONS,
    RUN_TRANSITIONS,
    DeploymentState,
    FormState,
    LeaseState,
    RunState,
)
from federation.fleet.models import (
    ConformityRun,
    Deployment,
    InferenceServer,
    Lease,
    Maintenance,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.fleet.models.leases import LEASE
from federation.fleet.operations.deployments import retire_deployment
from federation.fleet.operations.leases import drain_lease, end_lease, expire_lease, renew_lease
from federation.fleet.operations.runs import conclude_run, request_run
from federation.fleet.operations.technical import (
    FIELDS,
    accept_form,
    decline_form,
    revise_form,
    submit_form,
)
from federation.journal.actors import SYSTEM
from federation.members.models import Agreement, Ballot, Invitation, Membership
from federation.transitions import ForbiddenTransitionError, Transitions, check_transition
from routing.bridge.conformity import claim
from routing.core.conformity import CHECKS, RunKind, Verdict
from routing.core.enums import ServerState
from tests.integration.federation import test_states
from tests.integration.federation.world import World, undone
from tests.support.factories import OPERATOR

TABLES = list(tables())
TABLE_NAMES = [table.name for table in TABLES]

EARLIEST = date(2024, 10, 1)


def moves(
    rows: Any,
    table: Transitions[Any],
    prepare: Callable[[Any], object],
    act: Callable[[Any], object],
) -> dict[tuple[Any, Any], bool]:
    """Try every pair from a state that `prepare` brings about; return whether the row has moved."""
    moved = {}
    for current, target in product(table, table):
        with undone():
            prepare(current)
            with suppress(ValidationError), transaction.atomic():
                act(target)
            moved[current, target] = rows.get().state == target and current != target
    return moved


def allowed(table: Transitions[Any]) -> dict[tuple[Any, Any], bool]:
    return {pair: pair[1] in table[pair[0]] for pair in product(table, table)}


def make_run(server: InferenceServer, verdict: Verdict) -> ConformityRun:
    """A run whose lines all say this."""
    run = request_run(by=OPERATOR, server=server)
    for check in CHECKS[RunKind.CONFORMITY]:
        run.lines.create(check_name=check, verdict=verdict, finding="resolved", milliseconds=1)
    ConformityRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    return run


def _hand_in(row: TechnicalForm) -> None:
    if row.state == FormState.DRAFT:
        submit_form(by=OPERATOR, form=row)
    else:
        fields = {name: getattr(row, name) for name in FIELDS} | {"context_length": 4_096}
        revise_form(by=OPERATOR, form=row, fields=fields)


def _find_true(row: TechnicalForm) -> None:
    if row.server is not None:
        conclude_run(by=SYSTEM, run=make_run(row.server, Verdict.OK))


def test_a_lease_moves_along_its_table_only(world: World) -> None:
    lease = world.lease

    def prepare(state: LeaseState) -> None:
        ended_at = None if state in HELD_LEASES else timezone.now()
        Lease.objects.filter(pk=lease.pk).update(state=state, ended_at=ended_at)

    def act(state: LeaseState) -> object:
        match state:
            case LeaseState.DRAINING:
                return drain_lease(lease=lease)
            case LeaseState.ENDED:
                return end_lease(lease=lease)
            case LeaseState.EXPIRED:
                Lease.objects.filter(pk=lease.pk).update(heard_at=timezone.now() - 2 * LEASE)
                return expire_lease(lease=lease)
        return renew_lease(lease=lease, number=1)

    rows = Lease.objects.filter(pk=lease.pk)

    assert moves(rows, LEASE_TRANSITIONS, prepare, act) == allowed(LEASE_TRANSITIONS)


def test_a_technical_form_moves_along_its_table_only(world: World) -> None:
    form, server = world.form, world.form.server
    assert server is not None
    rows = TechnicalForm.objects.filter(pk=form.pk)
    servers = {
        FormState.DRAFT: None,
        FormState.SUBMITTED: ServerState.SUBMITTED,
        FormState.CHECKED: ServerState.STAGING,
        FormState.ACCEPTED: ServerState.LIVE,
        FormState.DECLINED: ServerState.RETIRED,
    }

    def prepare(state: FormState) -> None:
        of_it = servers[state]
        rows.update(state=state, server=server if of_it else None)
        if of_it:
            InferenceServer.objects.filter(pk=server.pk).update(state=of_it)

    acts: dict[FormState, Callable[[TechnicalForm], object]] = {
        FormState.SUBMITTED: _hand_in,
        FormState.CHECKED: _find_true,
        FormState.ACCEPTED: lambda row: accept_form(by=OPERATOR, form=row),
        FormState.DECLINED: lambda row: decline_form(by=OPERATOR, form=row, reason="no"),
    }

    def act(state: FormState) -> None:
        if state in acts:
            acts[state](rows.get())

    assert moves(rows, FORM_TRANSITIONS, prepare, act) == allowed(FORM_TRANSITIONS)


def test_a_run_moves_along_its_table_only(world: World) -> None:
    rows = ConformityRun.objects.filter(pk=world.run.pk)
    verdicts = {RunState.PASSED: Verdict.OK, RunState.FAILED: Verdict.FAILED}

    def prepare(state: RunState) -> None:
        ended = None if RUN_TRANSITIONS[state] else world.run.created_at
        rows.update(state=state, ended_at=ended)
        ConformityRun.objects.exclude(pk=world.run.pk).delete()

    def act(state: RunState) -> None:
        if state == RunState.RUNNING:
            claim("router")
            return
        run = rows.get()
        run.lines.all().delete()
        for check in CHECKS[RunKind(run.kind)] if state in verdicts else ():
            verdict = verdicts[state]
            run.lines.create(check_name=check, verdict=verdict, finding="resolved", milliseconds=1)
        conclude_run(by=SYSTEM, run=run)

    assert moves(rows, RUN_TRANSITIONS, prepare, act) == allowed(RUN_TRANSITIONS)


def test_a_deployment_moves_along_its_table_only(world: World) -> None:
    rows = Deployment.objects.filter(pk=world.deployment.pk)

    def act(state: DeploymentState) -> None:
        if state == DeploymentState.RETIRED:
            retire_deployment(by=OPERATOR, deployment=rows.get())

    tried = moves(rows, DEPLOYMENT_TRANSITIONS, lambda state: rows.update(state=state), act)

    assert tried == allowed(DEPLOYMENT_TRANSITIONS)


def test_a_month_moves_along_its_table_only(world: World) -> None:
    """One before all others, which need not be closed before it."""
    rows = AccountingPeriod.objects.filter(month=EARLIEST)
    closed = {"closed_at": timezone.now(), "statements_hash": "0"}

    def prepare(state: PeriodState) -> None:
        facts = closed if state == PeriodState.CLOSED else {}
        AccountingPeriod.objects.create(month=EARLIEST, state=state, **facts)

    acts = {PeriodState.GRACE: draft_month, PeriodState.CLOSED: close_month}

    def act(state: PeriodState) -> None:
        if state in acts:
            acts[state](by=OPERATOR, month=EARLIEST)

    assert moves(rows, PERIOD_TRANSITIONS, prepare, act) == allowed(PERIOD_TRANSITIONS)


def test_a_request_for_more_moves_along_its_table_only(world: World) -> None:
    rows = BudgetRequest.objects.filter(pk=world.asked.pk)
    today = timezone.localdate()
    more = 2 * 10**9
    facts = {"answer": "no", "before": 10**9, "granted": more, "until": today - timedelta(days=1)}

    def act(state: RequestState) -> None:
        match state:
            case RequestState.GRANTED:
                approve_request(by=OPERATOR, asked=rows.get(), granted=more)
            case RequestState.RAISED:
                approve_request(by=OPERATOR, asked=rows.get(), granted=more, until=today)
            case RequestState.DECLINED:
                decline_request(by=OPERATOR, asked=rows.get(), answer="no")
            case RequestState.WITHDRAWN:
                withdraw_request(by=OPERATOR, asked=rows.get())
            case RequestState.ENDED:
                fall_back(by=SYSTEM, asked=rows.get())

    def prepare(state: RequestState) -> None:
        rows.update(state=state, **facts)

    assert moves(rows, REQUEST_TRANSITIONS, prepare, act) == allowed(REQUEST_TRANSITIONS)


def test_a_contest_moves_along_its_table_only(world: World) -> None:
    rows = Contest.objects.filter(pk=world.contest.pk)

    def prepare(state: ContestState) -> None:
        rows.update(state=state, answered_at=timezone.now() if state.value != "open" else None)

    acts: dict[ContestState, Callable[[Contest], object]] = {
        ContestState.UPHELD: lambda row: uphold_contest(
            by=OPERATOR, contest=row, answer="yes", remedy=Remedy(amount_nano=1)
        ),
        ContestState.REJECTED: lambda row: reject_contest(by=OPERATOR, contest=row, answer="no"),
        ContestState.WITHDRAWN: lambda row: withdraw_contest(by=OPERATOR, contest=row),
    }

    def act(state: ContestState) -> None:
        if state in acts:
            acts[state](rows.get())

    assert moves(rows, CONTEST_TRANSITIONS, prepare, act) == allowed(CONTEST_TRANSITIONS)


TRIED: dict[str, tuple[type[Model], str, Callable[[World], None]]] = {
    "Membership": (Membership, "state", test_states.test_a_membership_moves_along_its_table_only),
    "Agreement": (Agreement, "state", test_states.test_an_agreement_moves_along_its_table_only),
    "Ballot": (Ballot, "state", test_states.test_a_ballot_moves_along_its_table_only),
    "Invitation": (Invitation, "state", test_states.test_an_invitation_moves_along_its_table_only),
    "Lifecycle stage": (AIModel, "stage", test_states.test_a_model_moves_along_its_stages_only),
    "Server": (InferenceServer, "state", test_states.test_a_server_moves_along_its_table_only),
    "Maintenance": (Maintenance, "state", test_states.test_a_time_away_moves_along_its_table_only),
    "Lease": (Lease, "state", test_a_lease_moves_along_its_table_only),
    "Site grant": (SiteEgressGrant, "state", test_states.test_a_network_moves_along_its_table_only),
    "Form": (TechnicalForm, "state", test_a_technical_form_moves_along_its_table_only),
    "Run": (ConformityRun, "state", test_a_run_moves_along_its_table_only),
    "Request": (BudgetRequest, "state", test_a_request_for_more_moves_along_its_table_only),
    "Period": (AccountingPeriod, "state", test_a_month_moves_along_its_table_only),
    "Contest": (Contest, "state", test_a_contest_moves_along_its_table_only),
    "Deployment": (Deployment, "state", test_a_deployment_moves_along_its_table_only),
}
"""Where a table's states are kept, and the test that tries its pairs."""


def test_every_table_is_tried() -> None:
    assert sorted(TABLE_NAMES) == sorted(TRIED)


@pytest.mark.parametrize("table", TABLES, ids=TABLE_NAMES)
def test_every_pair_is_allowed_or_refused_as_the_table_says(table: Table) -> None:
    for current, target in product(table.transitions, table.transitions):
        if target in table.transitions[current]:
            check_transition(table.transitions, current, target)
        else:
            with pytest.raises(ForbiddenTransitionError):
                check_transition(table.transitions, current, target)


@pytest.mark.parametrize("table", TABLES, ids=TABLE_NAMES)
def test_a_table_leads_nowhere_but_to_its_own_states(table: Table) -> None:
    states = set(table.transitions)

    enum = type(next(iter(states)))
    assert issubclass(enum, Enum)
    assert set(enum) == states
    assert all(targets <= states for targets in table.transitions.values())


@pytest.mark.parametrize("name", sorted(TRIED))
def test_the_database_takes_no_state_that_is_in_no_table(world: World, name: str) -> None:
    model, field, _test = TRIED[name]

    assert model._default_manager.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        model._default_manager.update(**{field: "odd"})
