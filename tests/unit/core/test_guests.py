"""What owners allow guests: whom, which models and classes, and how many at once by the hour."""

from typing import Any

import pytest

from routing.core.enums import RoutingMode
from routing.core.request import Refusal, RefusalCode
from routing.core.table import HOURS_OF_A_WEEK, GuestRules
from tests.support.decisions import MODEL, House, a_model, a_server

MONDAY_NOON = 12


def ceilings(by_hour: dict[int, int | None]) -> tuple[int | None, ...]:
    return tuple(by_hour.get(hour) for hour in range(HOURS_OF_A_WEEK))


def a_house(*others: str, **rules: Any) -> House:
    """Rennes' server under its rules; `others` have none."""
    return House(
        a_server("rennes-1", guests=GuestRules(**rules)), *(a_server(other) for other in others)
    )


def refused(decision: object) -> RefusalCode:
    assert isinstance(decision, Refusal), decision
    return decision.code


@pytest.mark.parametrize(
    "rules",
    [
        {"institutions": frozenset({"orleans"})},
        {"models": frozenset({MODEL})},
        {"lowest_class": 4},
        {"ceilings": ceilings({0: 0})},
    ],
    ids=lambda rules: next(iter(rules)),
)
def test_a_guest_against_a_rule_is_served_elsewhere_or_refused(rules: dict[str, Any]) -> None:
    alone, among = a_house(**rules), a_house("reims-1", **rules)

    assert refused(alone.offer("t1")) is RefusalCode.RULES
    assert {among.grant(f"t{number}").server_id for number in range(4)} == {"reims-1"}
    assert alone.grant("t2", institution_id="rennes").server_id == "rennes-1"


def test_guests_of_the_class_that_is_allowed_are_served() -> None:
    assert a_house(lowest_class=4).grant("t1", priority=4).server_id == "rennes-1"


def test_other_models_of_the_server_are_open() -> None:
    rules = GuestRules(models=frozenset({MODEL}))
    house = House(
        a_server("rennes-1", guests=rules),
        models=(a_model("rennes-1"), a_model("rennes-1", name="other")),
    )

    assert refused(house.offer("t1")) is RefusalCode.RULES
    assert house.grant("t2", model_id="other")


def test_guests_beyond_the_hours_ceiling_wait_and_owners_do_not() -> None:
    house = a_house(ceilings=ceilings({MONDAY_NOON: 1}))
    house.decider.set_hour(MONDAY_NOON, house.clock())
    first = house.grant("t1")
    assert house.offer("t2") is None
    assert house.grant("t3", institution_id="rennes")
    assert house.grant("t4", institution_id="rennes", mode=RoutingMode.PRIVATE_ONLY)

    (next_one,) = house.end(first)

    assert next_one.id == "t2"


def test_an_owner_is_not_behind_many_institutions_that_may_not_start() -> None:
    house = a_house(ceilings=ceilings({0: 1}))
    house.grant("t0")
    for number in range(8):
        assert house.offer(f"w{number}", institution_id=f"guest {number}") is None

    assert house.grant("t1", institution_id="rennes")


def test_the_next_hour_opens_what_this_one_closed() -> None:
    house = a_house(ceilings=ceilings({0: 1, 1: 2}))
    house.grant("t1")
    assert house.offer("t2") is None

    (opened,) = house.decider.set_hour(1, house.clock())

    assert opened.id == "t2"
    assert house.offer("t3") is None
    assert house.decider.set_hour(2, house.clock())[0].id == "t3", "no ceiling any more"


def test_who_waits_when_guests_are_shut_out_is_told() -> None:
    house = a_house(ceilings=ceilings({0: 1, 1: 0}))
    house.grant("t1")
    assert house.offer("t2") is None

    (decision,) = house.decider.set_hour(1, house.clock())

    assert refused(decision) is RefusalCode.RULES


def test_rules_that_change_hold_for_the_next_request() -> None:
    house = a_house(institutions=frozenset({"orleans"}))
    assert refused(house.offer("t1")) is RefusalCode.RULES

    house.show(a_server("rennes-1"))

    assert house.grant("t2")
