"""The command line: which scenarios, policies and seeds to run, and what to show of them."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.simulation import goals, report
from bench.simulation.fleet import FLEETS
from bench.simulation.plots import write_plots
from bench.simulation.policies import POLICIES, USUAL
from bench.simulation.runs import Job, Result, load, run_all, save
from bench.simulation.scenarios import SCENARIOS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.load <= 0:
        parser.error("--jobs and --load must be above 0")
    results = _kept(options.read, parser) if options.read else _run(options)
    if options.out:
        save(results, options.out)
    for table in report.tables(results):
        print(table)
    for line in report.slowest(results):
        print(line)
    if options.goals:
        print(goals.table(results))
    if options.plots:
        write_plots(results, options.plots)
    return 0


def seeds(text: str) -> list[int]:
    """Return the numbers of `100-105,7`. Raises ValueError."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = range(int(first), int(last if dash else first) + 1)
        if not numbers:
            raise ValueError(f"{part}: the last is before the first")
        found += numbers
    return list(dict.fromkeys(found))


def _kept(path: Path, parser: argparse.ArgumentParser) -> list[Result]:
    try:
        return load(path)
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"{path}: {error}")


def _run(options: argparse.Namespace) -> list[Result]:
    """Run all that is asked for; progress goes to the error output."""
    names = options.scenarios or (goals.SCENARIOS if options.goals else SCENARIOS)
    jobs = [
        Job(
            scenario,
            policy,
            seed,
            options.fleet,
            options.load,
            with_curves=bool(options.plots) and seed == options.seeds[0],
            slowest=options.slowest,
        )
        for scenario in names
        for policy in options.policies
        for seed in options.seeds
    ]
    began, results = time.monotonic(), []
    for done, result in enumerate(run_all(jobs, options.jobs), 1):
        results.append(result)
        seconds = time.monotonic() - began
        print(f"\r{done} of {len(jobs)} runs, {seconds:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    place = {(job.scenario, job.policy, job.seed): number for number, job in enumerate(jobs)}
    return sorted(results, key=lambda each: place[each.scenario, each.policy, each.seed])


def _scenario(name: str) -> str:
    if name not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise argparse.ArgumentTypeError(f"no scenario {name!r}; there are {known}")
    return name


def _policies(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in POLICIES]:
        known = ", ".join(POLICIES)
        raise argparse.ArgumentTypeError(f"no policy {unknown[0]!r}; there are {known}")
    return list(dict.fromkeys(names))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.simulation", description=__doc__)
    add = parser.add_argument
    known = ", ".join(SCENARIOS)
    add("scenarios", nargs="*", type=_scenario, metavar="SCENARIO", help=f"of {known}; all if none")
    add("--policies", type=_policies, default=list(USUAL), metavar="A,B", help="all but settings")
    add("--seeds", type=seeds, default=[0, 1, 2], metavar="0-2", help="numbers and ranges")
    add("--jobs", type=int, default=1, metavar="N", help="runs at once")
    add("--goals", action="store_true", help="judge the design's goals; by default run only theirs")
    add("--fleet", choices=FLEETS, default="mixed", help="equal: four H100, as peers like it")
    add("--load", type=float, default=1.0, metavar="F", help="factor on arrivals")
    add("--slowest", type=int, default=0, metavar="N", help="describe each run's N slowest chats")
    add("--out", type=Path, metavar="FILE", help="keep the results as JSON")
    add("--read", type=Path, metavar="FILE", help="show kept results instead of running")
    add("--plots", type=Path, metavar="DIR", help="write a page of plots for each scenario")
    return parser


if __name__ == "__main__":
    sys.exit(main())
