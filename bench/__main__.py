"""`make bench`: every measurement in order, written into a folder of the day with what the machine was.

The machine's name stays out: cores, processor, Python and load say what is needed to read the figures.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


class Step(NamedTuple):
    """A measurement: what it is called, its command behind `python`, and whether it writes its report itself."""

    name: str
    command: tuple[str, ...]
    title: str
    writes: bool = False


def steps(options: argparse.Namespace, folder: Path) -> list[Step]:
    seeds, rounds = ("100", "1") if options.quick else ("100-105", "5")
    minutes = ("--minutes", "1") if options.quick else ()
    ramp = ("-m", "bench.ramp", "--out", str(folder), *minutes)
    peers = [
        word
        for name, path in (("--peer", options.peer), ("--litellm", options.litellm))
        if path
        for word in (name, str(path.absolute()))
    ]
    simulation = ("-m", "bench.simulation", "--goals", "--seeds", seeds)
    cores = str(os.cpu_count() or 1)
    return [
        Step("decide", ("bench/decide.py",), "What a decision costs"),
        Step("simulation", (*simulation, "--jobs", cores), "The scheduler in the laboratory"),
        Step("ramp", ramp, "The predecessor's experiment, live", writes=True),
        Step("overload", (*ramp, "--overload", "1.5"), "Too much by half, live", writes=True),
        Step("relay", ("bench/relay.py", "--rounds", rounds, *peers), "What relaying costs"),
        Step("usage_drain", ("bench/usage_drain.py",), "How fast usage is stored"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    folder = (options.out or RESULTS / today).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [each for each in steps(options, folder) if each.name in (options.only or each.name)]
    lines = [*about_machine(), "", "| | seconds | load before | load after |", "|---|---|---|---|"]
    failed = 0
    for step in chosen:
        print(f"→ {step.title}", flush=True)
        before, began = load(), time.monotonic()
        code = carry_out(step, folder)
        failed += code != 0
        told = f"[{step.title}]({step.name}.md)" if not code else f"{step.title}: **failed**"
        lines.append(f"| {told} | {time.monotonic() - began:.0f} | {before} | {load()} |")
    (folder / "README.md").write_text("\n".join(lines) + "\n")
    print(f"→ Written to {os.path.relpath(folder)}")
    return min(failed, 1)


def carry_out(step: Step, folder: Path) -> int:
    """Run a step; what it prints is its report. Return its exit code."""
    done = subprocess.run(
        [sys.executable, *step.command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, flush=True)
    if not done.returncode and not step.writes:
        is_table = "|" in done.stdout
        body = done.stdout if is_table else f"```\n{done.stdout}```\n"
        (folder / f"{step.name}.md").write_text(f"# {step.title}\n\n{body}")
    return done.returncode


def about_machine() -> list[str]:
    return [
        "# Measured",
        "",
        f"{os.cpu_count()} cores, {processor()}; Python {platform.python_version()}; commit {commit()}.",
        "Figures of one run are to be compared with each other, not with another machine's.",
    ]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def load() -> str:
    """Return how many processes wanted a core, on average over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    names = ("decide", "simulation", "ramp", "overload", "relay", "usage_drain")
    add("--only", nargs="+", choices=names, help="some of the measurements")
    add("--quick", action="store_true", help="short runs, to see that all works")
    add("--peer", type=Path, metavar="PATH", help="the executable of vllm-router")
    add("--litellm", type=Path, metavar="PATH", help="the executable of LiteLLM's proxy")
    add("--out", type=Path, metavar="DIR", help="another folder than bench/results/TODAY")
    return parser


if __name__ == "__main__":
    sys.exit(main())
