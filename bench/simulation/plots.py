"""A page of plots for each scenario: policies side by side, then one seed over time. Drawn by the vendored script."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

from bench.page import CLASS_COLOURS, write_page
from bench.simulation.arithmetic import mean
from bench.simulation.policies import OURS
from bench.simulation.runs import Result
from bench.simulation.scenarios import SCENARIOS
from bench.simulation.series import Curves

LOG_RANGE = (-2, 2)
"""Powers of ten: bars on a logarithmic axis need a foot."""


class Bars(NamedTuple):
    """Measures that stand beside each other for each policy."""

    title: str
    measures: Mapping[str, str]
    """The name of a measure, by what it is called in the plot."""
    is_log: bool = False


BARS = (
    Bars(
        "Seconds to the first token, 99th percentile",
        {"class 5": "ttft_p99_P5", "class 3": "ttft_p99_P3", "owner": "owner_ttft_p99"},
        is_log=True,
    ),
    Bars("Chats within their service level", {"chats": "chats_in_slo", "owner": "owner_in_slo"}),
    Bars("Useful tokens per second", {"all": "tokens_per_s", "batches": "batch_tokens_per_s"}),
    Bars("Fairness between institutions in class 1 (Jain)", {"Jain": "jain_P1"}),
    Bars("Share of the cost served", {f"class {n}": f"share_P{n}" for n in (5, 4, 3, 2, 1)}),
    Bars("Retry-After: median error", {"error": "retry_after_error"}),
    Bars("Seconds until a broken server is set aside", {"seconds": "noticed_after_s"}),
)


def write_plots(results: Sequence[Result], folder: Path) -> None:
    """Write a page for each scenario of `results` into `folder`."""
    for scenario in dict.fromkeys(result.scenario for result in results):
        figures = figures_of([result for result in results if result.scenario == scenario])
        write_page(folder / f"{scenario}.html", scenario, SCENARIOS[scenario].summary, figures)


def figures_of(results: Sequence[Result]) -> list[go.Figure]:
    """Return the figures of one scenario."""
    figures = [figure for bars in BARS if (figure := _bars(bars, results)) is not None]
    curves = {each.title: each.curves for each in results if each.curves}
    if curves:
        figures.append(_compared(curves))
    for result in results:
        if result.policy == OURS and result.curves:
            figures += _over_time(result.title, result.curves)
    return figures


def _bars(bars: Bars, results: Sequence[Result]) -> go.Figure | None:
    """Return bars with means and the range over the seeds, None when nothing was measured."""
    figure = go.Figure()
    for name, measure in bars.measures.items():
        values = _by_title(results, measure)
        if not values:
            continue
        means = {title: mean(found) for title, found in values.items()}
        figure.add_bar(
            name=name,
            x=list(means),
            y=list(means.values()),
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [max(found) - means[title] for title, found in values.items()],
                "arrayminus": [means[title] - min(found) for title, found in values.items()],
            },
        )
    if not figure.data:
        return None
    axis = {"type": "log", "range": LOG_RANGE} if bars.is_log else {"rangemode": "tozero"}
    return figure.update_layout(title=bars.title, yaxis=axis, barmode="group")


def _by_title(results: Iterable[Result], measure: str) -> dict[str, list[float]]:
    """Return the numbers of each policy, without those that are none."""
    values: dict[str, list[float]] = {}
    for result in results:
        value = result.measures.get(measure, nan)
        if not isnan(value):
            values.setdefault(result.title, []).append(value)
    return values


def _compared(curves: Mapping[str, Curves]) -> go.Figure:
    figure = go.Figure()
    for title, found in curves.items():
        total = [sum(counts) for counts in zip(*found["waiting"].values(), strict=True)]
        figure.add_scatter(name=title, x=found["times"], y=total, mode="lines")
    return figure.update_layout(
        title="Requests without a first token (one seed)", xaxis={"title": "seconds"}
    )


def _over_time(title: str, curves: Curves) -> list[go.Figure]:
    waiting, first_tokens = go.Figure(), go.Figure()
    for level, colour in CLASS_COLOURS.items():
        line = {"color": colour}
        waiting.add_scatter(
            name=level, x=curves["times"], y=curves["waiting"][level], mode="lines", line=line
        )
        if level in curves["first_tokens"]:
            first_tokens.add_scatter(
                name=level,
                x=curves["bins"],
                y=curves["first_tokens"][level],
                mode="lines+markers",
                line=line,
            )
    waiting.update_layout(title=f"{title}: requests without a first token, by class (one seed)")
    first_tokens.update_layout(
        title=f"{title}: seconds to the first token, 95th percentile in 5 s, by arrival (one seed)",
        yaxis={"type": "log"},
    )
    return [waiting, first_tokens, _by_server(title, curves)]


def _by_server(title: str, curves: Curves) -> go.Figure:
    figure = go.Figure()
    for name, running in curves["running"].items():
        times = curves["times"][-len(running) :]
        figure.add_scatter(name=name, x=times, y=running, mode="lines")
        figure.add_scatter(
            name=f"{name}, queued",
            x=times,
            y=curves["queued"][name],
            mode="lines",
            line={"dash": "dot"},
        )
    return figure.update_layout(title=f"{title}: requests in each server's engine (one seed)")
