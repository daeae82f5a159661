"""The command line: which load, for how long, and where the report and its plots go."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.ramp.load import Load, Overload, Ramp
from bench.ramp.plots import write_plots
from bench.ramp.report import report
from bench.ramp.running import run

MINUTES, OVERLOAD_MINUTES = 5.0, 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    load = _load(options)
    name = "overload" if options.overload else "ramp"
    found = run(load)
    text = report(load, found)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"{name}.md").write_text(text)
        write_plots(load, found, options.out / f"{name}.html")
    return 0


def _load(options: argparse.Namespace) -> Load:
    minutes = options.minutes or (OVERLOAD_MINUTES if options.overload else MINUTES)
    if options.overload:
        return Overload(seconds=60 * minutes, seed=options.seed, factor=options.overload)
    return Ramp(seconds=60 * minutes, seed=options.seed, users=options.users)


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.ramp", description=__doc__)
    add = parser.add_argument
    add("--users", type=_count, default=50, help="at the plateau, in each arm")
    add(
        "--overload",
        type=_above_zero,
        metavar="F",
        help="instead: arrivals at F times the capacity",
    )
    add("--minutes", type=_above_zero, help="5 for the ramp, 3 for an overload")
    add("--seed", type=int, default=1, help="of who asks when and for how much")
    add("--out", type=Path, metavar="DIR", help="write the report and a page of plots")
    return parser


if __name__ == "__main__":
    sys.exit(main())
