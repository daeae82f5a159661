"""A run: both arms at the same time, and each second a look at the router's own metrics and at the machine."""

import asyncio
import os
import time
from pathlib import Path

import httpx
import msgspec
import uvloop

from bench.ramp.asking import Answer, Client
from bench.ramp.load import Load
from bench.ramp.stage import ARMS, CLASSES, HOSTS, OURS, Stage, set_up
from tests.support.prometheus import Scraped

LOOK_SECONDS = 1.0


class Look(msgspec.Struct, frozen=True):
    """What the router's metrics said of the waiting room at a moment, and how late the look came.

    `waiting` is by class, `in_flight` and `learnt_limit` are by server.
    """

    at: float
    waiting: dict[int, int]
    in_flight: dict[str, int]
    learnt_limit: dict[str, float]
    late: float


class Run(msgspec.Struct, frozen=True):
    """`cpu` is the share of a core that each process used."""

    answers: list[Answer]
    looks: list[Look]
    cpu: dict[str, float]


def run(load: Load) -> Run:
    with set_up() as stage:
        return uvloop.run(_run(load, stage))


async def _run(load: Load, stage: Stage) -> Run:
    before, began = _cpu_seconds(stage), time.monotonic()
    client, answers, looks = Client(stage.port), list[Answer](), list[Look]()
    try:
        async with asyncio.TaskGroup() as all_there_is:
            watching = all_there_is.create_task(_watch(client, stage.metrics_port, looks))
            async with asyncio.TaskGroup() as everybody:
                for arm in ARMS:
                    for each in load.clients(arm, client, answers):
                        everybody.create_task(each)
            watching.cancel()
    finally:
        await client.close()
    seconds = time.monotonic() - began
    cpu = {name: (spent - before[name]) / seconds for name, spent in _cpu_seconds(stage).items()}
    return Run(answers, looks, cpu)


async def _watch(client: Client, port: int, into: list[Look]) -> None:
    url = f"http://127.0.0.1:{port}/metrics"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        while True:
            due = client.now() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            late = client.now() - due
            into.append(_look(Scraped((await http.get(url)).text), client.now(), late))


def _look(now: Scraped, at: float, late: float) -> Look:
    waiting = {
        level: int(_told(now, "ilaas_waiting_requests", model=OURS.model, class_=f"P{level}"))
        for level in CLASSES
    }
    servers = {host: OURS.server(host) for host in HOSTS}
    return Look(
        at=at,
        waiting=waiting,
        in_flight={
            host: int(_told(now, "ilaas_server_in_flight", server=server))
            for host, server in servers.items()
        },
        learnt_limit={
            host: _told(now, "ilaas_server_learnt_limit", server=server)
            for host, server in servers.items()
        },
        late=late,
    )


def _told(now: Scraped, name: str, **labels: str) -> float:
    value = now.value(name, **labels)
    assert value is not None, f"the router does not tell {name}"
    return value


def _cpu_seconds(stage: Stage) -> dict[str, float]:
    ticks = os.sysconf("SC_CLK_TCK")
    found = {"clients": time.process_time()}
    for name, pid in stage.pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found[name] = sum(map(int, fields[11:13])) / ticks
    return found
