"""A clerk hands a run over the socket; the router makes it and sends each line back."""

import asyncio
from pathlib import Path

from routing.core.conformity import (
    CONFORMITY,
    ConformityEnd,
    ConformityJob,
    ConformityLine,
    Declaration,
    Line,
    RunKind,
    Verdict,
)
from routing.core.enums import ServerState
from routing.dispatch.frames import Hello
from routing.simulator import Fault, Simulated
from tests.integration.gateway.conftest import SERVED, TOKEN
from tests.integration.gateway.test_link import Peer, peer_of
from tests.support.router import a_server, running_router, until


def a_job(upstream: Simulated, attempt: int = 1) -> ConformityJob:
    """Return a run of a server that the router's table does not have."""
    server = a_server("rennes-1", upstream.url("rennes-1"), TOKEN, state=ServerState.SUBMITTED)
    return ConformityJob(
        run_id="run",
        attempt=attempt,
        kind=RunKind.CONFORMITY,
        server=server,
        declared=Declaration(served_name=SERVED, tools=True),
    )


async def lines_of(clerk: Peer) -> list[Line]:
    lines = []
    while isinstance(frame := await clerk.next(), ConformityLine):
        lines.append(frame.line)
    assert frame == ConformityEnd(run_id="run", attempt=1)
    return lines


async def test_every_line_comes_as_it_is_known_and_the_end_after_them(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(tmp_path) as router, peer_of(router) as clerk:
        assert isinstance(await clerk.next(), Hello)
        clerk.send(a_job(upstream))
        clerk.send(a_job(upstream))  # handed over twice, made once

        lines = await lines_of(clerk)

    assert [line.check for line in lines] == list(CONFORMITY)
    assert Verdict.FAILED not in {line.verdict for line in lines}


async def test_a_run_ends_with_the_connection_that_brought_it(
    tmp_path: Path, upstream: Simulated
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="hang"))
    async with running_router(tmp_path) as router:
        async with peer_of(router) as clerk:
            await clerk.next()
            clerk.send(a_job(upstream))
            assert isinstance(await clerk.next(), ConformityLine)
        await until(lambda: not _runs_under_way())
        async with peer_of(router) as clerk:
            await clerk.next()
            await upstream.set_fault("rennes-1", Fault(kind="none"))
            clerk.send(a_job(upstream))
            assert len(await lines_of(clerk)) == len(CONFORMITY)


def _runs_under_way() -> list[asyncio.Task[None]]:
    return [task for task in asyncio.all_tasks() if "Runs._make" in str(task.get_coro())]
