"""Hard budgets in the decisions: never passed, always released, counted once, whatever comes in which order."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant

from routing.core.budgets import START, WAIT_SECONDS, Budgets
from routing.core.enums import BudgetScope, BudgetUnit, RequestStatus, RoutingMode
from routing.core.pricing import Accounted, Price, Standing, Standings
from routing.core.request import Grant, Refusal, RefusalCode
from routing.core.table import FEDERATION, Budget, PrincipalsSection, Table
from routing.gateway.schemas import JsonBody
from tests.support.decisions import MODEL, House, a_model, a_server, a_table, a_ticket
from tests.unit.core.test_assignment_properties import Traffic

PRICE = Price(prompt=2, cached=1, completion=10, audio_second=101, image=4000)


def a_budget(unit: BudgetUnit = BudgetUnit.REQUESTS, name: str = "b") -> Budget:
    return Budget(id=name, scope=BudgetScope.INSTITUTION, unit=unit, name="Orléans")


def a_priced_table(*budgets: Budget, owner: str = "orleans", context: int = 1000) -> Table:
    server = a_server(max_parallel=50)
    model = a_model(server.id, price=PRICE, max_model_len=context)
    principals = PrincipalsSection(version=1, by_digest={}, budgets={owner: budgets})
    return a_table([server], [model]).replaced(principals)


def told(granted: int, limit: int, *, spent: int = 0, name: str = "b") -> Standing:
    return Standing(budget_id=name, spent=spent, granted=granted, limit=limit, renewed_at=99)


def ended(ticket_id: str, place: int, **facts: Any) -> Accounted:
    """The closing line of a request, which ends at `place` of the first segment."""
    known: dict[str, Any] = {
        "id": ticket_id,
        "key_id": f"key of {ticket_id}",
        "application_id": "portal",
        "institution_id": "orleans",
        "model_id": MODEL,
        "server_id": "rennes-1",
        "endpoint": "chat/completions",
        "status": RequestStatus.OK,
        "http_status": 200,
        "prompt_tokens": 10,
        "cached_tokens": 0,
        "completion_tokens": 5,
        "position": (1, place),
    }
    return Accounted(**known | facts)


class Desk(House):
    """A decider whose table has budgets."""

    def __init__(self, *budgets: Budget, owner: str = "orleans") -> None:
        super().__init__()
        self.decider.replace_table(a_priced_table(*budgets, owner=owner), self.clock())

    def hear(self, *standings: Standing, place: int = 0) -> list[Any]:
        event = Standings("i", (1, place) if place else START, standings)
        return self.decider.report(event, self.clock())

    def close(self, ticket_id: str, place: int, **facts: Any) -> list[Any]:
        return self.decider.report(ended(ticket_id, place, **facts), self.clock())

    def refusal(self, ticket_id: str, **changes: Any) -> Refusal:
        decision = self.offer(ticket_id, **changes)
        assert isinstance(decision, Refusal), decision
        return decision


def test_as_many_requests_as_are_left_are_let_through_and_no_more() -> None:
    desk = Desk(a_budget())
    desk.hear(told(3, 3, spent=1))

    assert [type(desk.offer(name)) for name in "abc"] == [Grant, Grant, type(None)]


def test_one_that_is_used_up_refuses_at_once_and_says_whose_and_until_when() -> None:
    desk = Desk(a_budget())
    desk.hear(told(3, 3, spent=3))

    refusal = desk.refusal("a")

    assert refusal.code is RefusalCode.BUDGET
    assert refusal.budget == a_budget()
    assert refusal.renewed_at == 99


@pytest.mark.parametrize("owner", ["key of a", "portal", "Anne", "orleans", MODEL, FEDERATION])
def test_it_counts_whosever_it_is(owner: str) -> None:
    desk = Desk(a_budget(), owner=owner)
    desk.hear(told(2, 2, spent=1))
    mine = {"key_id": "key of a", "holder_id": "Anne"}
    assert isinstance(desk.offer("before", **mine), Grant)
    desk.close("before", 10, **mine)

    assert desk.refusal("a", holder_id="Anne").code is RefusalCode.BUDGET
    other = a_ticket(
        "z", institution_id="reims", application_id="other", key_id="key of z", model_id=MODEL
    )
    is_everybodys = owner in (MODEL, FEDERATION)
    assert isinstance(desk.offer(other), Refusal if is_everybodys else Grant)


def test_who_asks_before_anything_was_heard_waits_and_is_let_in_by_the_word() -> None:
    desk = Desk(a_budget())
    assert desk.offer("a") is None
    assert desk.decider.budgets.take_needs() == {"b": 0}
    assert desk.decider.budgets.take_needs() == {}

    (grant,) = desk.hear(told(1, 1))

    assert isinstance(grant, Grant)


def test_who_hears_nothing_for_two_seconds_is_refused() -> None:
    desk = Desk(a_budget())
    desk.offer("a")
    assert desk.decider.wake_at(desk.clock()) == desk.clock() + WAIT_SECONDS

    (refusal,) = desk.pass_time(WAIT_SECONDS)

    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.BUDGET_UNKNOWN
    assert not desk.decider.budgets.waiting


def test_a_slice_is_asked_for_all_who_wait_together() -> None:
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.hear(told(100, 10_000))
    kinds = [type(desk.offer(name, max_tokens=90, prompt_estimate=10)) for name in "abc"]
    assert kinds == [Grant, type(None), type(None)]
    assert desk.decider.budgets.take_needs() == {"b": 300}

    assert len(desk.hear(told(300, 10_000))) == 2


def test_who_waits_for_what_others_hold_is_let_in_when_they_have_used_less() -> None:
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.hear(told(100, 100))
    assert isinstance(desk.offer("a", max_tokens=80), Grant)
    assert desk.offer("b", max_tokens=60) is None

    (grant,) = desk.close("a", 10)

    assert isinstance(grant, Grant)
    assert grant.id == "b"


def test_nobody_waits_beyond_a_deadline_of_their_own() -> None:
    desk = Desk(a_budget())

    assert desk.refusal("a", deadline_in_ms=0).code is RefusalCode.BUDGET_UNKNOWN
    assert desk.offer("b", deadline_in_ms=500) is None
    assert [each.id for each in desk.pass_time(0.5)] == ["b"]


def test_who_waits_in_vain_for_what_others_hold_is_told_so() -> None:
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.hear(told(100, 100))
    desk.offer("a", max_tokens=80)
    desk.offer("b", max_tokens=60)

    (refusal,) = desk.pass_time(WAIT_SECONDS)

    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.BUDGET_IN_USE


def test_the_last_of_it_can_be_used_by_one_request_alone() -> None:
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.hear(told(100, 100, spent=99))

    assert isinstance(desk.offer("a", max_tokens=80), Grant)
    assert desk.offer("b", max_tokens=80) is None
    desk.close("a", 10, completion_tokens=40)

    assert desk.refusal("c").code is RefusalCode.BUDGET


def test_a_client_that_leaves_while_waiting_leaves_nothing_behind() -> None:
    desk = Desk(a_budget())
    desk.offer("a")
    desk.decider.withdraw("a", desk.clock())

    assert desk.hear(told(1, 1)) == []
    assert isinstance(desk.offer("b"), Grant)


def test_what_is_only_for_own_servers_costs_no_money() -> None:
    desk = Desk(a_budget(BudgetUnit.NANO_EUROS), owner="rennes")
    desk.hear(told(1, 1, spent=1))
    own = a_ticket("a", institution_id="rennes", mode=RoutingMode.PRIVATE_ONLY)

    assert isinstance(desk.offer(own), Grant)
    assert desk.offer("b", institution_id="rennes").__class__ is Refusal


def test_money_is_reserved_at_the_dearest_and_settled_at_what_was_used() -> None:
    desk = Desk(a_budget(BudgetUnit.NANO_EUROS))
    desk.hear(told(10_000, 10_000))
    desk.offer("a", prompt_estimate=20, max_tokens=30, answers=2)
    (purse,) = desk.decider.budgets._purses.values()
    assert purse.reserved == 20 * 2 + 60 * 10

    desk.close("a", 7, prompt_tokens=20, cached_tokens=5, completion_tokens=3)

    assert (purse.reserved, purse.used) == (0, 15 * 2 + 5 * 1 + 3 * 10)


def test_sound_and_images_are_reserved_and_settled() -> None:
    desk = Desk(a_budget(BudgetUnit.NANO_EUROS))
    desk.hear(told(10**9, 10**9))
    desk.offer("a", endpoint="audio/transcriptions", prompt_estimate=0, audio_ms=61_000)
    desk.offer("b", endpoint="images/generations", prompt_estimate=4, answers=3)
    (purse,) = desk.decider.budgets._purses.values()
    assert purse.reserved == 61 * 101 + 4 * 2 + 3 * 4000

    desk.close("a", 7, prompt_tokens=0, completion_tokens=0, audio_ms=60_996)
    desk.close("b", 8, prompt_tokens=0, completion_tokens=0, images=2)

    assert (purse.reserved, purse.used) == (0, 6161 + 2 * 4000), "6160.596 is rounded once"


def test_an_answer_without_a_bound_may_be_as_long_as_the_context() -> None:
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.hear(told(10_000, 10_000))
    desk.offer("a", prompt_estimate=20)

    (purse,) = desk.decider.budgets._purses.values()
    assert purse.reserved == 1000


def test_a_prompt_is_reserved_as_long_as_it_is_at_the_most() -> None:
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.hear(told(10**6, 10**6))
    (purse,) = desk.decider.budgets._purses.values()

    def reserved(**facts: Any) -> int:
        before = purse.reserved
        desk.offer(f"t{before}", prompt_estimate=20, **facts)
        return purse.reserved - before

    assert reserved(prompt_most=700, max_tokens=30) == 730
    assert reserved(prompt_most=7000, max_tokens=30) == 1030, (
        "no server takes more than its context"
    )
    assert reserved(prompt_most=7000, max_tokens=30, endpoint="completions") == 7030
    assert reserved(prompt_most=900) == 1000, "what the prompt takes is not left to the answer"
    assert reserved(prompt_most=7000, endpoint="embeddings") == 7000


def test_what_the_accounts_have_stored_is_not_counted_twice() -> None:
    desk = Desk(a_budget())
    desk.hear(told(5, 5))
    for n, name in enumerate("abc", start=1):
        desk.offer(name)
        desk.close(name, 10 * n)
    (purse,) = desk.decider.budgets._purses.values()
    assert purse.used == 3

    desk.hear(told(5, 5, spent=2), place=20)
    assert purse.used == 3
    desk.hear(told(5, 5, spent=1), place=10)
    assert purse.used == 3, "an older word says nothing"
    desk.hear(told(5, 5, spent=3), place=30)
    assert purse.used == 3


def test_a_budget_that_is_new_counts_nothing_before_the_accounts_have_caught_up() -> None:
    desk = Desk()
    desk.offer("a")
    desk.close("a", 50)
    desk.decider.replace_table(a_priced_table(a_budget()), desk.clock())

    desk.hear(told(1, 1), place=40)
    assert desk.offer("b") is None
    (refusal,) = desk.hear(told(1, 1, spent=1), place=50)

    assert isinstance(refusal, Refusal)


def test_without_budgets_nothing_is_kept_of_a_request() -> None:
    desk = Desk()
    desk.offer("a")
    budgets = desk.decider.budgets

    assert not budgets._held
    assert budgets.admit(a_ticket("b"), Table(), 0.0) is None


class BudgetedTraffic(Traffic):
    """All that `Decider` promises holds with budgets of which there is enough; closing lines are not told here."""

    def furnish(self, table: Table) -> Table:
        section = PrincipalsSection(version=1, by_digest={}, budgets={"orleans": (a_budget(),)})
        self.decider.budgets.replace(section.budgets)
        self.decider.report(Standings("i", START, (told(10**6, 10**6),)), self.now)
        return table.replaced(section)

    @invariant()
    def who_is_open_holds_and_who_was_refused_or_left_does_not(self) -> None:
        held = self.decider.budgets._held.keys()
        open_ones = {
            ticket_id
            for ticket_id in (*self.waiting, *self.running)
            if self.tickets[ticket_id].institution_id == "orleans"
        }
        assert open_ones <= held
        assert held - open_ones <= {grant.id for grant in self.finished}


BudgetedTraffic.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestBudgetedTraffic = BudgetedTraffic.TestCase
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["offer", "end", "leave", "store", "wait"]),
        st.integers(0, 9),
        st.integers(1, 60),
    ),
    max_size=80,
)


class Play:
    """Requests that come, end, leave and are stored, as hypothesis likes; each may use `beyond` what is expected."""

    def __init__(self, most: int, beyond: int = 0) -> None:
        self.most = most
        self.beyond = beyond
        self.exceeded = 0  # by those that have ended since a request was last let in
        self.desk = Desk(a_budget(BudgetUnit.TOKENS))
        self.budgets = self.desk.decider.budgets
        self.desk.hear(told(most, most))
        (self.purse,) = self.budgets._purses.values()
        self.used = self.place = self.largest = 0
        self.open: dict[str, int] = {}
        self.names: dict[
            int, str
        ] = {}  # of the request that came last at a place: none comes twice
        self.count = 0

    def offer(self, which: int, size: int) -> None:
        if self.names.get(which) in self.open:
            return
        self.count += 1
        name = self.names[which] = f"t{self.count}"
        decision = self.desk.offer(name, prompt_estimate=10, max_tokens=size)
        if not isinstance(decision, Refusal):
            self.open[name] = 10 + size
            self.largest = max(self.largest, 10 + size)
        if isinstance(decision, Grant):
            self.exceeded = 0

    def end(self, which: int, size: int) -> None:
        name = self.names.get(which, "")
        if name not in self.open or self.budgets.awaits(name):
            return
        expected = self.open.pop(name)
        tokens = min(size, expected) + self.beyond
        self.exceeded += max(tokens - expected, 0)
        self.used += tokens
        self.place += 1
        self.take(self.desk.close(name, self.place, prompt_tokens=tokens, completion_tokens=0))

    def take(self, decisions: list[Any]) -> None:
        for decision in decisions:
            if isinstance(decision, Grant):
                self.exceeded = 0
            else:
                self.open.pop(decision.id)

    def leave(self, which: int, size: int) -> None:
        name = self.names.get(which, "")
        if self.open.pop(name, 0):
            self.desk.decider.withdraw(name, self.desk.clock())

    def store(self, which: int, size: int) -> None:
        self.take(self.desk.hear(told(self.most, self.most, spent=self.used), place=self.place))

    def wait(self, which: int, size: int) -> None:
        self.take(self.desk.pass_time(1.0))

    def check(self) -> None:
        held = [amount for each in self.budgets._held.values() for _, amount in each]
        assert self.purse.used == self.used
        assert self.purse.reserved == sum(held)
        assert self.used <= self.most + self.largest + self.exceeded
        assert self.used + sum(held) <= self.most + self.exceeded or len(held) <= 1


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.integers(1, 400), st.sampled_from([0, 0, 5, 300]))
def test_it_is_passed_by_one_estimate_and_what_those_at_once_exceed_theirs_and_all_is_released(
    events: list[tuple[str, int, int]], most: int, beyond: int
) -> None:
    play = Play(most, beyond)
    for what, which, size in events:
        getattr(play, what)(which, size)
        play.check()
    for which in play.names:
        play.leave(which, 0)
    assert (play.purse.reserved, play.budgets._held, play.budgets.waiting) == (0, {}, ())


def test_200_pictures_at_once_pass_it_by_no_more_than_one_request() -> None:
    """Each of 1,500 tokens, in a few bytes of text."""
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    body = JsonBody(json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode())
    desk = Desk(a_budget(BudgetUnit.TOKENS))
    desk.decider.replace_table(
        a_priced_table(a_budget(BudgetUnit.TOKENS), context=131_072), desk.clock()
    )
    desk.hear(told(20_000, 20_000))
    sizes = {"prompt_estimate": body.prompt_estimate, "prompt_most": body.prompt_most}
    asking = {**sizes, "max_tokens": 5}
    let_in = [name for n in range(200) if isinstance(desk.offer(name := f"t{n}", **asking), Grant)]
    used = 0
    while let_in:
        name = let_in.pop()
        used += 1505
        ended = desk.close(name, used, prompt_tokens=1500, completion_tokens=5)
        let_in += [each.id for each in ended if isinstance(each, Grant)]

    assert 20_000 <= used <= 20_000 + 1505


def test_frames_about_budgets_are_read_as_they_were_written() -> None:
    standings = Standings("i", (3, 4), (told(1, 2),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(standings), type=Standings) == standings


def test_who_waits_for_a_budget_that_ends_is_let_in_once() -> None:
    desk = Desk(a_budget())
    assert desk.offer("a") is None

    (grant,) = desk.decider.replace_table(a_priced_table(), desk.clock())

    assert isinstance(grant, Grant)
    assert (desk.decider.budgets.waiting, desk.hear(told(9, 9)), desk.pass_time(9.0)) == (
        (),
        [],
        [],
    )


def test_who_waits_for_a_budget_of_a_model_that_goes_is_refused_once() -> None:
    desk = Desk(a_budget())
    assert desk.offer("a") is None

    principals = a_priced_table(a_budget()).principals
    desk.decider.replace_table(Table(principals=principals), desk.clock())
    (refusal,) = desk.hear(told(9, 9))

    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.NO_SERVER
    assert (desk.decider.budgets.waiting, desk.pass_time(9.0)) == ((), [])


def test_nobody_is_kept_by_budgets_that_are_gone() -> None:
    budgets = Budgets()
    table = a_priced_table(a_budget())
    budgets.replace(table.principals.budgets)
    budgets.replace({})

    assert budgets.admit(a_ticket(), table, 0.0) is None
