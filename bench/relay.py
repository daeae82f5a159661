"""What relaying costs beside vllm-router (Rust): CPU per plain request and per 100 000 chunks, added latency.

    python bench/relay.py [--peer /path/to/vllm-router] [--rounds 5]

Starts the whole product without demonstration data (authentication, metering and accounting on), two upstreams
that cost nothing, and the peer over the same two; then interleaves rounds and prints medians and their ratio.
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
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="the executable of vllm-router")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        tools = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ilaas-bench-")))
        build(tools)
        mocks = [stack.enter_context(mock(tools)) for _ in range(2)]
        product = stack.enter_context(running("serve"))
        key = prepare(product, mocks)
        peer = stack.enter_context(vllm_router(options.peer, mocks)) if options.peer else None
        report(measure(tools, product, key, mocks, peer, options.rounds))


def build(tools: Path) -> None:
    for name in ("mock_upstream", "stream_load"):
        subprocess.run(["gcc", "-O2", "-w", "-o", tools / name, HERE / f"{name}.c"], check=True)


@contextmanager
def process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
def vllm_router(path: Path, mocks: list[int]) -> Iterator[tuple[int, int]]:
    """Yield its port and its process."""
    port = free_port()
    urls = [f"http://127.0.0.1:{each}" for each in mocks]
    command = [str(path), "--worker-urls", *urls, "--policy", "round_robin", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--prometheus-port", str(free_port()), "--log-level", "error"]
    with process(command) as started:
        wait_for(lambda: is_ok(f"http://127.0.0.1:{port}/health"), "vllm-router", 60)
        yield port, started.pid


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
    peer: tuple[int, int] | None,
    rounds: int,
) -> dict[tuple[str, str], list[Figures]]:
    """Return by (load, who) what each round gave; loads are plain and stream."""
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    ours = [f"{name}={product.pid(name)}" for name in ("router", *ACCOUNTING)]
    contenders = {"direct": (mocks[0], []), "ilaas": (product.port, ours)}
    if peer:
        contenders["vllm-router"] = (peer[0], [f"router={peer[1]}"])
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


def report(found: dict[tuple[str, str], list[Figures]]) -> None:
    def middle(load: str, who: str, value: str, per: str, scale: float) -> float:
        return median(scale * each[value] / each[per] for each in found[load, who])

    rows = [
        ("CPU ms per plain request", "plain", "router_cpu", "ok", 1000.0),
        ("CPU s per 100k chunks", "stream", "router_cpu", "chunks", 100_000.0),
    ]
    contenders = [who for who in ("ilaas", "vllm-router") if ("plain", who) in found]
    for title, load, value, per, scale in rows:
        values = {who: middle(load, who, value, per, scale) for who in contenders}
        shown = "  ".join(f"{who} {figure:.3f}" for who, figure in values.items())
        ratio = values["ilaas"] / values["vllm-router"] if len(values) == 2 else 0
        print(f"{title}: {shown}" + (f"  ratio {ratio:.2f}" if ratio else ""))
    for name in ACCOUNTING:
        print(
            f"CPU ms per plain request, {name}: "
            f"{middle('plain', 'ilaas', f'{name}_cpu', 'ok', 1000.0):.3f}"
        )
    for who in contenders:
        for value in ("ttft_p50", "ttft_p99"):
            added = median(each[value] for each in found["stream", who]) - median(
                each[value] for each in found["stream", "direct"]
            )
            print(f"added {value} at 64 streams, {who}: {added:+.2f} ms")
        rss = max(each["router_hwm_mb"] for each in found["stream", who])
        print(f"peak memory, {who}: {rss:.0f} MB")


if __name__ == "__main__":
    main()
