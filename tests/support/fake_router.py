"""A router's end of `router.sock` without a router: remembers the sections it gets, tells what a test says."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from routing.core.conformity import ConformityEnd, ConformityJob, ConformityLine, Line
from routing.core.enums import Measure
from routing.core.stops import Stop
from routing.core.table import (
    NamesSection,
    PrincipalsSection,
    Section,
    ServersSection,
    section_name,
)
from routing.dispatch.frames import (
    AskQuotas,
    Frame,
    Hello,
    InForce,
    Load,
    Quotas,
    Subscribe,
    encode,
    read_frame,
)
from routing.dispatch.messages import LoadView, Quota


class FakeRouter:
    """`greets` and `answers` make it the router that hangs before or after its first word."""

    def __init__(self, incarnation: str, *, greets: bool = True, answers: bool = True) -> None:
        self.incarnation = incarnation
        self.greets = greets
        self.answers = answers
        self.sections: list[Section] = []
        self.versions: dict[str, int] = {}
        self.connections = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.in_flight = 0
        self.stops: tuple[Stop, ...] = ()
        self.quotas: dict[str, dict[Measure, Quota]] = {}
        self.jobs: list[ConformityJob] = []
        self.finds: Callable[[ConformityJob], list[Line]] | None = None
        """What it finds out about a server; without it no run ever ends."""

    def load(self) -> Load:
        return Load(
            incarnation=self.incarnation,
            versions=self.versions.copy(),
            view=LoadView(servers={}, models={}),
            open_requests=self.in_flight,
            spool_bytes=0,
            stops=self.stops,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        telling: asyncio.Task[None] | None = None
        try:
            if self.greets:
                writer.write(
                    encode(Hello(incarnation=self.incarnation, versions=self.versions.copy()))
                )
            while (frame := await read_frame(reader)) is not None:
                if isinstance(frame, Subscribe):
                    telling = asyncio.create_task(self._tell(writer, frame.interval_ms / 1000))
                else:
                    self._answer(frame, writer)
        except (OSError, EOFError):
            pass
        finally:
            if telling:
                telling.cancel()
            self.writers.discard(writer)
            writer.close()

    def _take(self, section: Section, writer: asyncio.StreamWriter) -> None:
        self.sections.append(section)
        self.versions[section_name(section)] = section.version
        if self.answers:
            writer.write(encode(InForce(section=section_name(section), version=section.version)))

    def _answer(self, frame: Frame, writer: asyncio.StreamWriter) -> None:
        match frame:
            case AskQuotas():
                asked = {owner: self.quotas.get(owner, {}) for owner in frame.owners}
                writer.write(encode(Quotas(by_owner=asked)))
            case ConformityJob():
                self._examine(frame, writer)
            case PrincipalsSection() | NamesSection() | ServersSection():
                self._take(frame, writer)

    def _examine(self, job: ConformityJob, writer: asyncio.StreamWriter) -> None:
        self.jobs.append(job)
        if self.finds is None:
            return
        run, attempt = job.run_id, job.attempt
        for line in self.finds(job):
            writer.write(encode(ConformityLine(run_id=run, attempt=attempt, line=line)))
        writer.write(encode(ConformityEnd(run_id=run, attempt=attempt)))

    async def _tell(self, writer: asyncio.StreamWriter, interval: float) -> None:
        with suppress(OSError):
            while self.answers:
                writer.write(encode(self.load()))
                await writer.drain()
                await asyncio.sleep(interval)


@asynccontextmanager
async def listening(router: FakeRouter, socket: Path) -> AsyncIterator[FakeRouter]:
    """Listen in the running loop; the end closes every connection, as a router's death does."""
    socket.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(router.serve, socket)
    try:
        yield router
    finally:
        server.close()
        for writer in tuple(router.writers):
            writer.close()
        await asyncio.sleep(0)
        socket.unlink(missing_ok=True)


@contextmanager
def listening_aside(router: FakeRouter, socket: Path) -> Iterator[FakeRouter]:
    """Listen in a thread, for tests that are not asynchronous."""
    ready = threading.Event()
    stops: list[Callable[[], object]] = []

    async def serve() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with listening(router, socket):
            stops.append(lambda: loop.call_soon_threadsafe(end.set))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield router
    finally:
        for stop in stops:
            stop()
        thread.join()
