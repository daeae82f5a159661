"""Runs scenarios with policies and seeds, several at once; and keeps what came of them in a file."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan, nan
from multiprocessing import Pool
from pathlib import Path

from bench.simulation.fleet import FLEETS
from bench.simulation.measures import Measures, measure
from bench.simulation.policies import POLICIES
from bench.simulation.run import Run
from bench.simulation.scenarios import SCENARIOS
from bench.simulation.series import Curves, curves_of
from bench.simulation.world import World


@dataclass(frozen=True)
class Job:
    """What is to be run. `load` is a factor on open-loop arrivals."""

    scenario: str
    policy: str
    seed: int
    fleet: str = "mixed"
    load: float = 1.0
    with_curves: bool = False
    slowest: int = 0
    """How many of the chats that waited longest are to be described."""


@dataclass(frozen=True)
class Result:
    """What came of a run that took `seconds` of this machine's time."""

    scenario: str
    policy: str
    title: str
    seed: int
    seconds: float
    measures: Measures
    curves: Curves | None = None
    slowest: list[str] = field(default_factory=list)


def run(job: Job) -> Result:
    began = time.perf_counter()
    scenario = SCENARIOS[job.scenario]
    world = World(POLICIES[job.policy], FLEETS[job.fleet], job.seed, job.load)
    scenario.prepare(world)
    world.timeline.run(scenario.until)
    measured = [
        each for each in world.requests if scenario.since <= each.arrived_at < scenario.before
    ]
    over = Run(world, scenario, measured)
    return Result(
        scenario=job.scenario,
        policy=job.policy,
        title=world.policy.title,
        seed=job.seed,
        seconds=round(time.perf_counter() - began, 3),
        measures=measure(over),
        curves=curves_of(over) if job.with_curves else None,
        slowest=over.slowest(job.slowest),
    )


def run_all(jobs: Sequence[Job], at_once: int) -> Iterator[Result]:
    """Run `jobs`, each in a process of a pool unless one at a time is enough; yield as they end."""
    if at_once == 1:
        yield from map(run, jobs)
        return
    with Pool(at_once) as pool:
        yield from pool.imap_unordered(run, jobs)


def save(results: Iterable[Result], path: Path) -> None:
    """Write `results` as JSON, which has no NaN: null stands for it."""
    entries = [asdict(result) for result in results]
    for entry in entries:
        measures = entry["measures"].items()
        entry["measures"] = {name: None if isnan(value) else value for name, value in measures}
    path.write_text(json.dumps(entries, allow_nan=False))


def load(path: Path) -> list[Result]:
    """Return the results that `save` wrote. Raises OSError, ValueError or TypeError when it is none of those."""
    results = [Result(**entry) for entry in json.loads(path.read_text())]
    for result in results:
        for name, value in result.measures.items():
            if value is None:
                result.measures[name] = nan
    return results
