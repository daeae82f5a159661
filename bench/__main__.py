"""`make bench`: every measurement in order, written into a folder of the day with what the machine was.

The machine's name stays out: cores, processor, Python and load say what is needed to read the figures.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
NAMES = ("decide", "simulation", "ramp", "overload", "relay", "usage_drain")


class Step(NamedTuple):
    """A measurement: what it is called, and its command behind `python`. What it prints is its report."""

    name: str
    command: tuple[str, ...]
    title: str


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
        Step("ramp", ramp, "The predecessor's experiment, live"),
        Step("overload", (*ramp, "--overload", "1.5"), "Too much by half, live"),
        Step("relay", ("bench/relay.py", "--rounds", rounds, *peers), "What relaying costs"),
        Step("usage_drain", ("bench/usage_drain.py",), "How fast usage is stored"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    folder = (options.out or RESULTS / today).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    failed = [
        step.name
        for step in steps(options, folder)
        if step.name in (options.only or NAMES) and not carry_out(step, folder)
    ]
    print(f"→ Written to {os.path.relpath(folder)}")
    if failed:
        print(f"→ Failed: {', '.join(failed)}")
    return min(len(failed), 1)


def carry_out(step: Step, folder: Path) -> bool:
    """Run a step and write its report down, with what it was measured on; return whether it succeeded."""
    print(f"→ {step.title}", flush=True)
    before = load()
    done = subprocess.run(
        [sys.executable, *step.command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, flush=True)
    if done.returncode:
        return False
    is_markdown = "|" in done.stdout
    report = done.stdout.strip() if is_markdown else f"```\n{done.stdout}```"
    about = f"{machine()}; load {before} before and {load()} after."
    (folder / f"{step.name}.md").write_text(f"# {step.title}\n\n{report}\n\n{about}\n")
    return True


def machine() -> str:
    """Describe where it was measured, without a name."""
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {processor()}; Python {python}; commit {commit()}"


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
    add("--only", nargs="+", choices=NAMES, help="some of the measurements")
    add("--quick", action="store_true", help="short runs, to see that all works")
    add("--peer", type=Path, metavar="PATH", help="the executable of vllm-router")
    add("--litellm", type=Path, metavar="PATH", help="the executable of LiteLLM's proxy")
    add("--out", type=Path, metavar="DIR", help="another folder than bench/results/TODAY")
    return parser


if __name__ == "__main__":
    sys.exit(main())
