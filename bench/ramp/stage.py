"""What a run is played on: simulated servers in one process, the router in another, over a table made by hand."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from routing.core.enums import Limiting, RoutingMode, Strategy
from routing.gateway.snapshot import save_section
from tests.support.processes import wait_for
from tests.support.product import ROOT, free_port, is_ok
from tests.support.router import (
    ENCRYPTION_KEY,
    PEPPER,
    a_model,
    a_principal,
    a_server,
    names,
    principals,
    servers,
)

PROMPT, PROMPT_SPREAD, LONGEST_PROMPT = 300, 0.6, 2000
ANSWER, ANSWER_SPREAD, LONGEST_ANSWER = 60, 0.7, 400
"""Tokens: median, spread of the logarithm, and the most."""
SECONDS_PER_TOKEN, BATCH_SLOWDOWN, AT_ONCE, PREFILL = 0.03, 0.03, 8, 5000.0
"""Each server: one step alone, how much longer for each further answer, answers at once, prompt tokens a second.

All servers are equal, which is when round robin does best.
"""
OWNER = "rennes"
HOSTS = (OWNER, "reims", "lille")
GUESTS = ("reims", "orleans", "lille")
CLASSES = (5, 1)


class Arm(NamedTuple):
    """A model whose requests are dealt with in one way."""

    title: str
    model: str
    strategy: Strategy
    limiting: Limiting

    def server(self, institution: str) -> str:
        return f"{institution}-{self.model}"


OURS = Arm("waiting room", "waiting-room", Strategy.AFFINITY, Limiting.LEARNT)
PLAIN = Arm("round robin, no waiting room", "round-robin", Strategy.ROUND_ROBIN, Limiting.NONE)
ARMS = (OURS, PLAIN)


class Who(NamedTuple):
    """Who asks. Owners ask for their own servers first, in either arm."""

    institution: str
    priority: int

    @property
    def is_owner(self) -> bool:
        return self.institution == OWNER

    @property
    def key(self) -> str:
        return f"bench_{self.institution}_{self.priority}"


class Stage(NamedTuple):
    port: int
    metrics_port: int
    pids: dict[str, int]


def lengths(chance: random.Random) -> tuple[int, int]:
    """Return the tokens of a prompt and of its answer."""
    prompt = min(LONGEST_PROMPT, PROMPT * chance.lognormvariate(0, PROMPT_SPREAD))
    answer = min(LONGEST_ANSWER, ANSWER * chance.lognormvariate(0, ANSWER_SPREAD))
    return max(1, round(prompt)), max(2, round(answer))


@cache
def capacity() -> float:
    """Return the requests per second that keep an arm's servers just full."""
    chance, draws = random.Random(0), 10_000
    drawn = [lengths(chance) for _ in range(draws)]
    prompt, answer = (sum(column) / draws for column in zip(*drawn, strict=True))
    step = SECONDS_PER_TOKEN * (1 + BATCH_SLOWDOWN * (AT_ONCE - 1))
    seconds: float = prompt / PREFILL + answer * step / AT_ONCE
    return len(HOSTS) / seconds


@contextmanager
def set_up() -> Iterator[Stage]:
    """Yield a running stage; nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="ilaas-ramp-") as name:
        folder = Path(name)
        ports = {arm.server(host): free_port() for arm in ARMS for host in HOSTS}
        with (
            _process(_simulator(folder, ports), os.environ) as simulator,
            _waited(f"http://127.0.0.1:{min(ports.values())}/health", "the servers"),
        ):
            port, metrics_port = free_port(), free_port()
            _write_table(folder / "table", ports)
            environment = {
                "PATH": os.environ["PATH"],
                "PORT": str(port),
                "METRICS_PORT": str(metrics_port),
                "VAR": str(folder),
                "RUN_DIR": str(folder),
                "PEPPER": PEPPER,
                "ENCRYPTION_KEY": ENCRYPTION_KEY,
                "LOG_LEVEL": "ERROR",
            }
            with (
                _process([sys.executable, "-m", "routing.gateway"], environment) as router,
                _waited(f"http://127.0.0.1:{port}/health/readiness", "the router"),
            ):
                yield Stage(port, metrics_port, {"router": router, "simulator": simulator})


def _simulator(folder: Path, ports: dict[str, int]) -> list[str]:
    config = folder / "simulator.json"
    described = [
        {
            "name": name,
            "engine": "vllm",
            "model": "m",
            "port": port,
            "max_num_seqs": AT_ONCE,
            "seconds_per_token": SECONDS_PER_TOKEN,
            "batch_slowdown": BATCH_SLOWDOWN,
            "prefill_tokens_per_s": PREFILL,
        }
        for name, port in ports.items()
    ]
    config.write_text(json.dumps({"servers": described}))
    return [sys.executable, "-m", "routing.simulator", str(config)]


def _write_table(folder: Path, ports: dict[str, int]) -> None:
    everybody = [Who(each, level) for each in {OWNER, *GUESTS} for level in CLASSES]
    by_key = {
        who.key: a_principal(
            who.institution,
            priority=who.priority,
            routing_mode=RoutingMode.PRIVATE_FIRST if who.is_owner else RoutingMode.ANY,
        )
        for who in everybody
    }
    models = [
        a_model(
            *(arm.server(host) for host in HOSTS),
            name=arm.model,
            served_name="m",
            strategy=arm.strategy,
            limiting=arm.limiting,
        )
        for arm in ARMS
    ]
    hosts = [a_server(name, f"http://127.0.0.1:{port}") for name, port in ports.items()]
    for section in (principals(**by_key), names(*models), servers(*hosts)):
        save_section(folder, section)


@contextmanager
def _process(command: list[str], environment: dict[str, str] | os._Environ[str]) -> Iterator[int]:
    started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield started.pid
    finally:
        started.terminate()
        started.wait(20)


@contextmanager
def _waited(url: str, what: str) -> Iterator[None]:
    wait_for(lambda: is_ok(url), what)
    yield
