"""Plots of a run: queues and first tokens over time, by class, the arms side by side."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path

import plotly.graph_objects as go

from bench.page import CLASS_COLOURS, write_page
from bench.ramp.asking import Answer
from bench.ramp.load import Load
from bench.ramp.running import Look, Run
from bench.ramp.stage import ARMS, AT_ONCE, CLASSES, HOSTS, OURS, Arm
from bench.simulation.arithmetic import percentile

BIN_SECONDS = 5.0
DASHES = dict(zip([arm.title for arm in ARMS], ("solid", "dot"), strict=True))


def write_plots(load: Load, run: Run, path: Path) -> None:
    figures = [
        _first_tokens(run.answers),
        _without_token(run.answers),
        _in_the_router(run.looks),
        _at_servers(run.looks),
    ]
    write_page(path, "Ramp" if path.stem == "ramp" else "Overload", load.summary, figures)


def _first_tokens(answers: Sequence[Answer]) -> go.Figure:
    figure = go.Figure()
    end = max(answer.at for answer in answers)
    starts = [BIN_SECONDS * n for n in range(int(end / BIN_SECONDS) + 1)]
    for arm, level in _lines():
        own = _of(answers, arm, level)
        values = [
            percentile([each.waited for each in own if start <= each.at < start + BIN_SECONDS], 95)
            for start in starts
        ]
        figure.add_scatter(
            x=[start + BIN_SECONDS / 2 for start in starts],
            y=[None if isnan(value) else round(value, 3) for value in values],
            **_style(arm, level),
        )
    title = f"Seconds to the first token, 95th percentile in {BIN_SECONDS:g} s, by arrival"
    return figure.update_layout(title=title, yaxis={"type": "log"}, xaxis={"title": "seconds"})


def _without_token(answers: Sequence[Answer]) -> go.Figure:
    figure = go.Figure()
    seconds = range(int(max(answer.ended for answer in answers)) + 1)
    for arm, level in _lines():
        spans = [(each.at, each.at + each.waited) for each in _of(answers, arm, level)]
        waiting = [sum(since <= at < until for since, until in spans) for at in seconds]
        figure.add_scatter(x=list(seconds), y=waiting, **_style(arm, level))
    title = "Requests without a first token, wherever they wait"
    return figure.update_layout(title=title, xaxis={"title": "seconds"})


def _in_the_router(looks: Sequence[Look]) -> go.Figure:
    figure = go.Figure()
    for level in CLASSES:
        figure.add_scatter(
            x=[round(look.at, 1) for look in looks],
            y=[look.waiting[level] for look in looks],
            **_style(OURS, level),
        )
    title = "In the router's waiting room (ilaas_waiting_requests)"
    return figure.update_layout(title=title, xaxis={"title": "seconds"})


def _at_servers(looks: Sequence[Look]) -> go.Figure:
    figure = go.Figure()
    at = [round(look.at, 1) for look in looks]
    for host, colour in zip(HOSTS, ("#1565c0", "#2e7d32", "#e07b00"), strict=True):
        line = {"color": colour}
        in_flight = [look.in_flight[host] for look in looks]
        figure.add_scatter(name=host, x=at, y=in_flight, mode="lines", line=line)
        limits = [round(look.learnt_limit[host], 1) for look in looks]
        name, dotted = f"{host}, learnt limit", {**line, "dash": "dot"}
        figure.add_scatter(name=name, x=at, y=limits, mode="lines", line=dotted)
    title = (
        f"{OURS.title.capitalize()}: in flight at servers that compute {AT_ONCE} answers at once"
    )
    return figure.update_layout(title=title, xaxis={"title": "seconds"})


def _lines() -> list[tuple[Arm, int]]:
    return [(arm, level) for arm in ARMS for level in CLASSES]


def _of(answers: Sequence[Answer], arm: Arm, level: int) -> list[Answer]:
    return [each for each in answers if (each.arm, each.priority) == (arm.title, level)]


def _style(arm: Arm, level: int) -> dict[str, object]:
    line = {"color": CLASS_COLOURS[f"P{level}"], "dash": DASHES[arm.title]}
    return {"name": f"P{level}, {arm.title}", "mode": "lines", "line": line}
