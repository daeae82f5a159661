"""Several simulated servers in one process: started together, ended together, by name.

For async code, for tests that run in another thread, and for the command (`__main__`).
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from routing.simulator.config import Config, parse
from routing.simulator.faults import Fault
from routing.simulator.http import Request
from routing.simulator.server import Server

T = TypeVar("T")


class Simulated:
    """Running servers. Use it in the event loop that they run in."""

    def __init__(self, config: Config) -> None:
        self.servers: dict[str, Server] = {}
        for each in config.servers:
            self.servers[each.name] = Server(
                each, self.servers, speed=config.speed, record=config.record
            )

    def url(self, name: str) -> str:
        return self.servers[name].url

    def requests(self, name: str) -> list[Request]:
        """What a server was asked, in order, if the configuration says `record`."""
        return self.servers[name].requests

    async def set_fault(self, name: str, fault: Fault) -> None:
        await self.servers[name].set_fault(fault)


class SimulatedInThread:
    """Running servers, for code outside of their event loop. Every call waits until it is done."""

    def __init__(self, servers: Simulated, loop: asyncio.AbstractEventLoop) -> None:
        self._servers = servers
        self._loop = loop

    def url(self, name: str) -> str:
        return self._servers.url(name)

    def requests(self, name: str) -> list[Request]:
        return list(self._servers.requests(name))

    def set_fault(self, name: str, fault: Fault) -> None:
        _wait(self._loop, self._servers.set_fault(name, fault))


@asynccontextmanager
async def simulated(config: Config | Mapping[str, object]) -> AsyncGenerator[Simulated]:
    """Run the servers of a configuration. Raises `ConfigError`; ends them all on the way out."""
    running = Simulated(parse(config))
    try:
        for server in running.servers.values():
            await server.start()
        yield running
    finally:
        for server in running.servers.values():
            await server.stop()


@contextmanager
def simulated_in_thread(config: Config | Mapping[str, object]) -> Iterator[SimulatedInThread]:
    """Run the servers of a configuration in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator")
    thread.start()
    context = simulated(config)
    try:
        servers = _wait(loop, context.__aenter__())
        try:
            yield SimulatedInThread(servers, loop)
        finally:
            _wait(loop, context.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
