"""A node of a cluster runs the client of `deploy/slurm/`: it comes, drains while clients stream, and dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from federation.fleet.models.leases import LEASE
from routing.simulator import simulated_in_thread
from tests.support.processes import children, wait_for
from tests.support.product import ROOT, Product, free_port

CLIENT = ROOT / "deploy" / "slurm" / "ilaas_job.py"
SERVED = "job-8b"
CLIENTS, WORDS = 8, 40
SERVING_SECONDS = 5.0
SET_UP = """
import json
from federation.fleet.operations.egress import grant_egress
from federation.fleet.operations.leases import make_server_token
from federation.fleet.operations.publication import Offer, publish_server
from federation.fleet.operations.servers import change_server_state
from federation.fleet.enums import Engine
from federation.members.models import Institution
from routing.core.enums import ServerState
from tests.integration.federation.world import make_checked, make_form
from tests.support.factories import OPERATOR, make_model

name, port, other = "{name}", {port}, "{other}"
rennes = Institution.objects.get(slug="rennes")
model = make_model(name)
publish_server(by=OPERATOR, offer=Offer(
    institution=rennes, url=other, engine=Engine.VLLM, model_name=name, served_name="{served}",
    credential=None, max_parallel=None))
form = make_checked(make_form(
    rennes, rennes.sites.first(), model, server_name=name, served_name="{served}", availability="slurm",
    base_url=f"http://127.0.0.1:{port}"))
grant_egress(by=OPERATOR, server=form.server, address="127.0.0.1", port=port, reason="a test")
change_server_state(by=OPERATOR, server=form.server, state=ServerState.LIVE)
token = make_server_token(by=OPERATOR, server=form.server)[1].reveal()
print(json.dumps({{"server": str(form.server_id), "token": token}}))
"""


class Slot(NamedTuple):
    """What an IT department has lent for its jobs, and the model; another server has that, too."""

    model: str
    server: str
    port: int
    token: Path


@pytest.fixture(scope="module")
def slot(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    product.wait_ready()
    port, name = free_port(), "of-a-job-8b"
    with simulated_in_thread({"servers": [_engine("other")]}) as others:
        script = SET_UP.format(name=name, port=port, other=others.url("other"), served=SERVED)
        done = product.manage("shell", "-c", script)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        path = tmp_path_factory.mktemp("job") / "token"
        path.write_text(told["token"])
        yield Slot(name, told["server"], port, path)


def _engine(name: str, port: int = 0) -> dict[str, object]:
    return {"name": name, "engine": "vllm", "model": SERVED, "port": port}


@pytest.fixture
def job(product: Product, slot: Slot, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The client with a simulated engine, as `sbatch` starts it."""
    config = tmp_path / "engine.json"
    config.write_text(json.dumps({"servers": [_engine("job", slot.port)]}))
    environment = {
        **os.environ,
        "ILAAS_URL": product.address,
        "ILAAS_TOKEN_FILE": str(slot.token),
        "ILAAS_ADDRESS": f"http://127.0.0.1:{slot.port}",
        "SLURM_JOB_ID": "4711",
    }
    command = [sys.executable, str(CLIENT), sys.executable, "-m", "routing.simulator", str(config)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as process:
        yield process
        kill(process.pid)


def kill(pid: int) -> None:
    """`kill -9` the client and its engine, as when a node goes dark."""
    for each in (*children(pid), pid):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def state_of(product: Product, slot: Slot) -> tuple[str, bool]:
    ((state, paused),) = product.rows(
        "SELECT state, paused FROM fleet_inferenceserver WHERE id = %s", slot.server
    )
    return state, paused


def in_service(product: Product, slot: Slot) -> bool:
    return state_of(product, slot) == ("live", False)


def served_after(product: Product, slot: Slot) -> list[float]:
    """Return how many seconds after its registration the job's server was asked, of each answer that it gave."""
    rows = product.rows(
        "SELECT extract(epoch FROM record.received_at - lease.created_at)::float8"
        " FROM billing_usagerecord record JOIN fleet_lease lease ON lease.server_id = record.server_id"
        " WHERE record.server_id = %s AND record.status = 'ok' AND record.received_at > lease.created_at",
        slot.server,
    )
    return [seconds for (seconds,) in rows]


def stream(product: Product, slot: Slot) -> str:
    """Return how one client's stream ended: empty when well."""
    body = {
        "model": slot.model,
        "stream": True,
        "max_tokens": WORDS,
        "min_tokens": WORDS,
        "messages": [{"role": "user", "content": os.urandom(8).hex()}],
    }
    headers = {"authorization": f"Bearer {product.demo['keys']['p3']}"}
    try:
        answer = httpx.post(
            f"{product.address}/v1/chat/completions",
            json=body,
            headers=headers,
            timeout=60,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        return repr(error)
    is_whole = answer.status_code == 200 and answer.text.rstrip().endswith("data: [DONE]")
    return "" if is_whole else f"{answer.status_code} {answer.text[-200:]}"


def streams(product: Product, slot: Slot) -> list[str]:
    """Return how those of several clients' streams ended that did not end well."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        ended = [pool.submit(stream, product, slot) for _ in range(CLIENTS)]
    return [trouble for each in ended if (trouble := each.result())]


def test_a_job_serves_within_seconds_and_leaves_without_a_client_noticing(
    product: Product, slot: Slot, job: subprocess.Popen[bytes]
) -> None:
    def has_served() -> bool:
        assert streams(product, slot) == []
        return bool(served_after(product, slot))

    wait_for(lambda: in_service(product, slot), "the job to have the server", 60)
    wait_for(has_served, "an answer of the job in the accounts", 30)
    assert min(served_after(product, slot)) < SERVING_SECONDS

    job.send_signal(signal.SIGUSR1)
    ends, troubles = time.monotonic() + 90, list[str]()
    while job.poll() is None and time.monotonic() < ends:
        troubles += streams(product, slot)

    assert troubles == []
    assert job.poll() == 0
    assert state_of(product, slot) == ("draining", True)
    assert product.rows("SELECT state FROM fleet_lease WHERE server_id = %s", slot.server) == [
        ("ended",)
    ]


def test_a_node_that_dies_leaves_within_its_lease(
    product: Product, slot: Slot, job: subprocess.Popen[bytes]
) -> None:
    wait_for(lambda: in_service(product, slot), "the job to have the server", 60)

    kill(job.pid)
    died = time.monotonic()
    wait_for(
        lambda: state_of(product, slot) == ("draining", True),
        "the server to be paused",
        LEASE.total_seconds() + 15,
    )

    assert time.monotonic() - died < LEASE.total_seconds() + 10
    assert streams(product, slot) == []
