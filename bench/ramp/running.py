"""A run: both arms at the same time, and each second a look at the router's own metrics and at the machine."""

import asyncio
import os
import time
from pathlib import Path

import msgspec

from bench.ramp.asking import Answer, Client
from bench.ramp.load import Load
from bench.ramp.stage import ARMS, CLASSES, HOSTS, OURS, Stage, set_up
from tests.support.prometheus import Scraped, scrape

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
        return asyncio.run(_run(load, stage))


async def _run(load: Load, stage: Stage) -> Run:
    before, began = _cpu_seconds(stage), time.monotonic()
    client, answers, looks = Client(stage.url), list[Answer](), list[Look]()
    watching = asyncio.create_task(_watch(client, stage.metrics_port, looks))
    try:
        async with asyncio.TaskGroup() as everybody:
            for arm in ARMS:
                for each in load.clients(arm, client, answers):
                    everybody.create_task(each)
    finally:
        watching.cancel()
        await client.close()
    seconds = time.monotonic() - began
    cpu = {name: (spent - before[name]) / seconds for name, spent in _cpu_seconds(stage).items()}
    return Run(answers, looks, cpu)


async def _watch(client: Client, port: int, into: list[Look]) -> None:
    due = client.now()
    while True:
        await asyncio.sleep(max(0.0, due - client.now()))
        late = client.now() - due
        now = Scraped(await scrape(port))
        into.append(
            Look(
                at=client.now(),
                waiting={
                    level: int(
                        _told(now, "ilaas_waiting_requests", model=OURS.model, class_=f"P{level}")
                    )
                    for level in CLASSES
                },
                in_flight={
                    host: int(_told(now, "ilaas_server_in_flight", server=OURS.server(host)))
                    for host in HOSTS
                },
                learnt_limit={
                    host: _told(now, "ilaas_server_learnt_limit", server=OURS.server(host))
                    for host in HOSTS
                },
                late=late,
            )
        )
        due += LOOK_SECONDS


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
