"""Waiting for a decision in this process: cancelled, raced, timed, and through encode and decode."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest

from routing.core.retry import Failure
from routing.core.table import Server
from routing.dispatch.door import Dispatcher
from routing.dispatch.local import LocalDispatcher
from routing.dispatch.messages import (
    OK,
    Ended,
    Event,
    Grant,
    LoadView,
    Place,
    Progress,
    Refusal,
    RefusalCode,
    Ticket,
    Withdrawn,
)
from tests.support.decisions import MODEL, a_model, a_server, a_table, a_ticket, granted

T = TypeVar("T")
SINGLE = a_server("rennes-1", max_parallel=1)


def sent(value: T, kind: Any) -> T:
    """Return `value` as it arrives in another process."""
    decoded: T = msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)
    assert decoded == value
    assert decoded is not value
    return decoded


class Distant(Dispatcher):
    """A dispatcher reached only by messages."""

    def __init__(self, there: LocalDispatcher) -> None:
        self.there = there

    def offer(self, ticket: Ticket) -> Grant | Refusal | None:
        decision = self.there.offer(sent(ticket, Ticket))
        return decision and sent(decision, type(decision))

    async def acquire(self, ticket: Ticket) -> Grant | Refusal:
        decision = await self.there.acquire(sent(ticket, Ticket))
        return sent(decision, type(decision))

    async def retry(
        self, ticket: Ticket, grant: Grant, why: Failure, retry_after_ms: int = 0
    ) -> Grant | Refusal:
        decision = await self.there.retry(
            sent(ticket, Ticket), sent(grant, Grant), Failure(str(why)), retry_after_ms
        )
        return sent(decision, type(decision))

    def report(self, event: Event) -> None:
        self.there.report(sent(event, Event))

    def place(self, ticket_id: str) -> Place | None:
        return sent(self.there.place(ticket_id), Place | None)

    def load(self) -> LoadView:
        return sent(self.there.load(), LoadView)


def local(*servers: Server) -> LocalDispatcher:
    dispatcher = LocalDispatcher()
    dispatcher.set_table(a_table(servers))
    return dispatcher


def distant(*servers: Server) -> Distant:
    return Distant(local(*servers))


@pytest.fixture(params=[local, distant])
def make(request: pytest.FixtureRequest) -> Callable[..., Dispatcher]:
    """Every promise of the door holds in this process and across a wire."""
    factory: Callable[..., Dispatcher] = request.param
    return factory


def ended(grant: Grant, outcome: str = OK) -> Ended:
    return Ended(id=grant.id, attempt=grant.attempt, outcome=outcome)


async def until_waiting(dispatcher: Dispatcher, count: int) -> None:
    while dispatcher.load().models[MODEL].waiting != count:
        await asyncio.sleep(0)


async def test_a_free_server_is_granted_at_once(make: Callable[..., Dispatcher]) -> None:
    assert granted(make(SINGLE).offer(a_ticket())).server_id == "rennes-1"


async def test_who_waits_is_woken_by_an_end(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE)
    first = granted(dispatcher.offer(a_ticket("t1")))
    assert dispatcher.offer(a_ticket("t2")) is None
    waiting = asyncio.create_task(dispatcher.acquire(a_ticket("t2")))
    await until_waiting(dispatcher, 1)
    dispatcher.report(ended(first))
    assert granted(await waiting).id == "t2"


async def test_acquire_alone_is_enough(make: Callable[..., Dispatcher]) -> None:
    assert granted(await make(SINGLE).acquire(a_ticket())).server_id == "rennes-1"


async def test_a_decision_between_offer_and_acquire_is_not_lost() -> None:
    dispatcher = local(SINGLE)
    first = granted(dispatcher.offer(a_ticket("t1")))
    assert dispatcher.offer(a_ticket("t2")) is None
    dispatcher.report(ended(first))
    assert granted(await dispatcher.acquire(a_ticket("t2"))).id == "t2"
    assert dispatcher.load().servers["rennes-1"].in_flight == 1


async def test_a_failed_attempt_is_granted_elsewhere(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE, a_server("reims-1"))
    ticket = a_ticket()
    first = granted(dispatcher.offer(ticket))
    second = granted(await dispatcher.retry(ticket, first, Failure.LOST))
    assert second.attempt == 2
    assert second.server_id != first.server_id


async def test_a_retry_waits_for_a_place(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE, a_server("reims-1", max_parallel=1))
    ticket = a_ticket("t1")
    first, second = granted(dispatcher.offer(ticket)), granted(dispatcher.offer(a_ticket("t2")))
    waiting = asyncio.create_task(dispatcher.retry(ticket, first, Failure.CONNECT))
    await until_waiting(dispatcher, 1)
    dispatcher.report(ended(second))
    assert granted(await waiting).server_id == second.server_id


async def test_a_retry_of_nothing_is_refused(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE)
    ticket = a_ticket()
    grant = granted(dispatcher.offer(ticket))
    dispatcher.report(ended(grant))
    refusal = await dispatcher.retry(ticket, grant, Failure.LOST)
    assert refusal == Refusal(id="t1", code=RefusalCode.ATTEMPTS, retry_after_ms=0)


async def test_cancelling_the_wait_withdraws(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE)
    granted(dispatcher.offer(a_ticket("t1")))
    waiting = asyncio.create_task(dispatcher.acquire(a_ticket("t2")))
    await until_waiting(dispatcher, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert dispatcher.load().models[MODEL].waiting == 0


async def test_cancelling_a_retry_withdraws(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE)
    ticket = a_ticket()
    grant = granted(dispatcher.offer(ticket))
    waiting = asyncio.create_task(dispatcher.retry(ticket, grant, Failure.FULL))
    await until_waiting(dispatcher, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert dispatcher.load().models[MODEL].waiting == 0


async def test_a_grant_that_races_with_a_cancellation_is_given_back() -> None:
    dispatcher = local(SINGLE)
    first = granted(dispatcher.offer(a_ticket("t1")))
    waiting = asyncio.create_task(dispatcher.acquire(a_ticket("t2")))
    await until_waiting(dispatcher, 1)
    dispatcher.report(ended(first))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    load = dispatcher.load()
    assert (load.servers["rennes-1"].in_flight, load.models[MODEL].waiting) == (0, 0)


async def test_a_grant_given_back_wakes_the_next_in_line() -> None:
    dispatcher = local(SINGLE)
    first = granted(dispatcher.offer(a_ticket("t1")))
    leaving = asyncio.create_task(dispatcher.acquire(a_ticket("t2")))
    await until_waiting(dispatcher, 1)
    staying = asyncio.create_task(dispatcher.acquire(a_ticket("t3")))
    await until_waiting(dispatcher, 2)
    dispatcher.report(ended(first))
    leaving.cancel()
    assert granted(await staying).id == "t3"


async def test_nothing_is_kept_of_those_who_have_waited() -> None:
    dispatcher = local(SINGLE)
    granted(dispatcher.offer(a_ticket("t1")))
    for number in range(2, 5):
        waiting = asyncio.create_task(dispatcher.acquire(a_ticket(f"t{number}")))
        await until_waiting(dispatcher, 1)
        dispatcher.report(Withdrawn(id=f"t{number - 1}"))
        granted(await waiting)
    assert dispatcher._waiters == {}


async def test_a_deadline_is_answered_without_any_event(make: Callable[..., Dispatcher]) -> None:
    dispatcher = make(SINGLE)
    granted(dispatcher.offer(a_ticket("t1")))
    refusal = await dispatcher.acquire(a_ticket("t2", deadline_in_ms=150))
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.FULL


async def test_a_server_held_back_is_tried_again_without_any_event(
    make: Callable[..., Dispatcher],
) -> None:
    dispatcher = make(SINGLE)
    ticket = a_ticket()
    grant = granted(dispatcher.offer(ticket))
    again = await dispatcher.retry(ticket, grant, Failure.FULL, retry_after_ms=20)
    assert granted(again).attempt == 2


async def test_other_servers_events_do_not_put_off_what_time_opens() -> None:
    dispatcher = local(SINGLE, a_server("reims-1"))
    models = a_model("rennes-1", name="held"), a_model("reims-1", name="busy")
    dispatcher.set_table(a_table([SINGLE, a_server("reims-1")], models))
    ticket = a_ticket(model_id="held")
    grant = granted(dispatcher.offer(ticket))
    granted(dispatcher.offer(a_ticket("other", model_id="busy")))
    again = asyncio.create_task(dispatcher.retry(ticket, grant, Failure.FULL, retry_after_ms=20))
    for _ in range(40):  # one every few milliseconds, as on a router that is in use
        await asyncio.sleep(0.01)
        dispatcher.report(Progress(server_id="reims-1", tokens=1, stream_ms=10, silent_ms=0))

    assert again.done()
    assert granted(await again).attempt == 2


async def test_a_new_table_wakes_those_whom_it_helps() -> None:
    dispatcher = local(SINGLE)
    granted(dispatcher.offer(a_ticket("t1")))
    waiting = asyncio.create_task(dispatcher.acquire(a_ticket("t2")))
    await until_waiting(dispatcher, 1)
    dispatcher.set_table(a_table([SINGLE, a_server("reims-1")]))
    assert granted(await waiting).server_id == "reims-1"


async def test_a_withdrawn_ticket_frees_its_place_however_often_it_is_told(
    make: Callable[..., Dispatcher],
) -> None:
    dispatcher = make(SINGLE)
    granted(dispatcher.offer(a_ticket("t1")))
    for _ in range(3):
        dispatcher.report(Withdrawn(id="t1"))
    assert dispatcher.load().servers["rennes-1"].in_flight == 0


async def test_probes_are_asked_for_once_and_what_they_find_counts() -> None:
    dispatcher = local(SINGLE)
    assert dispatcher.probes_due() == ("rennes-1",)
    assert dispatcher.probes_due() == ()
    dispatcher.probed("rennes-1", False, Failure.TIMEOUT)
    assert dispatcher.load().servers["rennes-1"].health == "ejected"
    refusal = dispatcher.offer(a_ticket())
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.ALL_DOWN
    assert 0 < refusal.retry_after_ms <= 2000


async def test_a_report_never_raises(
    make: Callable[..., Dispatcher], caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher = local(SINGLE)
    with caplog.at_level(logging.ERROR):
        dispatcher.report(Ended(id=[], attempt=1, outcome=OK))  # type: ignore[arg-type]  # damaged
    assert "could not be taken note of" in caplog.text


async def test_under_a_crowd_nobody_is_lost_and_no_limit_is_passed(
    make: Callable[..., Dispatcher],
) -> None:
    dispatcher = make(a_server("rennes-1", max_parallel=2), a_server("reims-1", max_parallel=3))
    served: list[str] = []

    async def visit(number: int) -> None:
        ticket = a_ticket(f"t{number:03}")
        decision = dispatcher.offer(ticket) or await dispatcher.acquire(ticket)
        if number % 7 == 0:
            decision = await dispatcher.retry(ticket, granted(decision), Failure.FULL, 1)
        grant = granted(decision)
        for server_id, limit in (("rennes-1", 2), ("reims-1", 3)):
            assert dispatcher.load().servers[server_id].in_flight <= limit
        await asyncio.sleep(0)
        served.append(grant.id)
        dispatcher.report(ended(grant))

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(visit(number))
    assert len(set(served)) == 100
    load = dispatcher.load()
    assert {server.in_flight for server in load.servers.values()} == {0}
    assert load.models[MODEL].waiting == 0
