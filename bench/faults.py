"""Random fault schedules against the router: what clients see, and whether anything is lost or held.

    python -m bench.faults [--seeds 25] [--first SEED] [--speed 4] [--jobs 2]

Each seed makes a schedule: servers of one or two models that crash, hang, reset at any byte, refuse with 429,
slow down, restart with another model, or are all down at once, while clients ask, read and leave. Prints a line
for each seed and every error that a healthy server could have spared; ends with 1 if there was any. Without
`--first` the seeds are new ones. `--speed 1` takes the time that the schedule would take in production.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.support.faults.house import SPEED, Verdict, run_undisturbed
from tests.support.faults.schedule import schedule


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=25)
    parser.add_argument("--first", type=int, help="run this seed and those that follow")
    parser.add_argument("--speed", type=float, default=SPEED)
    parser.add_argument("--jobs", type=int, default=2, help="schedules that run at the same time")
    options = parser.parse_args()
    first = random.randrange(10**6) if options.first is None else options.first
    seeds = range(first, first + options.seeds)
    verdicts = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for verdict in pool.map(partial(one, speed=options.speed), seeds):
            tell(verdict)
            verdicts.append(verdict)
    good = sum(not verdict.complaints for verdict in verdicts)
    print(f"{good} of {len(verdicts)} seeds well")
    sys.exit(good < len(verdicts))


def one(seed: int, speed: float) -> Verdict:
    logging.disable(logging.WARNING)  # that servers fail is no news here
    with tempfile.TemporaryDirectory(prefix="ilaas-faults-") as folder:
        return asyncio.run(run_undisturbed(schedule(seed), Path(folder), speed))


def tell(verdict: Verdict) -> None:
    print(
        f"seed {verdict.seed}: {verdict.asks} requests, {verdict.could_be_spared} with a healthy server all along,"
        f" {verdict.left} left early, {verdict.retries} further attempts, failed before/after the first byte"
        f" {verdict.failed_before}/{verdict.failed_after}, late by {verdict.lag:.1f} s at most:"
        f" {'NOT WELL' if verdict.complaints else 'well'}",
        flush=True,
    )
    for complaint in verdict.complaints:
        print(f"    {complaint}", flush=True)


if __name__ == "__main__":
    main()
