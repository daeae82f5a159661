"""Usage per day and model: as stacked bars, as a table with the same numbers, and in one sentence."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import plotly.graph_objects as go
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from billing.usage import DayUsage
from federation.days import long_day

MOST_SERIES = 6
"""More colours are not told apart: the models used least become one series."""


@dataclass(frozen=True)
class Series:
    """What one model was used, a number for each day of the chart."""

    model: str
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class UsageChart:
    """`unit` is the word for what is counted; `series` begin with the model used most."""

    days: Sequence[date]
    series: Sequence[Series]
    unit: str

    def figure(self) -> dict[str, Any]:
        """Return stacked bars as a plain dictionary, the model used most at the bottom."""
        x = [day.isoformat() for day in self.days]
        bars = [
            go.Bar(name=one.model, x=x, y=list(one.values), hovertemplate="%{y:,}")
            for one in self.series
        ]
        layout = go.Layout(
            template={},  # Plotly's own look is 7 kB of colours that the page replaces
            barmode="stack",
            hovermode="x unified",
            showlegend=True,
            xaxis={"type": "date"},
            yaxis={"title": {"text": self.unit}, "rangemode": "tozero"},
        )
        figure: dict[str, Any] = go.Figure(bars, layout).to_plotly_json()
        return figure

    def rows(self) -> list[tuple[date, tuple[int, ...], int]]:
        """Return day, numbers in the order of the series, and their sum."""
        columns = zip(*(one.values for one in self.series), strict=True)
        return [
            (day, numbers, sum(numbers)) for day, numbers in zip(self.days, columns, strict=False)
        ]

    def reading(self) -> str:
        """Return one sentence that says what the chart shows; empty when it shows nothing."""
        total = sum(one.total for one in self.series)
        if not total:
            return ""
        day, _numbers, most = max(self.rows(), key=lambda row: row[2])
        return _(
            "%(model)s makes %(share)s%% of the %(unit)s; the busiest day is %(day)s, with %(count)s."
        ) % {
            "model": self.series[0].model,
            "share": number_format(round(100 * self.series[0].total / total)),
            "unit": self.unit,
            "day": long_day(day),
            "count": number_format(most, force_grouping=True),
        }


def usage_chart(usages: Iterable[DayUsage], days: Sequence[date], *, of_tokens: bool) -> UsageChart:
    """Return the chart of `usages` over all of `days`, those without any use included."""
    used: dict[str, dict[date, int]] = defaultdict(dict)
    for usage in usages:
        used[usage.model][usage.day] = usage.counts.tokens if of_tokens else usage.counts.requests
    series = [
        Series(model, tuple(by_day.get(day, 0) for day in days)) for model, by_day in used.items()
    ]
    series.sort(key=lambda one: (-one.total, one.model))
    if len(series) > MOST_SERIES:
        rest = zip(*(one.values for one in series[MOST_SERIES - 1 :]), strict=True)
        series[MOST_SERIES - 1 :] = [Series(_("other models"), tuple(map(sum, rest)))]
    return UsageChart(days, series, _("tokens") if of_tokens else _("requests"))
