"""Runs a fault schedule: simulated servers, the router with all that lives beside it, and clients, on real sockets.

Time is compressed: `speed` 4 runs four seconds of the schedule in one, and shortens every patience of the
router's by as much.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from unittest import mock

import httpx
import msgspec

from routing.core import candidates, health, host, learning
from routing.core.enums import Limiting, Strategy
from routing.gateway import probing, signals
from routing.gateway.settings import Limits
from routing.simulator import Fault, Simulated, simulated
from routing.simulator.text import pieces
from routing.upstream.probe import SECONDS as PROBE_SECONDS
from routing.upstream.probe import probe
from tests.support.faults.oracle import Seen, healthy, judge
from tests.support.faults.schedule import Ask, Schedule, Strike
from tests.support.router import (
    Router,
    a_model,
    a_principal,
    a_server,
    an_id,
    names,
    principals,
    running_router,
    servers,
    until,
)

SPEED = 4.0
PATH = "/v1/chat/completions"
SERVED = "served-name"
LIMITING = {
    Strategy.ROUND_ROBIN: Limiting.GIVEN,
    Strategy.LEAST_BUSY: Limiting.STATISTICS,
    Strategy.AFFINITY: Limiting.LEARNT,
}
"""As in the settings that a model may have."""
INSTITUTIONS = ("orleans", "rennes", "tours")
LIMITS = Limits(
    wait_seconds=60.0,
    run_seconds=110.0,
    server_head_seconds=50.0,
    server_idle_seconds=20.0,
    hold_back_seconds=0.5,
    comment_seconds=0.5,
    tick_seconds=2.0,
)
"""As in production, but for waits of minutes, which no schedule of seconds would see the end of."""
_SCALED = (
    "wait_seconds",
    "run_seconds",
    "server_head_seconds",
    "server_idle_seconds",
    "hold_back_seconds",
    "comment_seconds",
    "tick_seconds",
)
_PATIENCE = (
    (candidates, "LOST_SECONDS"),
    (health, "BACKOFF_SECONDS"),
    (health, "BACKOFF_CAP"),
    (health, "HOLD_SECONDS"),
    (health, "HOLD_CAP"),
    (health, "SLOW_STEP"),
    (health, "PROBE_IDLE"),
    (health, "PROBE_PATIENCE"),
    (health, "TRIAL_PATIENCE"),
    (host, "SILENT_SECONDS"),
    (host, "GAUGES_FRESH_SECONDS"),
    (host, "PERIOD_SECONDS"),
    (learning, "APART_SECONDS"),
    (probing, "SECONDS"),
    (signals, "LISTEN_SECONDS"),
    (signals, "AGAIN_SECONDS"),
    (signals, "FETCH_SECONDS"),
)
BACK_SECONDS = 90.0
"""Seconds after the last fault in which every server is in service again: more than the longest pause."""
DISTURBED_SECONDS, ATTEMPTS = 0.5, 6
"""From how late this process came to run its verdict means little, and how often it is then asked for."""
_ANSWER_SECONDS = 300.0


class Verdict(msgspec.Struct, kw_only=True):
    """What came of a schedule. `complaints` is empty when all was well."""

    seed: int
    asks: int
    failed_before: int
    failed_after: int
    left: int
    could_be_spared: int
    """Requests for which a server was healthy all the while."""
    retries: int
    lag: float
    """The longest time for which this process did not come to run, in the schedule's seconds."""
    complaints: list[str]


async def run(plan: Schedule, folder: Path, speed: float = SPEED) -> Verdict:
    """Run a schedule to its end, and judge it."""
    async with _house(plan, folder, speed) as (fleet, router), _client(router) as client:
        clock = Clock(speed)
        lag = asyncio.create_task(_longest_lag(clock))
        strikes = [asyncio.create_task(_strike(fleet, each, clock)) for each in plan.strikes]
        seen = await asyncio.gather(*(_ask(client, ask, clock) for ask in plan.asks))
        await asyncio.gather(*strikes)
        lag.cancel()
        complaints = await _aftermath(plan, fleet, router, speed)
        server_names = {an_id(server.name): server.name for server in plan.servers}
        closed = router.closed()
        return Verdict(
            seed=plan.seed,
            asks=len(seen),
            failed_before=sum(bool(each.error) and not each.first for each in seen),
            failed_after=sum(bool(each.error) and bool(each.first) for each in seen),
            left=sum(each.left for each in seen),
            could_be_spared=sum(bool(healthy(plan, each)) for each in seen),
            lag=await lag,
            retries=sum(max(0, len(record.attempts) - 1) for record in closed),
            complaints=complaints + judge(plan, seen, router.opened(), closed, server_names),
        )


async def run_undisturbed(plan: Schedule, folder: Path, speed: float = SPEED) -> Verdict:
    """Run a schedule; again, when it went wrong while the machine was too busy for this to mean anything."""
    for attempt in range(ATTEMPTS):
        (place := folder / str(attempt)).mkdir()
        verdict = await run(plan, place, speed)
        if not verdict.complaints or verdict.lag < DISTURBED_SECONDS:
            break
    return verdict


class Clock:
    """The schedule's time."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    @property
    def now(self) -> float:
        return (self._loop.time() - self._began) * self.speed

    async def at(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, (seconds - self.now) / self.speed))


@asynccontextmanager
async def _house(
    plan: Schedule, folder: Path, speed: float
) -> AsyncGenerator[tuple[Simulated, Router]]:
    config = {
        "speed": speed,
        "servers": [
            {
                "name": server.name,
                "engine": "vllm",
                "model": SERVED,
                "max_num_seqs": server.max_num_seqs,
                "max_queued": server.max_queued,
                "seconds_per_token": server.seconds_per_token,
            }
            for server in plan.servers
        ],
    }
    limits = {name: getattr(LIMITS, name) / speed for name in _SCALED}
    with _compressed(speed):
        async with (
            simulated(config) as fleet,
            running_router(
                folder,
                principals(**{name: a_principal(name) for name in INSTITUTIONS}),
                names(
                    *(
                        a_model(
                            *hosts,
                            name=model,
                            served_name=SERVED,
                            strategy=plan.strategy,
                            limiting=LIMITING[plan.strategy],
                        )
                        for model, hosts in plan.models.items()
                    )
                ),
                servers(
                    *(
                        a_server(each.name, fleet.url(each.name), max_parallel=each.max_parallel)
                        for each in plan.servers
                    )
                ),
                limits=msgspec.structs.replace(LIMITS, **limits),
                probes=True,
                measure_seconds=1.0 / speed,
            ) as router,
        ):
            yield fleet, router


@contextmanager
def _compressed(speed: float) -> Iterator[None]:
    with ExitStack() as stack:
        for module, name in _PATIENCE:
            value = getattr(module, name) / speed
            stack.enter_context(mock.patch.object(module, name, value))
        quick = partial(probe, seconds=PROBE_SECONDS / speed)
        stack.enter_context(mock.patch.object(probing, "probe", quick))
        yield


@asynccontextmanager
async def _client(router: Router) -> AsyncGenerator[httpx.AsyncClient]:
    """One for all clients: to make one takes longer than to answer a request."""
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with router.client(key="", limits=unlimited) as client:
        client.timeout = httpx.Timeout(_ANSWER_SECONDS)
        yield client


async def _longest_lag(clock: Clock) -> float:
    """Watch until cancelled."""
    longest, before = 0.0, clock.now
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.01)
            longest, before = max(longest, clock.now - before), clock.now
    return longest


async def _strike(fleet: Simulated, strike: Strike, clock: Clock) -> None:
    await clock.at(strike.at)
    fault = strike.fault
    if fault.seconds is not None:
        fault = msgspec.structs.replace(fault, seconds=fault.seconds / clock.speed)
    await fleet.set_fault(strike.server, fault)
    await clock.at(strike.until)
    await fleet.set_fault(strike.server, Fault(kind="none"))


async def _ask(client: httpx.AsyncClient, ask: Ask, clock: Clock) -> Seen:
    """Be one client."""
    seen = Seen(ask=ask)
    await clock.at(ask.at)
    seen.sent = clock.now
    patience = None if ask.patience is None else ask.patience / clock.speed
    try:
        async with asyncio.timeout(patience):
            await (_read_stream if ask.stream else _read_whole)(client, ask, seen, clock)
    except TimeoutError:
        seen.left = True
    except httpx.HTTPError as error:
        seen.error = type(error).__name__
    seen.ended = clock.now
    return seen


def _key(ask: Ask) -> dict[str, str]:
    return {"authorization": f"Bearer {ask.institution}"}


def _body(ask: Ask) -> dict[str, object]:
    return {
        "model": ask.model,
        "stream": ask.stream,
        "max_tokens": ask.tokens,
        "min_tokens": ask.tokens,
        "messages": [{"role": "user", "content": f"À {ask.at:.6f} " + "mot " * ask.words}],
    }


async def _read_whole(client: httpx.AsyncClient, ask: Ask, seen: Seen, clock: Clock) -> None:
    answer = await client.post(PATH, json=_body(ask), headers=_key(ask))
    _note_head(answer, seen)
    said = answer.json()
    if error := said.get("error"):
        seen.error = error["code"]
        return
    seen.model, seen.done = said["model"], 1
    seen.tokens = len(pieces(said["choices"][0]["message"]["content"]))


async def _read_stream(client: httpx.AsyncClient, ask: Ask, seen: Seen, clock: Clock) -> None:
    async with client.stream("POST", PATH, json=_body(ask), headers=_key(ask)) as answer:
        _note_head(answer, seen)
        if answer.status_code != 200:
            seen.error = msgspec.json.decode(await answer.aread())["error"]["code"]
            return
        text = ""
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                text += _read_event(line[5:].strip(), seen, clock)
        seen.tokens = len(pieces(text))


def _note_head(answer: httpx.Response, seen: Seen) -> None:
    seen.status, seen.id = answer.status_code, answer.headers["x-request-id"]


def _read_event(data: str, seen: Seen, clock: Clock) -> str:
    """Note what an event says and return its text."""
    if data == "[DONE]":
        seen.done += 1
        return ""
    event = msgspec.json.decode(data)
    if error := event.get("error"):
        seen.error = error["code"]
        return ""
    seen.first = seen.first or clock.now
    seen.model = event["model"]
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


# When all is over


async def _aftermath(plan: Schedule, fleet: Simulated, router: Router, speed: float) -> list[str]:
    """Return what is not as it was before the schedule: places held, answers computed, servers out of service."""
    complaints: list[str] = []

    async def expect(condition: partial[bool], what: str, seconds: float = 5.0) -> None:
        try:
            await until(condition, max(2.0, seconds / speed))
        except TimeoutError:
            complaints.append(what)

    await expect(partial(_nothing_held, router), "the router holds something at the end")
    await expect(partial(_nothing_computed, fleet), "a server computes for nobody")
    await expect(partial(_all_healthy, router), "a server is out of service", BACK_SECONDS)
    for model in plan.models:
        answer = await router.post(
            key=INSTITUTIONS[0],
            json={"model": model, "messages": [{"role": "user", "content": "Oui ?"}]},
        )
        if answer.status_code != 200:
            complaints.append(f"{model} answers {answer.status_code} at the end")
    return complaints


def _nothing_held(router: Router) -> bool:
    gateway = router.gateway
    load = gateway.dispatcher.load()
    counts = [
        *(server.in_flight for server in load.servers.values()),
        *(model.in_flight + model.waiting for model in load.models.values()),
        len(gateway.journeys),
        gateway.bodies.taken,
    ]
    return not any(counts)


def _nothing_computed(fleet: Simulated) -> bool:
    batches = [server.engine.batch for server in fleet.servers.values()]
    return not any(len(batch.running) + len(batch.waiting) for batch in batches)


def _all_healthy(router: Router) -> bool:
    return {server.health for server in router.gateway.dispatcher.load().servers.values()} == {
        "healthy"
    }
