"""Every way between two states is either in its table, or refused."""

from enum import Enum
from itertools import product

import pytest
from django.utils.translation import override

from federation.catalogue.enums import TRANSITIONS as STAGES
from federation.fleet.enums import DEPLOYMENT_TRANSITIONS, SERVER_STATE_LABELS, SERVER_TRANSITIONS
from federation.members.enums import TRANSITIONS as MEMBERSHIPS
from federation.members.enums import MembershipState
from federation.transitions import ForbiddenTransitionError, Transitions, check_transition
from routing.core.enums import LifecycleStage, ServerState

TABLES: dict[str, Transitions] = {
    "memberships": MEMBERSHIPS,
    "stages": STAGES,
    "servers": SERVER_TRANSITIONS,
    "deployments": DEPLOYMENT_TRANSITIONS,
}
STEPS = [
    pytest.param(table, current, target, id=f"{name}: {current.value} to {target.value}")
    for name, table in TABLES.items()
    for current, target in product(table, table)
]


@pytest.mark.parametrize(("table", "current", "target"), STEPS)
def test_a_step_is_allowed_exactly_when_the_table_has_it(
    table: Transitions, current: str, target: str
) -> None:
    if target in table[current]:
        check_transition(table, current, target)
    else:
        with pytest.raises(ForbiddenTransitionError):
            check_transition(table, current, target)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_knows_every_state_and_leads_nowhere_else(table: Transitions) -> None:
    states: type[Enum] = type(next(iter(table)))

    assert set(table) == set(states)
    assert frozenset[str]().union(*table.values()) <= set(table)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_no_state_leads_to_itself(table: Transitions) -> None:
    assert not [state for state, targets in table.items() if state in targets]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_state_leads_to_an_end_and_every_table_has_one_end(table: Transitions) -> None:
    ends = {state for state, targets in table.items() if not targets}
    reaching = set(ends)
    while more := {state for state in table if table[state] & reaching} - reaching:
        reaching |= more

    assert len(ends) == 1
    assert reaching == set(table)


def test_a_server_is_in_service_before_it_can_be_drained_or_suspended() -> None:
    assert SERVER_TRANSITIONS[ServerState.STAGING] == {ServerState.LIVE, ServerState.RETIRED}


def test_a_model_in_production_is_deprecated_before_it_is_retired() -> None:
    assert LifecycleStage.RETIRED not in STAGES[LifecycleStage.PRODUCTION]
    assert LifecycleStage.RETIRED in STAGES[LifecycleStage.DEPRECATED]


@pytest.mark.parametrize(
    ("current", "target", "told"),
    [
        ("live", "live", "« en service » : il n’y a rien à faire"),
        ("live", "retired", "De « en service », on ne passe pas à « retiré », mais à"),
        ("retired", "live", "« retiré », définitivement"),
    ],
)
def test_a_refusal_is_in_the_words_of_its_reader_and_says_what_there_is_to_do(
    current: str, target: str, told: str
) -> None:
    with override("fr"), pytest.raises(ForbiddenTransitionError) as refused:
        check_transition(
            SERVER_TRANSITIONS, ServerState(current), ServerState(target), SERVER_STATE_LABELS
        )

    with override("fr"):
        text = " ".join(refused.value.messages).replace("\u00a0", " ").replace("\u202f", " ")
    assert told in text
    assert "live" not in text


def test_a_state_that_has_a_label_needs_no_list_of_them() -> None:
    with override("en"), pytest.raises(ForbiddenTransitionError, match="“left”, and that is final"):
        check_transition(MEMBERSHIPS, MembershipState.LEFT, MembershipState.APPROVED)
