"""The results in words and tables: Markdown, means over the seeds."""

from collections.abc import Iterable, Sequence
from math import isnan, nan

from bench.simulation.arithmetic import mean
from bench.simulation.runs import Result
from bench.simulation.scenarios import SCENARIOS

_MIX = (
    "ttft_p50_P5 ttft_p99_P5 ttft_p50_P3 ttft_p99_P3 ttft_p50_P1 gap_ms_p99 chats_in_slo "
    "chats_in_slo_per_s tokens_per_s batch_tokens_per_s jain_P1 least_portion_P1 prefix_hits "
    "idle_while_waiting waste gave_up refused"
)
_RAMP = (
    "ttft_p50_P5 ttft_p99_P5 ttft_p99_P3 ttft_p50_P1 ttft_p99_P1 gap_ms_p99 chats_in_slo "
    "chats_in_slo_per_s tokens_per_s prefix_hits idle_while_waiting waste gave_up refused"
)
_FAULT = (
    "ttft_p99_P5 ttft_p99_P3 chats_in_slo chats_in_slo_per_s tokens_per_s noticed_after_s "
    "error_count errors_before_first_byte idle_while_waiting waste gave_up refused"
)
_OWNER = (
    "owner_ttft_p50 owner_ttft_p99 owner_start_ttft_p99 owner_in_slo ttft_p99_P5 ttft_p99_P3 "
    "ttft_p50_P1 chats_in_slo chats_in_slo_per_s tokens_per_s idle_while_waiting waste gave_up"
)
COLUMNS = {
    "ramp50": _RAMP,
    "ramp250": _RAMP,
    "mix0.8": _MIX,
    "mix1.0": _MIX,
    "mix1.5": _MIX,
    "mix2.0": _MIX,
    "fail": _FAULT,
    "hang": _FAULT,
    "owner": _OWNER,
    "ownerhard": _OWNER,
    "flood": (
        "ttft_p50_P5 ttft_p99_P5 greedy_ttft_p99 others_ttft_p50 others_ttft_p99 ttft_p99_P3 "
        "P3_in_slo served_P1 chats_in_slo chats_in_slo_per_s tokens_per_s prefix_hits "
        "preemptions idle_while_waiting waste gave_up refused"
    ),
    "shares": (
        "guarantee_kept computed_guarantee_kept share_P5 share_P4 share_P3 share_P2 share_P1 computed_share_P4 "
        "computed_share_P3 computed_share_P2 computed_share_P1 backlogged_P4 backlogged_P3 "
        "backlogged_P2 backlogged_P1 ttft_p99_P5 tokens_per_s gave_up refused"
    ),
    "deadlines": (
        "retry_after_error retry_after_ratio retry_after_judged late_answers refused gave_up "
        "ttft_p99_P5 ttft_p99_P3 ttft_p50_P1 chats_in_slo tokens_per_s"
    ),
    "hangups": (
        "places_leaked ttft_p50_P5 ttft_p99_P5 ttft_p99_P3 chats_in_slo tokens_per_s waste "
        "idle_while_waiting gave_up refused"
    ),
    "join": (
        "newcomer_work ttft_p50_P5 ttft_p99_P5 ttft_p99_P3 gap_ms_p99 chats_in_slo tokens_per_s "
        "idle_while_waiting waste gave_up refused"
    ),
}


def tables(results: Sequence[Result]) -> Iterable[str]:
    """Yield a table for each scenario, a line for each policy."""
    for scenario in _in_order(result.scenario for result in results):
        yield table(scenario, [each for each in results if each.scenario == scenario])


def table(scenario: str, results: Sequence[Result]) -> str:
    columns = COLUMNS[scenario].split()
    seeds = sorted({result.seed for result in results})
    slowest = max(result.seconds for result in results)
    lines = [
        f"### {scenario}",
        "",
        f"{SCENARIOS[scenario].summary} Mean over seeds {', '.join(map(str, seeds))}; "
        f"a run took {slowest:.1f} s at most.",
        "",
        row(["policy", *columns]),
        row(["---"] * (len(columns) + 1)),
    ]
    for title in _in_order(result.title for result in results):
        own = [result.measures for result in results if result.title == title]
        means = [mean(measures.get(column, nan) for measures in own) for column in columns]
        lines.append(row([title, *map(figure, means)]))
    return "\n".join(lines) + "\n"


def slowest(results: Sequence[Result]) -> Iterable[str]:
    """Yield the chats of each run that waited longest for their first token, where they were asked for."""
    for result in results:
        if result.slowest:
            yield f"{result.scenario}, {result.title}, seed {result.seed}:"
            yield from (f"  {line}" for line in result.slowest)


def row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def figure(value: float) -> str:
    """Return a number with about three digits that matter; a dash when there is none."""
    if isnan(value):
        return "–"
    size = abs(value)
    return f"{value:.3f}" if size < 1 else f"{value:.2f}" if size < 20 else f"{value:.0f}"


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
