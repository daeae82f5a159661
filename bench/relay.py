"""What relaying costs beside vllm-router (Rust) and LiteLLM: CPU per request and per 100 000 chunks, added latency.

    python bench/relay.py [--peer /path/to/vllm-router] [--litellm /path/to/litellm] [--rounds 5]

Starts the whole product without demonstration data (authentication, metering and accounting on), two upstreams
that cost nothing, and the peers over the same two; then interleaves rounds and prints medians and their ratios.
Needs gcc. These machines are noisy: only ratios within one run mean anything.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.support.processes import wait_for  # noqa: E402
from tests.support.product import Product, free_port, is_ok, running  # noqa: E402

MODEL = "mock-model"
GAP_MS = 20
PLAIN = ("body.json", "-c", "32", "-t", "5", "-w", "1")
STREAM = ("body_stream.json", "-c", "64", "-t", "8", "-w", "3")
ACCOUNTING = ("clerk", "postgres")
OURS, DIRECT = "ilaas", "direct"
Figures = dict[str, float]
Found = dict[tuple[str, str], list[Figures]]
"""By load (plain, stream) and contender, what each round gave."""


class Peer(NamedTuple):
    port: int
    pid: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="the executable of vllm-router")
    parser.add_argument("--litellm", type=Path, help="the executable of LiteLLM's proxy")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        tools = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ilaas-bench-")))
        build(tools)
        mocks = [stack.enter_context(mock(tools)) for _ in range(2)]
        product = stack.enter_context(running("serve"))
        key = prepare(product, mocks)
        peers = {}
        if options.peer:
            peers["vllm-router"] = stack.enter_context(vllm_router(options.peer, mocks))
        if options.litellm:
            peers["litellm"] = stack.enter_context(litellm(options.litellm, mocks, key, tools))
        report(measure(tools, product, key, mocks, peers, options.rounds))


def build(tools: Path) -> None:
    for name in ("mock_upstream", "stream_load"):
        subprocess.run(["gcc", "-O2", "-w", "-o", tools / name, HERE / f"{name}.c"], check=True)


@contextmanager
def process(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(10)


@contextmanager
def mock(tools: Path) -> Iterator[int]:
    port = free_port()
    with process([str(tools / "mock_upstream"), str(port), "0", "100"]):
        wait_for(lambda: is_ok(f"http://127.0.0.1:{port}/health"), "an upstream")
        yield port


@contextmanager
def vllm_router(path: Path, mocks: list[int]) -> Iterator[Peer]:
    port = free_port()
    urls = [f"http://127.0.0.1:{each}" for each in mocks]
    command = [str(path), "--worker-urls", *urls, "--policy", "round_robin", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--prometheus-port", str(free_port()), "--log-level", "error"]
    with process(command) as started:
        wait_for(lambda: is_ok(f"http://127.0.0.1:{port}/health"), "vllm-router", 60)
        yield Peer(port, started.pid)


@contextmanager
def litellm(path: Path, mocks: list[int], key: str, folder: Path) -> Iterator[Peer]:
    """Run its proxy with one worker and one key, and without a database, which it does not need for that."""
    port, config = free_port(), folder / "litellm.json"
    models = [
        {
            "model_name": MODEL,
            "litellm_params": {
                "model": f"openai/{MODEL}",
                "api_base": f"http://127.0.0.1:{each}/v1",
                "api_key": "none",
            },
        }
        for each in mocks
    ]
    # JSON is YAML.
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))
    command = [str(path), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with process([*command, "--telemetry", "False", "--num_workers", "1"], **offline) as started:
        alive = f"http://127.0.0.1:{port}/health/liveliness"
        wait_for(lambda: is_ok(alive), "litellm", 120)
        yield Peer(port, started.pid)


def prepare(product: Product, mocks: list[int]) -> str:
    """Register both upstreams; return a key once it is in force."""

    def manage(*words: str) -> str:
        environment = {**os.environ, **product.management_environment()}
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=HERE.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    manage("add_institution", "bench", "--name", "Bench")
    for port in mocks:
        words = f"register_server http://127.0.0.1:{port} --institution bench --engine vllm"
        manage(*words.split(), "--model", MODEL, "--served-name", MODEL)
    key = manage("create_key", "--institution", "bench", "--name", "bench").split()[-1]

    def serves() -> bool:
        headers = {"authorization": f"Bearer {key}"}
        answer = httpx.get(f"{product.address}/v1/models", headers=headers, trust_env=False)
        return answer.status_code == 200 and MODEL in answer.text

    wait_for(serves, "the key in force")
    return key


def measure(
    tools: Path,
    product: Product,
    key: str,
    mocks: list[int],
    peers: dict[str, Peer],
    rounds: int,
) -> Found:
    found: Found = defaultdict(list)
    ours = [f"{name}={product.pid(name)}" for name in ("router", *ACCOUNTING)]
    contenders = {DIRECT: (mocks[0], []), OURS: (product.port, ours)}
    for name, peer in peers.items():
        contenders[name] = peer.port, [f"router={peer.pid}"]
    for load, delay, arguments in (("plain", 0, PLAIN), ("stream", GAP_MS, STREAM)):
        for port in mocks:
            httpx.get(f"http://127.0.0.1:{port}/_set?delay={delay}", trust_env=False)
        for _ in range(rounds):
            for who, (port, watched) in contenders.items():
                found[load, who].append(run_load(tools, port, key, arguments, watched))
                time.sleep(0.5)
    return found


def run_load(
    tools: Path, port: int, key: str, arguments: tuple[str, ...], watched: list[str]
) -> Figures:
    body, *rest = arguments
    command = [str(tools / "stream_load"), "-p", str(port), "-b", str(HERE / body), *rest]
    command += ["-H", f"Authorization: Bearer {key}"]
    for each in watched:
        command += ["-P", each]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures: Figures = json.loads(shown)
    if not figures["ok"] or figures["non2xx"] or figures["errs"]:
        sys.exit(f"not every request was answered: {shown}")
    return figures


def report(found: Found) -> None:
    """Print a table: a column for each contender, and how many times ours costs what a peer's does."""
    contenders = [who for load, who in found if load == "plain" and who != DIRECT]
    peers = [who for who in contenders if who != OURS]
    heads = ["", *contenders, *(f"{OURS} ÷ {peer}" for peer in peers)]
    print("|", " | ".join(heads), "|")
    print("|", " | ".join("---" for _ in heads), "|")
    for title, values in rows(found, contenders):
        cells = [f"{values[who]:.3f}" for who in contenders]
        cells += [ratio(values[OURS], values[peer]) for peer in peers]
        print("|", " | ".join([title, *cells]), "|")
    for name in ACCOUNTING:
        spent = middle(found, "plain", OURS, f"{name}_cpu", "ok", 1000.0)
        print(f"\nCPU ms per plain request, {name}: {spent:.3f}")


def rows(found: Found, contenders: list[str]) -> Iterator[tuple[str, Figures]]:
    """Yield each measure with its value for every contender."""
    for title, load, per, scale in (
        ("CPU ms per plain request", "plain", "ok", 1000.0),
        ("CPU s per 100k chunks", "stream", "chunks", 100_000.0),
    ):
        yield (
            title,
            {who: middle(found, load, who, "router_cpu", per, scale) for who in contenders},
        )
    for value in ("ttft_p50", "ttft_p99"):
        direct = median(each[value] for each in found["stream", DIRECT])
        yield (
            f"added {value} at 64 streams, ms",
            {
                who: median(each[value] for each in found["stream", who]) - direct
                for who in contenders
            },
        )
    yield (
        "peak memory, MB",
        {who: max(each["router_hwm_mb"] for each in found["stream", who]) for who in contenders},
    )


def ratio(ours: float, peers: float) -> str:
    """Return it with the digits that matter; nothing where the peer's is none, as latencies may be in the noise."""
    return f"{ours / peers:.3g}" if peers > 0 else "–"


def middle(found: Found, load: str, who: str, value: str, per: str, scale: float) -> float:
    return median(scale * each[value] / each[per] for each in found[load, who])


if __name__ == "__main__":
    main()
