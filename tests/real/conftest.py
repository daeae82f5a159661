"""A real vLLM behind the whole product: `make test-real`. Installs vLLM once, under VLLM_FOLDER."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import wait_for
from tests.support.product import ROOT, Product, free_port, is_ok, running

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("VLLM_FOLDER") or ROOT / "var" / "vllm")
START_SECONDS = 300.0  # the first start compiles
TOKEN = "sk-upstream"
SERVED_NAME, PUBLIC_NAME = "tiny-llama", "real-tiny-llama"


@pytest.fixture(scope="session")
def vllm() -> Iterator[str]:
    """The address of a vLLM that answers to `tiny-llama`, with the token above."""
    if not (FOLDER / "tiny-llama" / "config.json").exists():
        subprocess.run([HERE / "setup_vllm.sh", FOLDER], check=True)
    port = free_port()
    with (FOLDER / "vllm.log").open("wb") as log:
        server = subprocess.Popen(
            command(port), env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: server.poll() is not None or is_ok(f"{url}/health"), "vLLM", START_SECONDS)
        assert server.poll() is None, (FOLDER / "vllm.log").read_text(errors="replace")[-2000:]
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


@pytest.fixture(scope="session")
def product(vllm: str) -> Iterator[Product]:
    """The demonstration, with the real server registered for Rennes as an operator does it."""
    with running() as copy:
        words = f"register_server {vllm} --institution rennes --engine vllm --model {PUBLIC_NAME}"
        registered = subprocess.run(
            [
                *(sys.executable, "manage.py", *words.split()),
                *("--served-name", SERVED_NAME, "--credential", TOKEN),
            ],
            cwd=ROOT,
            env={**os.environ, **copy.management_environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert registered.returncode == 0, registered.stderr
        yield copy


def command(port: int) -> list[str]:
    return [
        str(FOLDER / "v-vllm" / "bin" / "vllm"),
        *("serve", str(FOLDER / "tiny-llama"), "--served-model-name", SERVED_NAME),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "bfloat16"),
        *("--max-model-len", "1024", "--max-num-seqs", "8", "--max-num-queued-reqs", "4"),
        "--enforce-eager",
        *("--api-key", TOKEN, "--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ]


def environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "HF_HUB_OFFLINE": "1",
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
