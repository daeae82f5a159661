"""The simulated servers keep the rules of continuous batching."""

from dataclasses import replace

import pytest

from bench.simulation.engine import Fault, Server
from bench.simulation.fleet import MIXED
from bench.simulation.requests import Kind, Request, Status
from bench.simulation.timeline import Timeline

SPEC = replace(MIXED[1], step=0.01, per_context=0.0, per_token=0.001)


class Witness:
    """A router that notes what it is told."""

    def __init__(self) -> None:
        self.first_tokens: list[int] = []
        self.finished_ids: list[int] = []
        self.failures: list[tuple[int, Fault]] = []

    def first_token(self, request: Request, server: Server) -> None:
        self.first_tokens.append(request.id)

    def finished(self, request: Request, server: Server) -> None:
        self.finished_ids.append(request.id)

    def failed(self, request: Request, server: Server, fault: Fault) -> None:
        self.failures.append((request.id, fault))


def a_server(**changes: object) -> tuple[Timeline, Server, Witness]:
    timeline, witness = Timeline(), Witness()
    server = Server(timeline, replace(SPEC, **changes))  # type: ignore[arg-type]  # any field
    server.router = witness
    return timeline, server, witness


def a_request(number: int = 1, prompt: int = 100, output: int = 5, **changes: object) -> Request:
    request = Request(
        id=number,
        arrived_at=0.0,
        institution="reims",
        priority=3,
        kind=Kind.CHAT,
        session=None,
        prompt=prompt,
        output=output,
    )
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def test_the_first_token_comes_when_the_prompt_has_been_read() -> None:
    timeline, server, _ = a_server()
    request = a_request(prompt=100)
    server.submit(request)
    timeline.run(1.0)
    assert request.first_token_at == pytest.approx(0.01 + 100 * 0.001)


def test_a_long_prompt_is_read_in_chunks() -> None:
    timeline, server, _ = a_server(budget=50)
    request = a_request(prompt=120)
    server.submit(request)
    timeline.run(1.0)
    assert request.first_token_at == pytest.approx(3 * 0.01 + 120 * 0.001)


def test_an_answer_has_as_many_tokens_as_were_wanted() -> None:
    timeline, server, witness = a_server()
    server.submit(a_request(output=5))
    timeline.run(1.0)
    assert witness.finished_ids == [1]
    assert server.tokens_written == 5
    assert server.stream_tokens == 4  # but for the first
    assert server.memory_use == 0


def test_no_more_run_than_the_engine_allows() -> None:
    timeline, server, witness = a_server(most_running=2)
    for number in (1, 2, 3):
        server.submit(a_request(number, output=50))
    timeline.run(0.4)
    assert (server.running, len(server.waiting)) == (2, 1)
    timeline.run(10.0)
    assert witness.finished_ids == [1, 2, 3]


def test_a_conversation_need_not_be_read_again() -> None:
    timeline, server, _ = a_server()
    server.submit(a_request(1, prompt=100, output=10, session="s"))
    timeline.run(1.0)
    second = a_request(2, prompt=150, session="s")
    server.submit(second)
    timeline.run(2.0)
    assert second.cached >= 100


def test_when_memory_runs_out_the_last_is_read_again_and_nothing_is_lost() -> None:
    timeline, server, witness = a_server(memory=300)
    for number in (1, 2):
        server.submit(a_request(number, prompt=100, output=80))
    timeline.run(20.0)
    assert server.preemptions == 1
    assert witness.finished_ids == [1, 2]
    assert witness.first_tokens == [1, 2]
    assert server.memory_use == 0


def test_an_aborted_request_leaves_nothing_behind() -> None:
    timeline, server, witness = a_server()
    request = a_request(output=1000)
    server.submit(request)
    timeline.run(0.5)
    assert server.written_for(request) > 1
    server.abort(request)
    timeline.run(5.0)
    assert (server.running, server.memory_use) == (0, 0)
    assert witness.finished_ids == []


def test_a_crash_loses_all_and_refuses_what_comes_after() -> None:
    timeline, server, witness = a_server(most_running=1)
    server.submit(a_request(1, output=1000))
    server.submit(a_request(2))
    timeline.at(0.5, server.crash)
    timeline.at(0.6, server.submit, a_request(3))
    timeline.run(1.0)
    assert witness.failures == [(2, Fault.RESET), (1, Fault.RESET), (3, Fault.REFUSED)]


def test_a_hung_server_takes_requests_and_writes_nothing_until_it_is_restarted() -> None:
    timeline, server, witness = a_server()
    server.hang()
    request = a_request()
    server.submit(request)
    timeline.run(60.0)
    assert request.status is Status.SENT
    assert witness.first_tokens == []
    server.crash()
    server.recover()
    server.submit(a_request(2))
    timeline.run(61.0)
    assert witness.finished_ids == [2]
