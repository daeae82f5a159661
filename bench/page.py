"""A page of plots, drawn by the script that the portal vendors: no network, no figure that is a picture."""

import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

SCRIPT = Path(__file__).resolve().parents[1] / "static" / "vendor" / "plotly-cartesian.min.js"
CLASS_COLOURS = {
    "P5": "#b3261e",
    "P4": "#e07b00",
    "P3": "#2e7d32",
    "P2": "#1565c0",
    "P1": "#6a6a6a",
}

_PAGE = """<!doctype html>
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
_FIGURE = """<div id="f{number}"></div>
<script>Plotly.newPlot("f{number}", ...{arguments})</script>"""


def write_page(path: Path, name: str, summary: str, figures: Sequence[go.Figure]) -> None:
    """Write a page that finds the script in this checkout: it is too large to lie beside each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = _PAGE.format(
        name=html.escape(name),
        summary=html.escape(summary),
        script=html.escape(os.path.relpath(SCRIPT, path.parent.resolve())),
        figures="\n".join(_embedded(n, figure) for n, figure in enumerate(figures)),
    )
    path.write_text(page)


def _embedded(number: int, figure: go.Figure) -> str:
    """Return the figure as HTML. Nothing in it can end the script: `<` is escaped."""
    figure.update_layout(template={}, hovermode="x unified", showlegend=True)
    drawn: dict[str, Any] = json.loads(figure.to_json())
    arguments = json.dumps([drawn["data"], drawn["layout"], {"responsive": True}])
    return _FIGURE.format(number=number, arguments=arguments.replace("<", "\\u003c"))
