"""Critical models below their minimum: who makes way, who goes first, since when, and which model stands in."""

from typing import Any

import pytest

from routing.core.enums import Health, Lane, Limiting, RoutingMode, ServerState
from routing.core.health import BACKOFF_SECONDS
from routing.core.minimum import BEGINS_AFTER, ENDS_AFTER
from routing.core.request import Decision, MinimumLoad, Refusal, RefusalCode
from routing.core.retry import Failure
from routing.core.stops import Stop, Stopped, Stops
from routing.core.table import GuestRules, Minimum, Server
from tests.support.decisions import MODEL, House, a_model, a_server, a_table, granted

RENNES, REIMS = a_server("rennes-1", max_parallel=1), a_server("reims-1", max_parallel=1)
FALLBACK = "mistral-small"


def a_minimum(**changes: Any) -> Minimum:
    return Minimum(**{"servers": 2, "sites": 2, "protected_class": 3, **changes})


def critical(*servers: str, **changes: Any) -> Any:
    return a_model(*servers, minimum=a_minimum(**changes))


def critical_house(*servers: Server, **changes: Any) -> House:
    servers = servers or (RENNES, REIMS)
    return House(*servers, models=(critical(*(each.id for each in servers), **changes),))


def standing(house: House) -> MinimumLoad:
    found = house.decider.load(house.clock()).models[MODEL].minimum
    assert found is not None
    return found


def keep_down(house: House, server: str, seconds: float) -> list[Decision]:
    """Let a server stay away for so long, as probes find it again and again."""
    house.eject(server)
    look_after(house, server, ok=False)
    decisions = []
    for _ in range(round(seconds)):
        decisions += house.pass_time(1)
        decisions += look_after(house, server, ok=False)
    return decisions


def look_after(house: House, server: str, *, ok: bool) -> list[Decision]:
    """Probe what is due, as routers do twice a second; the others are well."""
    return [
        decision
        for due in house.decider.probes_due(house.clock())
        for decision in house.decider.probed(
            due,
            ok=ok or due != server,
            failure=None if ok or due != server else Failure.CONNECT,
            now=house.clock(),
        )
    ]


def heal(house: House, server: str) -> None:
    """Pass time until a probe finds the server well."""
    for _ in range(100):
        house.pass_time(1)
        look_after(house, server, ok=True)
        if house.health(server) == Health.HEALTHY:
            return
    raise AssertionError("nobody looks after it")


def refused(decision: Decision | None) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


# What counts


def test_a_model_without_a_minimum_is_never_below_it() -> None:
    house = House(RENNES)

    assert house.decider.load(house.clock()).models[MODEL].minimum is None


def test_two_servers_of_one_site_are_one_site() -> None:
    house = critical_house(RENNES, a_server("rennes-2"))

    now = standing(house)

    assert (now.servers, now.sites, now.is_met, now.missing) == (2, 1, False, 1)


def test_sites_of_the_same_name_at_two_institutions_are_two() -> None:
    assert standing(critical_house()).is_met


@pytest.mark.parametrize(
    "changes",
    [
        {"state": ServerState.DRAINING},
        {"state": ServerState.STAGING},
        {"state": ServerState.SUSPENDED},
        {"guests": GuestRules(models=frozenset({MODEL}))},
    ],
    ids=["draining", "staging", "suspended", "kept for its owner"],
)
def test_what_is_not_there_for_everybody_does_not_count(changes: dict[str, Any]) -> None:
    now = standing(critical_house(RENNES, a_server("reims-1", **changes)))

    assert (now.servers, now.is_met) == (1, False)


def test_a_server_that_is_set_aside_or_runs_another_model_does_not_count() -> None:
    house = critical_house()
    house.eject("rennes-1")
    assert standing(house).servers == 1

    grant = house.grant("t1")
    house.fail(grant, Failure.NO_MODEL)

    assert standing(house).servers == 0


def test_what_operators_stopped_is_away_by_will_and_no_fallback_stands_in() -> None:
    stop = Stop(what=Stopped.MODEL, id=MODEL, name=MODEL, why="", since=0.0)
    table = a_table([RENNES], [critical("rennes-1", fallback_id=FALLBACK)])
    house = House(RENNES)

    house.decider.replace_table(Stops([stop]).applied(table), house.clock())

    assert house.decider.load(house.clock()).models[MODEL].minimum is None
    assert refused(house.offer("t1")).fallback_id is None


# Since when


def test_a_hiccup_sheds_nobody_and_a_fall_does() -> None:
    house = critical_house()
    house.grant("a")
    house.grant("b")

    keep_down(house, "rennes-1", BEGINS_AFTER - 1)
    assert house.offer("early", priority=1) is None
    keep_down(house, "rennes-1", 1)

    assert standing(house).sheds
    assert refused(house.offer("late", priority=1)).code is RefusalCode.MINIMUM


def test_the_minimum_must_be_there_for_a_while_before_lower_classes_come_back() -> None:
    house = critical_house()
    keep_down(house, "rennes-1", BEGINS_AFTER)
    heal(house, "rennes-1")

    house.pass_time(ENDS_AFTER - 1)
    assert standing(house).is_met
    assert standing(house).sheds

    house.pass_time(1)
    assert not standing(house).sheds


def test_a_server_that_comes_and_goes_does_not_let_classes_come_and_go() -> None:
    house = critical_house()
    keep_down(house, "rennes-1", BEGINS_AFTER)
    seen = []
    for _ in range(5):
        heal(house, "rennes-1")
        seen.append(standing(house).sheds)
        house.pass_time(ENDS_AFTER / 2)
        house.eject("rennes-1")
        seen.append(standing(house).sheds)

    assert all(seen)


def test_another_minimum_goes_on_from_how_it_stands() -> None:
    house = critical_house()
    keep_down(house, "rennes-1", BEGINS_AFTER)
    house.show(RENNES, REIMS, models=(critical("rennes-1", "reims-1", protected_class=4),))

    assert standing(house).sheds


# Who makes way


def full_house(**changes: Any) -> House:
    """Return a house below its minimum whose only server left is busy."""
    house = critical_house(**changes)
    keep_down(house, "rennes-1", BEGINS_AFTER)
    house.grant("running")
    return house


@pytest.mark.parametrize(("priority", "makes_way"), [(1, True), (2, True), (3, False), (5, False)])
def test_below_the_minimum_lower_classes_are_refused_at_once(
    priority: int, makes_way: bool
) -> None:
    decision = full_house().offer("t1", priority=priority)

    if makes_way:
        assert refused(decision).code is RefusalCode.MINIMUM
        assert refused(decision).retry_after_ms == ENDS_AFTER * 1000
    else:
        assert decision is None


def test_who_can_start_at_once_starts_whatever_the_class() -> None:
    house = critical_house()
    keep_down(house, "rennes-1", BEGINS_AFTER)

    assert house.grant("t1", priority=1).server_id == "reims-1"


def test_those_who_wait_make_way_from_the_lowest_class() -> None:
    house = critical_house()
    running = house.grant("a"), house.grant("b")
    for priority in (2, 5, 1, 3):
        assert house.offer(f"p{priority}", priority=priority) is None

    decisions = keep_down(house, "rennes-1", BEGINS_AFTER)

    assert [each.id for each in decisions if isinstance(each, Refusal)] == ["p1", "p2"]
    at_reims = next(grant for grant in running if grant.server_id == "reims-1")
    assert [granted(each).id for each in house.end(at_reims)] == ["p5"]


def test_what_runs_is_never_cut() -> None:
    house = critical_house()
    house.grant("a", priority=1)
    house.grant("b", priority=1)
    leaving = a_server("rennes-1", max_parallel=1, state=ServerState.DRAINING)

    decisions = house.show(leaving, REIMS, models=(critical("rennes-1", "reims-1"),))
    decisions += house.pass_time(BEGINS_AFTER)

    assert standing(house).sheds
    assert decisions == []
    assert (house.in_flight("rennes-1"), house.in_flight("reims-1")) == (1, 1)


def test_a_failed_attempt_of_a_lower_class_makes_way_too() -> None:
    third = a_server("lille-1", max_parallel=1)
    house = critical_house(RENNES, REIMS, third, servers=3, sites=3)
    keep_down(house, "rennes-1", BEGINS_AFTER)
    first, second = house.grant("a", priority=1), house.grant("b", priority=5)
    assert {first.server_id, second.server_id} == {"reims-1", "lille-1"}

    assert refused(house.fail(first)).code is RefusalCode.MINIMUM


def test_an_owner_keeps_its_right_to_its_own_server() -> None:
    house = full_house()
    own = {"institution_id": "reims", "mode": RoutingMode.PRIVATE_FIRST, "priority": 1}

    assert house.offer("of Reims", **own) is None
    assert refused(house.offer("guest", priority=1)).code is RefusalCode.MINIMUM


# Who goes first at servers that have other models too


def shared(**changes: Any) -> House:
    """Return a house below the critical model's minimum, whose server is busy with another model's request."""
    other = a_model("reims-1", name="other", **changes)
    house = House(RENNES, REIMS, models=(critical("rennes-1", "reims-1"), other))
    keep_down(house, "rennes-1", BEGINS_AFTER)
    house.running = house.grant("running", model_id="other", priority=5)  # type: ignore[attr-defined]
    return house


def test_protected_requests_go_before_those_of_other_models() -> None:
    house = shared()
    assert house.offer("other", model_id="other", priority=5) is None
    assert house.offer("critical", priority=3) is None

    (decision,) = house.end(house.running)  # type: ignore[attr-defined]

    assert granted(decision).id == "critical"
    assert granted(decision).explain.lane is Lane.MINIMUM


def test_an_owner_of_another_model_goes_before_them_all() -> None:
    house = shared()
    own = {"institution_id": "reims", "mode": RoutingMode.PRIVATE_FIRST, "priority": 1}
    assert house.offer("critical", priority=5) is None
    assert house.offer("owner", model_id="other", **own) is None

    (decision,) = house.end(house.running)  # type: ignore[attr-defined]

    assert granted(decision).id == "owner"


def test_a_protected_class_fills_servers_like_the_highest() -> None:
    """Else a higher class of another model, whose ceiling is higher, would take every place that comes free."""
    models = [
        a_model("reims-1", "rennes-1", limiting=Limiting.LEARNT, minimum=a_minimum()),
        a_model("reims-1", name="other", limiting=Limiting.LEARNT),
    ]
    house = House(a_server("rennes-1"), a_server("reims-1"), models=tuple(models))
    keep_down(house, "rennes-1", BEGINS_AFTER)
    waits = [house.offer(f"t{number}", priority=3) is None for number in range(100)]
    assert any(waits)

    assert house.offer("other", model_id="other", priority=5) is None


# Which model stands in


def test_a_fallback_is_named_when_nobody_is_left() -> None:
    house = critical_house(fallback_id=FALLBACK)
    house.eject("rennes-1")
    house.eject("reims-1")

    refusal = refused(house.offer("t1"))

    assert (refusal.code, refusal.fallback_id) == (RefusalCode.ALL_DOWN, FALLBACK)


def test_those_who_wait_are_led_to_the_fallback_when_the_last_server_goes() -> None:
    house = critical_house(RENNES, fallback_id=FALLBACK)
    house.grant("running")
    assert house.offer("waits") is None

    decisions = house.decider.probed(
        "rennes-1", ok=False, failure=Failure.CONNECT, now=house.clock()
    )

    assert [refused(each).fallback_id for each in decisions] == [FALLBACK]


def test_who_has_failed_at_every_server_is_led_to_the_fallback() -> None:
    house = critical_house(fallback_id=FALLBACK)
    again = granted(house.fail(house.grant("t1"), Failure.SERVER_ERROR))

    refusal = refused(house.fail(again, Failure.SERVER_ERROR))

    assert (refusal.code, refusal.fallback_id) == (RefusalCode.ATTEMPTS, FALLBACK)


def test_no_fallback_stands_in_for_rules_labels_paths_and_full_servers() -> None:
    house = critical_house(RENNES, fallback_id=FALLBACK)
    house.grant("running")
    ruled = critical_house(
        a_server("rennes-1", guests=GuestRules(lowest_class=5)), fallback_id=FALLBACK
    )
    refusals = [
        refused(house.offer("labels", labels=("hds",))),
        refused(house.offer("own only", mode=RoutingMode.PRIVATE_ONLY)),
        refused(house.offer("impatient", deadline_in_ms=0)),
        refused(ruled.offer("guest", priority=3)),
    ]

    assert [each.fallback_id for each in refusals] == [None] * 4


def test_who_makes_way_is_not_led_to_the_fallback() -> None:
    refusal = refused(full_house(fallback_id=FALLBACK).offer("t1", priority=1))

    assert (refusal.code, refusal.fallback_id) == (RefusalCode.MINIMUM, None)


def test_a_server_due_for_a_trial_is_tried_before_the_fallback() -> None:
    house = critical_house(RENNES, fallback_id=FALLBACK)
    house.eject("rennes-1")
    house.pass_time(BACKOFF_SECONDS)

    trial = house.grant("t1")

    assert refused(house.fail(trial, Failure.CONNECT)).fallback_id == FALLBACK
