"""A page of plots for each scenario: policies side by side, then one seed over time. Drawn by the vendored script."""

import html
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import plotly.graph_objects as go

from bench.simulation.arithmetic import mean
from bench.simulation.policies import OURS
from bench.simulation.runs import Result
from bench.simulation.scenarios import SCENARIOS
from bench.simulation.series import Curves

SCRIPT = Path(__file__).resolve().parents[2] / "static" / "vendor" / "plotly-cartesian.min.js"
LOG_RANGE = (-2, 2)
"""Powers of ten: bars on a logarithmic axis need a foot."""
CLASS_COLOURS = {
    "P5": "#b3261e",
    "P4": "#e07b00",
    "P3": "#2e7d32",
    "P2": "#1565c0",
    "P1": "#6a6a6a",
}


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

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>body {{ font: 16px sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}</style>
<script src="{script}"></script>
<h1>{name}</h1>
<p>{summary}</p>
{figures}
</html>
"""
FIGURE = """<div id="f{number}"></div>
<script>Plotly.newPlot("f{number}", ...{arguments})</script>"""


def write_plots(results: Sequence[Result], folder: Path) -> None:
    """Write a page for each scenario of `results` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SCRIPT, folder / SCRIPT.name)
    for scenario in dict.fromkeys(result.scenario for result in results):
        figures = figures_of([result for result in results if result.scenario == scenario])
        page = PAGE.format(
            name=html.escape(scenario),
            summary=html.escape(SCENARIOS[scenario].summary),
            script=SCRIPT.name,
            figures="\n".join(_embedded(n, figure) for n, figure in enumerate(figures)),
        )
        (folder / f"{scenario}.html").write_text(page)


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


def _embedded(number: int, figure: go.Figure) -> str:
    """Return the figure as HTML. Nothing in it can end the script: `<` is escaped."""
    figure.update_layout(template={}, hovermode="x unified", showlegend=True)
    drawn: dict[str, Any] = json.loads(figure.to_json())
    arguments = json.dumps([drawn["data"], drawn["layout"], {"responsive": True}])
    return FIGURE.format(number=number, arguments=arguments.replace("<", "\\u003c"))
