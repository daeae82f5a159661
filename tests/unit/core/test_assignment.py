"""Who gets which server, who waits, who is refused and why: by example."""

import msgspec
import pytest

from routing.core.assignment import MAX_WAITING, TICK_SECONDS
from routing.core.candidates import MAX_MISSING, MISSING_SECONDS
from routing.core.enums import Health, RoutingMode, ServerState, Strategy
from routing.core.health import BACKOFF_SECONDS, HOLD_SECONDS, PROBE_IDLE
from routing.core.queueing import ANSWER_MARGIN
from routing.core.request import (
    UNUSED,
    Decision,
    FirstToken,
    Grant,
    Refusal,
    RefusalCode,
    Withdrawn,
)
from routing.core.retry import MAX_ATTEMPTS, RETRY_FLOOR, Failure
from tests.support.decisions import (
    MODEL,
    House,
    a_model,
    a_server,
    a_ticket,
    an_explanation,
    granted,
)

RENNES, REIMS = a_server("rennes-1"), a_server("reims-1")
FULL, LOST = Failure.FULL, Failure.LOST


def code_of(decision: Decision | None) -> RefusalCode:
    assert isinstance(decision, Refusal), decision
    return decision.code


def ids(decisions: list[Decision]) -> list[str]:
    return [granted(decision).id for decision in decisions]


# Who gets which server.


def test_a_grant_names_the_attempt_the_server_and_the_deployment() -> None:
    grant = House(RENNES).grant("t1")
    assert (grant.id, grant.attempt, grant.epoch) == ("t1", 1, 1)
    assert (grant.server_id, grant.deployment_id) == ("rennes-1", f"{MODEL}@rennes-1")
    assert grant.explain == an_explanation()
    assert grant.explain.in_words == "least-busy: 1 of 1 servers free, 0 in flight here"


def test_the_models_own_strategy_chooses() -> None:
    model = a_model("rennes-1", "reims-1", strategy=Strategy.ROUND_ROBIN)
    house = House(RENNES, REIMS, models=(model,))
    turns = [house.grant(f"t{number}").server_id for number in range(4)]
    assert turns == ["reims-1", "rennes-1", "reims-1", "rennes-1"]


def test_least_busy_looks_at_all_models_of_a_server() -> None:
    models = (a_model("rennes-1", "reims-1"), a_model("rennes-1", name="other"))
    house = House(RENNES, REIMS, models=models)
    house.grant("t1", model_id="other")
    house.grant("t2", model_id="other")
    assert {house.grant("t3").server_id, house.grant("t4").server_id} == {"reims-1"}


def test_private_first_prefers_an_own_server_and_takes_another_when_it_is_full() -> None:
    house = House(a_server("rennes-1", max_parallel=1), REIMS)
    own = {"mode": RoutingMode.PRIVATE_FIRST, "institution_id": "rennes"}
    assert house.grant("t1", **own).server_id == "rennes-1"
    assert house.grant("t2", **own).server_id == "reims-1"


def test_private_only_waits_for_an_own_server() -> None:
    house = House(a_server("rennes-1", max_parallel=1), REIMS)
    own = {"mode": RoutingMode.PRIVATE_ONLY, "institution_id": "rennes"}
    grant = house.grant("t1", **own)
    assert house.offer("t2", **own) is None
    assert ids(house.end(grant)) == ["t2"]


def test_a_server_in_staging_is_for_its_own_institution() -> None:
    house = House(a_server("rennes-1", state=ServerState.STAGING))
    assert house.grant("t1", institution_id="rennes").server_id == "rennes-1"
    assert code_of(house.offer("t2", institution_id="orleans")) is RefusalCode.NO_SERVER


@pytest.mark.parametrize(
    "state", [ServerState.DRAINING, ServerState.SUSPENDED, ServerState.RETIRED]
)
def test_a_server_out_of_service_gets_nothing(state: ServerState) -> None:
    house = House(a_server("rennes-1", state=state), REIMS)
    assert {house.grant(f"t{number}").server_id for number in range(3)} == {"reims-1"}


def test_a_deployment_is_asked_only_for_the_endpoints_that_it_declares() -> None:
    model = a_model("rennes-1", "reims-1")
    picky, other = model.deployments
    picky = msgspec.structs.replace(picky, endpoints=("embeddings",))
    house = House(RENNES, REIMS, models=(a_model(deployments=(picky, other)),))
    assert {house.grant(f"t{number}").server_id for number in range(3)} == {"reims-1"}


# Who is refused, and why.


def test_a_model_that_nobody_serves_is_refused() -> None:
    house = House(RENNES)
    assert code_of(house.offer("t1", model_id="unknown")) is RefusalCode.NO_SERVER
    house.show(RENNES, models=(a_model(),))
    assert code_of(house.offer("t2")) is RefusalCode.NO_SERVER


def test_private_only_is_refused_where_the_institution_hosts_nothing() -> None:
    refusal = House(RENNES).offer("t1", mode=RoutingMode.PRIVATE_ONLY)
    assert code_of(refusal) is RefusalCode.NOT_HOSTED


def test_when_all_servers_are_down_the_refusal_says_when_one_may_be_back() -> None:
    house = House(RENNES, REIMS)
    house.eject("rennes-1")
    house.eject("reims-1")
    house.clock.advance(0.5)
    refusal = house.offer("t1")
    assert code_of(refusal) is RefusalCode.ALL_DOWN
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after_ms == (BACKOFF_SECONDS - 0.5) * 1000


def test_a_waiting_ticket_is_refused_when_its_last_server_goes_down() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    grant = house.grant("t1")
    assert house.offer("t2") is None
    (refusal,) = house.end(grant, Failure.CONNECT)
    assert (refusal.id, code_of(refusal)) == ("t2", RefusalCode.ALL_DOWN)


def test_a_waiting_ticket_is_refused_when_a_probe_finds_its_last_server_down() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("t1")
    assert house.offer("t2") is None
    (refusal,) = house.decider.probed(
        "rennes-1", ok=False, failure=Failure.TIMEOUT, now=house.clock()
    )
    assert (refusal.id, code_of(refusal)) == ("t2", RefusalCode.ALL_DOWN)


def test_a_room_that_is_too_long_is_not_entered() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("running")
    for number in range(MAX_WAITING):
        assert house.offer(f"t{number}") is None
    assert code_of(house.offer("one too many")) is RefusalCode.FULL


def test_in_a_room_that_is_too_long_the_lowest_class_makes_room_whoever_asks_most_first() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("running")
    house.offer("quiet", priority=1, institution_id="orleans")
    for number in range(MAX_WAITING - 1):
        house.offer(f"t{number}", priority=1, institution_id="reims")

    (goes,) = house.decider.offer(a_ticket("high", priority=5), house.clock())

    assert goes.id == f"t{MAX_WAITING - 2}"
    assert code_of(goes) is RefusalCode.FULL
    assert house.decider.load(house.clock()).models[MODEL].waiting == MAX_WAITING


def test_a_ticket_is_refused_before_its_deadline() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("running")
    assert house.offer("t1", deadline_in_ms=10_000) is None
    assert house.decider.wake_at(house.clock()) == house.clock() + TICK_SECONDS
    assert house.pass_time(10 - ANSWER_MARGIN - 0.05) == []
    wake_at = house.decider.wake_at(house.clock())
    assert wake_at == pytest.approx(house.clock() + 0.05)
    assert code_of(house.pass_time(0.1)[0]) is RefusalCode.FULL
    assert house.decider.wake_at(house.clock()) is None


def test_a_ticket_without_time_is_served_now_or_never() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("t1", deadline_in_ms=0)
    assert code_of(house.offer("t2", deadline_in_ms=0)) is RefusalCode.FULL


def test_the_wait_told_comes_from_how_fast_the_room_is_drained() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    running = house.grant("running")
    for number in range(14):
        assert house.offer(f"t{number}") is None
    for _ in range(10):  # one a second
        house.pass_time(1)
        running = granted(house.end(running)[0])
    assert refused_for_want_of_time(house).retry_after_ms == pytest.approx(5000, rel=0.1)


def test_what_was_served_while_nobody_waited_says_nothing_of_how_fast_a_line_goes_on() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    for number in range(100):
        house.end(house.grant(f"quick {number}"))
    house.grant("long")
    house.offer("waits")
    house.pass_time(7)
    assert refused_for_want_of_time(house).retry_after_ms >= 7000


def test_one_that_has_waited_in_vain_is_told_to_wait_as_long_again() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("long")
    house.offer("waits", deadline_in_ms=6000)
    (refusal,) = house.pass_time(6)
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after_ms == pytest.approx(6000, rel=0.1)


def refused_for_want_of_time(house: House) -> Refusal:
    refusal = house.offer("late", deadline_in_ms=0)
    assert isinstance(refusal, Refusal)
    return refusal


def test_no_wait_is_told_while_another_server_is_open() -> None:
    house = House(RENNES, REIMS)
    house.eject("rennes-1")
    refusal = house.fail(house.grant("t1"))
    assert code_of(refusal) is RefusalCode.ALL_DOWN
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after_ms == 0


# Waiting.


def test_who_waits_is_served_in_the_order_of_arrival() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    grant = house.grant("t0")
    for number in range(1, 4):
        assert house.offer(f"t{number}") is None
    served = []
    while decisions := house.end(grant):
        grant = granted(decisions[0])
        served.append(grant.id)
    assert served == ["t1", "t2", "t3"]


def test_who_has_waited_elsewhere_keeps_its_place() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    grant = house.grant("t0")
    assert house.offer("t1") is None
    assert house.offer("t2", waited_ms=5000) is None
    assert ids(house.end(grant)) == ["t2"]


def test_a_place_of_a_shared_server_goes_to_the_model_that_waits_longest() -> None:
    models = (a_model("rennes-1"), a_model("rennes-1", name="other"))
    house = House(a_server("rennes-1", max_parallel=1), models=models)
    grant = house.grant("t0")
    assert house.offer("t1", model_id="other") is None
    assert house.offer("t2") is None
    assert ids(house.end(grant)) == ["t1"]


def test_a_newcomer_does_not_overtake_when_time_has_opened_a_server() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.end(house.grant("t0"), FULL)
    assert house.offer("t1") is None
    house.clock.advance(HOLD_SECONDS)
    assert ids(house.decider.offer(a_ticket("t2"), house.clock())) == ["t1"]


def test_a_ticket_that_cannot_be_served_does_not_hold_up_those_behind_it() -> None:
    house = House(a_server("rennes-1", max_parallel=1), a_server("reims-1", max_parallel=1))
    house.grant("t1", institution_id="rennes", mode=RoutingMode.PRIVATE_ONLY)
    other = house.grant("t2")
    assert house.offer("t3", institution_id="rennes", mode=RoutingMode.PRIVATE_ONLY) is None
    assert house.offer("t4") is None
    assert ids(house.end(other)) == ["t4"]


def test_who_leaves_frees_the_place() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("t0")
    assert house.offer("t1") is None
    assert house.offer("t2") is None
    house.decider.report(Withdrawn(id="t1"), house.clock())
    assert ids(house.decider.report(Withdrawn(id="t0"), house.clock())) == ["t2"]


# Failure.


def test_a_failed_attempt_goes_to_another_server() -> None:
    house = House(RENNES, REIMS)
    first = house.grant("t1")
    second = granted(house.fail(first))
    assert (second.attempt, {first.server_id, second.server_id}) == (2, {"rennes-1", "reims-1"})
    assert (house.in_flight(first.server_id), house.in_flight(second.server_id)) == (0, 1)


def test_when_every_server_has_failed_it_the_ticket_is_refused() -> None:
    house = House(RENNES, REIMS)
    second = granted(house.fail(house.grant("t1")))
    assert code_of(house.fail(second)) is RefusalCode.ATTEMPTS


def test_the_fourth_attempt_is_the_last() -> None:
    house = House(*(a_server(f"rennes-{number}") for number in range(10)))
    grant = house.grant("t1")
    for _ in range(MAX_ATTEMPTS - 1):
        grant = granted(house.fail(grant))
    assert code_of(house.fail(grant)) is RefusalCode.ATTEMPTS


def test_a_retry_goes_to_the_head_of_the_room() -> None:
    house = House(a_server("rennes-1", max_parallel=1), a_server("reims-1", max_parallel=1))
    first, second = house.grant("t1"), house.grant("t2")
    house.clock.advance(1)
    assert house.offer("t3") is None
    assert house.fail(first, Failure.CONNECT) is None
    assert ids(house.end(second)) == ["t1"]


def test_a_place_that_a_failed_attempt_leaves_is_taken_by_another() -> None:
    house = House(a_server("rennes-1", max_parallel=1), a_server("reims-1", max_parallel=1))
    first = house.grant("t1")
    house.grant("t2")
    assert house.offer("t3") is None
    decisions = house.decider.retry("t1", 1, LOST, house.clock())
    assert ids(decisions) == ["t3"]
    assert granted(decisions[0]).server_id == first.server_id


def test_a_full_server_takes_nothing_from_anybody_for_a_while_then_the_same_request_again() -> None:
    house = House(RENNES)
    assert house.fail(house.grant("t1"), FULL) is None
    assert house.offer("t2") is None
    assert house.pass_time(HOLD_SECONDS / 2) == []
    assert ids(house.pass_time(HOLD_SECONDS)) == ["t1"]
    assert house.health("rennes-1") == Health.HEALTHY


def test_a_full_server_is_left_alone_for_as_long_as_it_asked() -> None:
    house = House(RENNES)
    assert house.fail(house.grant("t1"), FULL, retry_after_ms=7000) is None
    assert house.pass_time(6.9) == []
    assert ids(house.pass_time(0.2)) == ["t1"]


def test_a_missing_endpoint_is_remembered_for_a_while_and_harms_nobody() -> None:
    house = House(RENNES)
    refused = house.fail(house.grant("t1"), Failure.NO_ENDPOINT)
    assert code_of(refused) is RefusalCode.ENDPOINT
    assert code_of(house.offer("t2")) is RefusalCode.ENDPOINT
    house.grant("t3", endpoint="embeddings")
    assert house.health("rennes-1") == Health.HEALTHY
    house.clock.advance(MISSING_SECONDS)
    house.grant("t4")


def test_paths_that_clients_make_up_fill_no_memory() -> None:
    house = House(RENNES)
    for number in range(3 * MAX_MISSING):
        house.fail(house.grant(f"t{number}", endpoint=f"made/up/{number}"), Failure.NO_ENDPOINT)
    (route,) = house.decider._fleet.rooms[MODEL].routes
    assert len(route._missing) <= MAX_MISSING


@pytest.mark.parametrize(("before", "retried"), [(0, RETRY_FLOOR), (10 * RETRY_FLOOR, None)])
def test_retries_stop_when_they_are_too_many_of_the_requests(
    before: int, retried: int | None
) -> None:
    house = House(*(a_server(f"rennes-{number}") for number in range(3)))
    for number in range(before):
        house.end(house.grant(f"before {number}"))
    decisions = []
    for number in range(RETRY_FLOOR + 10):
        house.end(house.grant(f"good {number}"))
        first = house.fail(house.grant(f"t{number}"))
        assert isinstance(first, Grant), "what a dying server held is always tried once more"
        house.end(house.grant(f"also good {number}"))
        decisions.append(house.fail(first))
        if isinstance(decisions[-1], Grant):
            house.end(decisions[-1])
    refused = decisions[retried:] if retried else []
    assert all(isinstance(decision, Grant) for decision in decisions[:retried])
    assert all(code_of(decision) is RefusalCode.RETRY_BUDGET for decision in refused)


def test_all_that_a_dying_server_held_is_tried_elsewhere_however_much_it_was() -> None:
    house = House(RENNES)
    held = [house.grant(f"t{number}") for number in range(5 * RETRY_FLOOR)]
    house.show(RENNES, REIMS)
    assert {granted(house.fail(grant)).server_id for grant in held} == {"reims-1"}


def test_full_servers_and_missing_endpoints_cost_no_budget() -> None:
    house = House(RENNES, REIMS)
    for number in range(2 * RETRY_FLOOR):
        house.fail(house.grant(f"t{number}", endpoint=f"e{number}"), Failure.NO_ENDPOINT)
    house.grant("t")
    assert house.decider._fleet.rooms[MODEL].budget.take(house.clock())


# Health.


def test_an_ejected_server_gets_nothing_while_another_has_room() -> None:
    house = House(RENNES, REIMS)
    house.eject("rennes-1")
    house.clock.advance(BACKOFF_SECONDS + 1)
    assert {house.grant(f"t{number}").server_id for number in range(5)} == {"reims-1"}


def test_an_ejected_server_is_tried_with_one_request_when_there_is_no_other() -> None:
    house = House(RENNES)
    house.eject("rennes-1")
    house.clock.advance(BACKOFF_SECONDS)
    trial = house.grant("t1")
    assert house.offer("t2") is None
    assert house.health("rennes-1") == Health.PROBING
    token = FirstToken(id=trial.id, attempt=1, after_ms=3)
    assert ids(house.decider.report(token, house.clock())) == ["t2"]
    assert house.health("rennes-1") == Health.HEALTHY


def test_an_ejected_server_that_still_runs_all_it_may_is_not_tried() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    stuck = house.grant("stuck")
    house.eject("rennes-1")
    house.clock.advance(BACKOFF_SECONDS)
    assert code_of(house.offer("t1")) is RefusalCode.ALL_DOWN
    house.end(stuck, UNUSED)
    house.grant("t2")


def test_when_the_trial_fails_those_who_hoped_for_it_are_refused() -> None:
    house = House(RENNES)
    house.eject("rennes-1")
    house.clock.advance(BACKOFF_SECONDS)
    trial = house.grant("t1")
    assert house.offer("t2") is None
    (refusal,) = house.end(trial, LOST)
    assert (refusal.id, code_of(refusal)) == ("t2", RefusalCode.ALL_DOWN)


def test_when_the_trial_is_left_the_next_in_line_takes_its_place() -> None:
    house = House(RENNES)
    house.eject("rennes-1")
    house.clock.advance(BACKOFF_SECONDS)
    trial = house.grant("t1")
    assert house.offer("t2") is None
    assert ids(house.end(trial, UNUSED)) == ["t2"]


def test_an_institution_that_provokes_failures_takes_no_server_from_others() -> None:
    house = House(RENNES)
    house.decider.probes_due(house.clock())
    house.decider.probed("rennes-1", ok=True, failure=None, now=house.clock())
    for number in range(9):
        house.end(house.grant(f"t{number}"), Failure.SERVER_ERROR)  # each with a key of its own
    assert house.decider.probes_due(house.clock()) == ("rennes-1",)
    assert house.grant("of others", institution_id="reims").server_id == "rennes-1"


def test_a_probe_that_heals_lets_those_who_wait_in() -> None:
    house = House(RENNES)
    house.eject("rennes-1")
    house.clock.advance(BACKOFF_SECONDS)
    assert house.decider.probes_due(house.clock()) == ("rennes-1",)
    assert house.offer("t1") is None
    healed = house.decider.probed("rennes-1", ok=True, failure=None, now=house.clock())
    assert ids(healed) == ["t1"]


def test_a_server_that_is_named_for_a_probe_is_not_named_again() -> None:
    house = House(RENNES, REIMS, a_server("reims-2", state=ServerState.SUSPENDED))
    assert house.decider.probes_due(house.clock()) == ("rennes-1", "reims-1")
    assert house.decider.probes_due(house.clock()) == ()
    for server_id in ("rennes-1", "reims-1", "gone"):
        house.decider.probed(server_id, ok=True, failure=None, now=house.clock())
    assert house.decider.probes_due(house.clock()) == ()
    house.clock.advance(PROBE_IDLE)
    assert house.decider.probes_due(house.clock()) == ("rennes-1", "reims-1")


@pytest.mark.parametrize("answer", [FULL, Failure.NO_ENDPOINT])
def test_a_server_that_answers_a_probe_in_its_own_way_lives(answer: Failure) -> None:
    house = House(RENNES)
    house.decider.probes_due(house.clock())
    house.decider.probed("rennes-1", ok=False, failure=answer, now=house.clock())
    assert house.health("rennes-1") == Health.HEALTHY


def test_a_server_behind_a_new_token_starts_anew() -> None:
    house = House(RENNES)
    house.eject("rennes-1")
    house.show(a_server("rennes-1", credential="sealed"))
    assert house.health("rennes-1") == Health.HEALTHY


# The table.


def test_who_waits_is_served_by_a_server_that_comes() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("t1")
    assert house.offer("t2") is None
    assert ids(house.show(a_server("rennes-1", max_parallel=1), REIMS)) == ["t2"]


def test_who_waits_is_served_when_a_limit_is_raised() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    house.grant("t1")
    assert house.offer("t2") is None
    assert ids(house.show(a_server("rennes-1", max_parallel=2))) == ["t2"]


def test_who_waits_is_refused_when_the_model_goes() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    grant = house.grant("t1")
    assert house.offer("t2") is None
    (refusal,) = house.show(RENNES, models=(a_model("rennes-1", name="other"),))
    assert (refusal.id, code_of(refusal)) == ("t2", RefusalCode.NO_SERVER)
    assert house.end(grant) == []
    assert MODEL not in house.decider.load(house.clock()).models


def test_a_retry_is_answered_when_its_model_has_gone_meanwhile() -> None:
    house = House(RENNES)
    grant = house.grant("t1")
    house.show(RENNES, models=(a_model("rennes-1", name="other"),))
    assert code_of(house.offer("t2")) is RefusalCode.NO_SERVER
    assert code_of(house.fail(grant)) is RefusalCode.NO_SERVER
    assert house.decider.wake_at(house.clock()) is None


def test_a_retry_finds_its_model_when_that_has_gone_and_come_back() -> None:
    house = House(RENNES, REIMS)
    grant = house.grant("t1")
    house.show(RENNES, REIMS, models=(a_model("rennes-1", name="other"),))
    house.show(RENNES, REIMS)
    assert granted(house.fail(grant)).server_id != grant.server_id
    assert house.decider.load(house.clock()).models[MODEL].in_flight == 1


def test_a_model_that_has_gone_is_forgotten_once_nothing_of_it_runs() -> None:
    house, other = House(RENNES), a_model("rennes-1", name="other")
    grant = house.grant("t1")
    house.show(RENNES, models=(other,))
    house.end(grant)
    house.show(RENNES, models=(other,))
    assert house.decider._fleet.rooms.keys() == {"other"}


def test_what_runs_on_a_server_that_goes_and_comes_back_still_counts() -> None:
    limited = a_server("rennes-1", max_parallel=1)
    house = House(limited, REIMS)
    house.grant("t0")
    grant = house.grant("t1")
    assert {grant.server_id} <= {"rennes-1", "reims-1"}
    house.show(REIMS)
    house.show(limited, REIMS)
    assert (house.in_flight("rennes-1"), house.in_flight("reims-1")) == (1, 1)


def test_a_server_that_has_gone_and_runs_nothing_is_forgotten() -> None:
    house = House(RENNES, REIMS)
    house.show(REIMS)
    assert house.decider._fleet.hosts.keys() == {"reims-1"}


def test_a_deployment_on_a_server_that_the_table_does_not_have_is_passed_over() -> None:
    house = House(RENNES, models=(a_model("rennes-1", "never-registered"),))
    assert house.grant("t1").server_id == "rennes-1"


def test_a_table_that_changes_only_keys_leaves_what_is_known_of_servers() -> None:
    house = House(RENNES)
    house.fail(house.grant("t1"), Failure.NO_ENDPOINT)
    table = house.decider._fleet.table
    assert house.decider.replace_table(table.replaced(table.principals), house.clock()) == []
    assert code_of(house.offer("t2")) is RefusalCode.ENDPOINT


# What is told twice, late or wrongly.


def test_a_ticket_offered_again_keeps_its_grant() -> None:
    house = House(RENNES)
    assert house.offer("t1") == house.offer("t1")
    assert house.in_flight("rennes-1") == 1


def test_an_end_counts_once() -> None:
    house = House(RENNES)
    grant = house.grant("t1")
    house.end(grant)
    house.end(grant)
    assert house.in_flight("rennes-1") == 0


def test_news_of_an_earlier_attempt_changes_nothing() -> None:
    house = House(RENNES, REIMS)
    first = house.grant("t1")
    second = granted(house.fail(first))
    house.end(first)
    assert house.in_flight(second.server_id) == 1
    assert code_of(house.fail(first)) is RefusalCode.ATTEMPTS
    assert house.in_flight(second.server_id) == 1


def test_an_outcome_that_nobody_knows_frees_the_place() -> None:
    house = House(RENNES)
    house.end(house.grant("t1"), "from a later version")
    assert (house.in_flight("rennes-1"), house.health("rennes-1")) == (0, Health.HEALTHY)


def test_deadlines_of_tickets_that_were_served_do_not_pile_up() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    grant = house.grant("t0")
    for number in range(1, 5000):
        assert house.offer(f"t{number}") is None
        grant = granted(house.end(grant)[0])
    assert len(house.decider._deadlines) < 2000


# The load.


def test_the_load_tells_servers_and_models_as_they_are() -> None:
    models = (a_model("rennes-1", "reims-1"), a_model("reims-1", name="other"))
    house = House(a_server("rennes-1", max_parallel=1), REIMS, models=models)
    house.eject("reims-1")
    house.grant("t1")
    assert house.offer("t2") is None
    load = house.decider.load(house.clock())
    rennes, reims = load.servers["rennes-1"], load.servers["reims-1"]
    assert (rennes.health, rennes.in_flight, rennes.limit, rennes.retry_in_ms) == (
        "healthy",
        1,
        1,
        0,
    )
    assert (reims.health, reims.in_flight, reims.limit, reims.failures) == ("ejected", 0, 0, 1)
    assert reims.retry_in_ms == BACKOFF_SECONDS * 1000
    model, other = load.models[MODEL], load.models["other"]
    assert (model.in_flight, model.waiting, model.available_servers) == (1, 1, 1)
    assert (other.in_flight, other.waiting, other.available_servers) == (0, 0, 0)
