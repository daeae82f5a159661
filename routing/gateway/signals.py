"""What servers tell of themselves: by the streams that they send us, and by their own metrics where they have any.

Twice a second each server that streams gets one report of how fast it writes, at the cost of one look at each
stream. What a stream wrote after its last look is left out, like its first half second: a rate needs neither.
Metrics only ever tighten what the streams say; stale or absent ones say nothing.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import httpx

from routing.core.enums import Health, ServerState
from routing.core.table import Server
from routing.dispatch.messages import Gauges, Progress
from routing.gateway.gateway import Gateway
from routing.gateway.verdicts import Failed
from routing.upstream.errors import UpstreamError
from routing.upstream.guarded import fetch
from routing.upstream.metrics import MAX_METRICS_BYTES, Load, read_load

LISTEN_SECONDS = 0.5
AGAIN_SECONDS, NO_METRICS_SECONDS = 10.0, 300.0
"""How long a server is not asked again whose metrics could not be read just now, or never yet."""
FETCH_SECONDS = 2.0
logger = logging.getLogger(__name__)


async def keep_listening(gateway: Gateway) -> None:
    """Report what the streams tell, until cancelled."""
    loop, listener = asyncio.get_running_loop(), Listener()
    while True:
        await asyncio.sleep(LISTEN_SECONDS)
        for progress in listener.listen(tuple(gateway.journeys), loop.time()):
            gateway.dispatcher.report(progress)


async def keep_measuring(gateway: Gateway, http: httpx.AsyncClient) -> None:
    """Read the metrics of every live server, each apart, until cancelled."""
    loop = asyncio.get_running_loop()
    silent_until: dict[str, float] = {}
    have_metrics: set[str] = set()

    async def measure(server: Server, now: float) -> None:
        silent_until[server.id] = now + 2 * FETCH_SECONDS  # one reading at a time
        if load := await _read(gateway, http, server):
            have_metrics.add(server.id)
            del silent_until[server.id]
            gateway.dispatcher.report(_gauges(gateway, server, load))
            gateway.occupancy.hear(server.id, load.running, loop.time())
            if load.tokens is not None:
                gateway.counted[server.id] = loop.time(), load.tokens
        else:
            pause = AGAIN_SECONDS if server.id in have_metrics else NO_METRICS_SECONDS
            silent_until[server.id] = now + pause

    async with asyncio.TaskGroup() as readings:
        while True:
            await asyncio.sleep(gateway.limits.measure_seconds)
            healthy = gateway.dispatcher.load().servers
            for server in gateway.table.servers.servers.values():
                now = loop.time()
                load = healthy.get(server.id)
                if server.state is not ServerState.LIVE or now < silent_until.get(server.id, 0.0):
                    continue
                if load is not None and load.health == Health.HEALTHY:
                    readings.create_task(measure(server, now))


def _gauges(gateway: Gateway, server: Server, load: Load) -> Gauges:
    ours = gateway.dispatcher.load().servers.get(server.id)
    return Gauges(
        server_id=server.id,
        running=load.running,
        waiting=load.waiting,
        memory_use=load.memory_use,
        memory=load.memory,
        ours=ours.in_flight if ours else 0,
    )


async def _read(gateway: Gateway, http: httpx.AsyncClient, server: Server) -> Load | None:
    """Return what a server's metrics say, None when it has none that can be read."""
    try:
        destination = gateway.destination(server)
        token = destination.token
        answer = await fetch(
            http,
            destination.target.url + "/metrics",
            headers={"authorization": f"Bearer {token.reveal()}"} if token else {},
            grants=destination.grants,
            ca_bundle=destination.ca_bundle,
            identity=destination.identity,
            limit=MAX_METRICS_BYTES,
            seconds=FETCH_SECONDS,
        )
    except (UpstreamError, Failed):
        return None
    return read_load(answer.body.decode(errors="replace")) if answer.status == 200 else None


class Stream(Protocol):
    """A running request that was asked for as a stream."""

    @property
    def hears(self) -> tuple[str, int] | None:
        """Return the server that it listens to and the tokens that came from there, None when to nobody."""


class Listener:
    """Remembers what each stream had at the last look. `now` in seconds of the loop's clock."""

    def __init__(self) -> None:
        self._counts: dict[Stream, tuple[str, int, float]] = {}
        self._heard_at: dict[str, float] = {}

    def listen(self, streams: Iterable[Stream], now: float) -> list[Progress]:
        """Return a report for each server to which any of `streams` listens."""
        tokens: dict[str, int] = defaultdict(int)
        seconds: dict[str, float] = defaultdict(float)
        counts: dict[Stream, tuple[str, int, float]] = {}
        for stream in streams:
            if (hears := stream.hears) is None:
                continue
            server_id, count = hears
            counts[stream] = server_id, count, now
            before_id, before, at = self._counts.get(stream, (server_id, 0, now))
            heard = tokens[server_id]  # a server without a token gets its report too
            if before_id == server_id and before:
                tokens[server_id] = heard + count - before
                seconds[server_id] += now - at
            if server_id not in self._heard_at or count > (before if before_id == server_id else 0):
                self._heard_at[server_id] = now
        self._counts = counts
        self._heard_at = {each: at for each, at in self._heard_at.items() if each in tokens}
        return [
            Progress(
                server_id=server_id,
                tokens=written,
                stream_ms=round(seconds[server_id] * 1000),
                silent_ms=round((now - self._heard_at[server_id]) * 1000),
            )
            for server_id, written in tokens.items()
        ]
