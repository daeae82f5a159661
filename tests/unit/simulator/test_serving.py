"""Several servers in one process, in a loop or in a thread, and as a command."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from routing.simulator import Fault, simulated, simulated_in_thread
from tests.unit.simulator.raw import CHAT, chat, config

ENGINES = ("vllm", "litellm", "llamacpp", "ollama", "lmdeploy")
TWENTY = {
    "servers": [
        {"name": f"s{index}", "engine": ENGINES[index % 5], "model": "m"} for index in range(20)
    ],
    "speed": 0,
}
ROOT = Path(__file__).resolve().parents[3]


async def test_one_process_carries_twenty_servers() -> None:
    async with simulated(TWENTY) as servers, httpx.AsyncClient(trust_env=False) as client:
        urls = [servers.url(name) for name in servers.servers]
        answers = await asyncio.gather(
            *(client.post(f"{url}/v1/chat/completions", json=CHAT) for url in urls)
        )

    assert len(set(urls)) == 20
    assert [answer.status_code for answer in answers] == [200] * 20


async def test_what_is_asked_is_not_kept_unless_it_is_wished() -> None:
    async with simulated(config()) as forgetful:
        await chat(forgetful)
        kept = forgetful.requests("rennes")
    async with simulated({**config(), "record": True}) as recording:
        await chat(recording)
        recorded = recording.requests("rennes")

    assert kept == []
    assert [json.loads(request.body)["messages"] for request in recorded] == [CHAT["messages"]]


def test_code_without_a_loop_uses_servers_in_a_thread() -> None:
    with (
        simulated_in_thread({**config(), "record": True}) as servers,
        httpx.Client(trust_env=False) as client,
    ):
        url = f"{servers.url('rennes')}/v1/chat/completions"
        before = client.post(url, json=CHAT)
        servers.set_fault("rennes", Fault(kind="refuse"))
        with pytest.raises(httpx.TransportError):
            client.post(url, json=CHAT)
        servers.set_fault("rennes", Fault(kind="none"))
        after = client.post(url, json=CHAT)

    assert (before.status_code, after.status_code) == (200, 200)
    assert len(servers.requests("rennes")) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_tells_its_addresses_and_ends_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "servers.json"
    file.write_text(json.dumps(config()))
    with command(file) as running:
        assert running.stdout is not None
        told = [running.stdout.readline().split() for _ in range(2)]
        answer = httpx.get(f"{told[0][0]}/version", trust_env=False)

        running.send_signal(number)
        _, errors = running.communicate(timeout=30)

    assert [line[1:] for line in told] == [["rennes", "vllm", "m"], ["reims", "vllm", "m"]]
    assert answer.status_code == 200
    assert (running.returncode, errors) == (0, "")


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    with command(tmp_path / "missing.json") as running:
        _, errors = running.communicate(timeout=30)

    assert running.returncode == 1
    assert errors == f"simulator: {tmp_path}/missing.json: No such file or directory\n"


def command(file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "routing.simulator", str(file)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
