"""Limits of keys, applications and institutions: what is admitted, what is told, and what is left."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routing.core.enums import LimitScope, Measure
from routing.core.limits import Limits
from routing.core.request import Refusal, RefusalCode, Ticket
from routing.core.table import Limit
from tests.support.decisions import a_ticket

OUTPUT = 20.0


def a_limit(measure: Measure, most: int, scope: LimitScope = LimitScope.APPLICATION) -> Limit:
    return Limit(scope=scope, measure=measure, most=most, name="portal")


def limits_of(*limits: Limit, owner: str = "portal") -> Limits:
    made = Limits()
    made.replace({owner: limits})
    return made


def admit(
    limits: Limits, ticket: str = "t1", now: float = 0.0, waiting: int = 0, **changes: Any
) -> Refusal | None:
    return limits.admit(a_ticket(ticket, **changes), OUTPUT, waiting, now)


def refused(refusal: Refusal | None) -> Refusal:
    assert refusal is not None
    return refusal


def test_who_has_no_limit_is_admitted_and_told_of_none() -> None:
    limits = limits_of(a_limit(Measure.AT_ONCE, 1), owner="another application")

    assert all(admit(limits, f"t{number}") is None for number in range(50))
    assert limits.allowance(a_ticket(), 0.0) is None


def test_the_request_beyond_a_limit_hears_which_it_is_and_until_when() -> None:
    limit = a_limit(Measure.REQUESTS_PER_MINUTE, 2)
    limits = limits_of(limit)
    admit(limits, "t1", now=100.0)
    admit(limits, "t2", now=110.5)

    refusal = refused(admit(limits, "t3", now=130.0))

    assert (refusal.code, refusal.limit) == (RefusalCode.LIMIT, limit)
    assert refusal.retry_after_ms == 31_000
    assert admit(limits, "t4", now=161.0) is None
    assert admit(limits, "t5", now=161.0) is not None


def test_keys_of_an_application_share_its_limit() -> None:
    limits = limits_of(a_limit(Measure.REQUESTS_PER_DAY, 1))

    assert admit(limits, "t1", key_id="a") is None
    assert refused(admit(limits, "t2", key_id="b")).retry_after_ms > 86_400_000
    assert admit(limits, "t3", application_id="another") is None


def test_of_several_limits_the_one_that_holds_longest_is_told() -> None:
    day = a_limit(Measure.REQUESTS_PER_DAY, 1)
    limits = limits_of(a_limit(Measure.REQUESTS_PER_MINUTE, 1), day, a_limit(Measure.AT_ONCE, 1))
    admit(limits, "t1")

    assert refused(admit(limits, "t2")).limit == day


def test_a_refused_request_counts_against_no_other_limit() -> None:
    limits = Limits()
    minute = a_limit(Measure.REQUESTS_PER_MINUTE, 1)
    limits.replace({"portal": (minute,), "orleans": (a_limit(Measure.AT_ONCE, 1),)})
    admit(limits, "t1")
    limits.settle("t1", 0, 1.0)
    assert refused(admit(limits, "t2", now=1.0)).limit == minute

    assert admit(limits, "t3", now=1.0, application_id="another") is None


def test_a_request_at_once_holds_its_place_until_it_ends() -> None:
    limits = limits_of(a_limit(Measure.AT_ONCE, 1))
    admit(limits, "t1")

    assert refused(admit(limits, "t2", now=1e6)).retry_after_ms == 0
    limits.settle("t1", 0, 1e6)
    assert admit(limits, "t3", now=1e6) is None


def test_tokens_are_estimated_then_settled_on_what_was_used() -> None:
    limits = limits_of(a_limit(Measure.TOKENS_PER_MINUTE, 100))
    admit(limits, "t1", prompt_estimate=50)  # and 20 for the answer
    assert refused(admit(limits, "t2", prompt_estimate=20)).code is RefusalCode.LIMIT

    limits.settle("t1", 55, 5.0)
    assert admit(limits, "t3", now=5.0, prompt_estimate=20) is None


def test_what_was_written_beyond_the_estimate_delays_the_next() -> None:
    limits = limits_of(a_limit(Measure.TOKENS_PER_MINUTE, 100))
    admit(limits, "t1", now=0.0, prompt_estimate=10)

    limits.settle("t1", 500, 300.0)

    refusal = refused(admit(limits, "t2", now=300.0, prompt_estimate=10))
    assert refusal.retry_after_ms == 61_000
    assert admit(limits, "t3", now=361.0, prompt_estimate=10) is None


def test_a_prompt_that_no_minute_has_room_for_is_told_so() -> None:
    limits = limits_of(a_limit(Measure.TOKENS_PER_MINUTE, 100))

    refusal = refused(admit(limits, "t1", prompt_estimate=101))

    assert (refusal.code, refusal.retry_after_ms) == (RefusalCode.OVER_LIMIT, 0)
    assert admit(limits, "t2", prompt_estimate=95) is None, "its answer is counted when it is known"


def test_what_got_no_server_is_not_counted() -> None:
    limits = limits_of(a_limit(Measure.REQUESTS_PER_DAY, 1), a_limit(Measure.TOKENS_PER_DAY, 50))
    admit(limits, "t1")

    limits.give_back("t1")

    assert admit(limits, "t2") is None


def test_more_wait_than_the_key_would_wait_behind() -> None:
    limits = limits_of(a_limit(Measure.REQUESTS_PER_DAY, 1))

    assert refused(admit(limits, "t1", waiting=4, threshold=3)).code is RefusalCode.THRESHOLD
    assert admit(limits, "t2", waiting=3, threshold=3) is None


def test_what_is_left_of_the_nearest_limit_is_told() -> None:
    limits = limits_of(
        a_limit(Measure.REQUESTS_PER_MINUTE, 10),
        a_limit(Measure.REQUESTS_PER_DAY, 5),
        a_limit(Measure.TOKENS_PER_MINUTE, 100),
    )
    admit(limits, "t1", prompt_estimate=10)

    allowance = limits.allowance(a_ticket(), 0.0)

    assert allowance is not None
    assert allowance.requests is not None
    assert allowance.tokens is not None
    assert (allowance.requests.limit, allowance.requests.remaining) == (5, 4)
    assert allowance.requests.reset_ms == 86_700_000
    assert (allowance.tokens.remaining, allowance.tokens.reset_ms) == (70, 61_000)


def test_a_limit_that_changes_keeps_what_is_counted() -> None:
    limits = limits_of(a_limit(Measure.REQUESTS_PER_MINUTE, 1), a_limit(Measure.AT_ONCE, 1))
    admit(limits, "t1")

    limits.replace({"portal": (a_limit(Measure.REQUESTS_PER_MINUTE, 2),)})
    assert admit(limits, "t2") is None
    assert admit(limits, "t3") is not None

    limits.settle("t1", 0, 0.0)
    limits.replace({})
    assert admit(limits, "t4") is None


def test_a_successor_goes_on_counting() -> None:
    day = a_limit(Measure.REQUESTS_PER_DAY, 2)
    before, after = limits_of(day, a_limit(Measure.AT_ONCE, 9)), limits_of(day)
    admit(before, "t1", now=1000.0)
    admit(before, "t2", now=2000.0)

    after.restore(before.counts(5000.0), 100.0)

    assert refused(admit(after, "t3", now=100.0)).limit == day
    assert admit(after, "t4", now=100.0 + 86_400 - 3000) is None


class Use(RuleBasedStateMachine):
    """Whatever comes in whatever order: no window holds more than the limit, everything is released once."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self.now = 0.0
        self.number = 0
        self.admitted: list[tuple[float, Ticket]] = []
        self.given_back: set[str] = set()
        self.running: dict[str, Ticket] = {}

    @initialize(minute=st.integers(1, 5), tokens=st.integers(30, 200), at_once=st.integers(1, 4))
    def set_limits(self, minute: int, tokens: int, at_once: int) -> None:
        self.minute, self.tokens, self.at_once = minute, tokens, at_once
        self.limits.replace(
            {
                "portal": (a_limit(Measure.REQUESTS_PER_MINUTE, minute),),
                "orleans": (a_limit(Measure.AT_ONCE, at_once),),
                "key": (a_limit(Measure.TOKENS_PER_MINUTE, tokens),),
            }
        )

    @rule(prompt=st.integers(0, 250))
    def a_request_comes(self, prompt: int) -> None:
        self.number += 1
        ticket = a_ticket(f"t{self.number}", prompt_estimate=prompt, key_id="key")
        refusal = self.limits.admit(ticket, OUTPUT, 0, self.now)
        if refusal is None:
            self.admitted.append((self.now, ticket))
            self.running[ticket.id] = ticket
        elif refusal.code is RefusalCode.OVER_LIMIT:
            assert prompt > self.tokens
        elif refusal.limit is not None and refusal.retry_after_ms and not self.running:
            later = self.now + refusal.retry_after_ms / 1000
            assert self.limits.admit(ticket, OUTPUT, 0, later) is None, "it was told until when"
            self.limits.give_back(ticket.id)
            self.now = later

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(0, 400))
    def a_request_ends(self, data: st.DataObject, tokens: int) -> None:
        ticket_id = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[ticket_id]
        for _ in range(data.draw(st.integers(1, 2))):
            self.limits.settle(ticket_id, tokens, self.now)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_request_gets_no_server(self, data: st.DataObject) -> None:
        ticket_id = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[ticket_id]
        self.given_back.add(ticket_id)
        self.limits.give_back(ticket_id)
        self.limits.settle(ticket_id, 1000, self.now)

    @rule(seconds=st.floats(0, 45))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_minute_holds_more_than_the_limit(self) -> None:
        counted = [(at, ticket) for at, ticket in self.admitted if ticket.id not in self.given_back]
        for start, _ in counted:
            within = [ticket for at, ticket in counted if start <= at < start + 60]
            assert len(within) <= self.minute

    @invariant()
    def no_more_at_once_than_the_limit(self) -> None:
        if self.number:
            assert len(self.running) <= self.at_once
            quota = self.limits.quotas("orleans", self.now)[Measure.AT_ONCE]
            assert quota.remaining == self.at_once - len(self.running)

    def teardown(self) -> None:
        """Once all has ended and time has gone on, everything is free."""
        for ticket_id in self.running:
            self.limits.settle(ticket_id, 0, self.now)
        for owner in ("portal", "orleans", "key"):
            for quota in self.limits.quotas(owner, self.now + 61.001).values():
                assert (quota.remaining, quota.reset_ms) == (quota.limit, 0)


Use.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestUse = Use.TestCase


@pytest.mark.parametrize("measure", Measure)
def test_every_measure_ends_somewhere(measure: Measure) -> None:
    limits = limits_of(a_limit(measure, 40))

    outcomes = [admit(limits, f"t{number}", prompt_estimate=1) for number in range(60)]

    assert None in outcomes
    assert any(outcomes)


def test_a_successor_goes_on_counting_when_its_table_comes_later() -> None:
    day = a_limit(Measure.REQUESTS_PER_DAY, 1)
    before, after = limits_of(day), Limits()
    admit(before, "t1", now=1000.0)

    after.restore(before.counts(1100.0), 5.0)
    after.replace({"portal": (day,)})

    assert admit(after, "t2", now=5.0) is not None
    after.replace({})
    after.replace({"portal": (day,)})
    assert admit(after, "t3", now=5.0) is None, "a limit that is set anew begins with nothing"
