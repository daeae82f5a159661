"""The results in a table, and the two ratios that the design asks for. Pure."""

from collections.abc import Sequence
from math import isnan

from bench.ramp.asking import PATIENCE_SECONDS, Answer, Status
from bench.ramp.load import Load, Overload
from bench.ramp.running import Run
from bench.ramp.stage import ARMS, OURS, PLAIN
from bench.simulation.arithmetic import percentile
from bench.simulation.report import figure, row

GOAL = 5.0
"""How many times better the design wants both to be under an overload."""
GROUPS = (
    ("P5, guests", 5, False),
    ("P5, owner", 5, True),
    ("P1, guests", 1, False),
    ("P1, owner", 1, True),
)


def report(load: Load, run: Run) -> str:
    """Return it as Markdown."""
    return "\n".join(
        [
            load.summary,
            "",
            *_table(load, run.answers),
            "",
            f"TTFT: seconds to the first token; who got none counts with the time waited, at most the "
            f"{PATIENCE_SECONDS:g} s after which clients give up.",
            "",
            *_ratios(load, run.answers),
            "",
            _machine(run),
            "",
        ]
    )


def measured(load: Load, answers: Sequence[Answer]) -> list[Answer]:
    since, until = load.window
    return [answer for answer in answers if since <= answer.at < until]


def times(
    answers: Sequence[Answer], arm: str, priority: int, *, is_owner: bool | None = None
) -> list[float]:
    """Return the times to the first token of a group; owners and guests when `is_owner` is None."""
    return [
        answer.waited
        for answer in answers
        if answer.arm == arm and answer.priority == priority and is_owner in (None, answer.is_owner)
    ]


def _table(load: Load, answers: Sequence[Answer]) -> list[str]:
    columns = [
        "",
        "",
        "requests",
        "TTFT p50",
        "TTFT p99",
        "gave up",
        "refused",
        "failed",
        "tokens/s",
    ]
    lines = [row(columns), row(["---"] * len(columns))]
    chosen = measured(load, answers)
    since, until = load.window
    for arm in ARMS:
        for title, priority, is_owner in GROUPS:
            group = [
                answer
                for answer in chosen
                if (answer.arm, answer.priority, answer.is_owner) == (arm.title, priority, is_owner)
            ]
            if not group:
                continue
            waited = [answer.waited for answer in group]
            counts = [
                sum(answer.status is status for answer in group)
                for status in (Status.GAVE_UP, Status.REFUSED, Status.FAILED)
            ]
            tokens = sum(answer.tokens for answer in group) / (until - since)
            cells = [figure(percentile(waited, 50)), figure(percentile(waited, 99))]
            lines.append(
                row([arm.title, title, str(len(group)), *cells, *map(str, counts), f"{tokens:.0f}"])
            )
    return lines


def _ratios(load: Load, answers: Sequence[Answer]) -> list[str]:
    chosen = measured(load, answers)
    top = [percentile(times(chosen, arm.title, 5), 99) for arm in (OURS, PLAIN)]
    owner, guest = (
        percentile(times(chosen, OURS.title, 1, is_owner=is_owner), 99)
        for is_owner in (True, False)
    )
    is_judged = isinstance(load, Overload)
    return [
        "* TTFT p99 of class P5, with the waiting room and without: "
        + _times(*top, is_judged=is_judged),
        "* TTFT p99 in class P1 with the waiting room, of owners and of guests: "
        + _times(owner, guest, is_judged=is_judged),
    ]


def _times(better: float, worse: float, *, is_judged: bool) -> str:
    if isnan(better) or isnan(worse):
        return "not measured"
    ratio = worse / better
    verdict = f" (goal {GOAL:g}: {'held' if ratio >= GOAL else '**missed**'})" if is_judged else ""
    return f"{figure(better)} s and {figure(worse)} s, {ratio:.1f} times better{verdict}"


def _machine(run: Run) -> str:
    used = ", ".join(f"{name} {share:.2f}" for name, share in run.cpu.items())
    late = percentile([look.late for look in run.looks], 99)
    return f"Cores used: {used}. The clients' own loop was late by {1000 * late:.0f} ms (p99)."
