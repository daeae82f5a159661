"""Limits behind the door: all that `Decider` promises holds with them, and each request is released once."""

from hypothesis import settings
from hypothesis.stateful import invariant

from routing.core.enums import LimitScope, Measure
from routing.core.request import Allowance, Ended, Quota, Refusal, RefusalCode
from routing.core.table import Limit, PrincipalsSection, Table
from tests.support.decisions import House, a_server, a_table, a_ticket
from tests.unit.core.test_assignment_properties import Traffic

AT_ONCE = 3


def principals(*limits: Limit, owner: str = "orleans") -> PrincipalsSection:
    return PrincipalsSection(version=1, by_digest={}, limits={owner: limits})


LIMITED = principals(
    Limit(scope=LimitScope.INSTITUTION, measure=Measure.AT_ONCE, most=AT_ONCE),
    Limit(scope=LimitScope.INSTITUTION, measure=Measure.REQUESTS_PER_MINUTE, most=6),
    Limit(scope=LimitScope.INSTITUTION, measure=Measure.TOKENS_PER_DAY, most=4000),
)


class LimitedTraffic(Traffic):
    def furnish(self, table: Table) -> Table:
        return table.replaced(LIMITED)

    @invariant()
    def who_is_open_is_held_and_nobody_else(self) -> None:
        open_ones = [
            ticket_id
            for ticket_id in (*self.waiting, *self.running)
            if self.tickets[ticket_id].institution_id == "orleans"
        ]
        assert len(open_ones) <= AT_ONCE
        assert self.decider.limits._held.keys() == set(open_ones)


LimitedTraffic.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestLimitedTraffic = LimitedTraffic.TestCase


def a_house(*limits: Limit) -> House:
    house = House()
    house.decider.replace_table(
        a_table([a_server(max_parallel=1)]).replaced(principals(*limits)), house.clock()
    )
    return house


def test_a_grant_says_what_is_left() -> None:
    limit = Limit(scope=LimitScope.INSTITUTION, measure=Measure.REQUESTS_PER_MINUTE, most=5)

    grant = a_house(limit).grant("t1")

    left = Quota(limit=5, remaining=4, reset_ms=61_000)
    assert grant.allowance == Allowance(requests=left)


def test_who_waited_in_vain_has_used_nothing() -> None:
    house = a_house(Limit(scope=LimitScope.INSTITUTION, measure=Measure.REQUESTS_PER_DAY, most=2))
    house.grant("t1")
    assert house.offer("t2", deadline_in_ms=1000) is None
    (refusal,) = house.pass_time(2.0)
    assert isinstance(refusal, Refusal)
    assert refusal.allowance is not None
    assert refusal.allowance.requests is not None
    assert refusal.allowance.requests.remaining == 1

    assert house.offer("t3") is None, "it waits for the server, which is all that it waits for"


def test_tokens_are_settled_at_the_end_of_a_request() -> None:
    house = a_house(
        Limit(scope=LimitScope.INSTITUTION, measure=Measure.TOKENS_PER_MINUTE, most=300)
    )
    grant = house.grant("t1", prompt_estimate=290)
    assert isinstance(refused := house.offer("t2"), Refusal)
    assert refused.code is RefusalCode.LIMIT

    ended = Ended(
        id="t1", attempt=grant.attempt, outcome="ok", prompt_tokens=5, completion_tokens=5
    )
    house.decider.report(ended, house.clock())

    house.grant("t3")


def test_a_threshold_counts_those_who_wait_already() -> None:
    house = a_house()
    house.grant("t1")
    assert house.offer("t2", threshold=0) is None

    refused = house.offer("t3", threshold=0)

    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.THRESHOLD
    assert house.offer(a_ticket("t4", threshold=1)) is None
