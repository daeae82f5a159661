"""Usage per day, or month, and model: as stacked bars, as a table with the same numbers, and in one sentence."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import plotly.graph_objects as go
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from billing.usage.rows import DayUsage
from federation.days import long_day

MOST_SERIES = 6
"""More colours are not told apart: the models used least become one series."""


@dataclass(frozen=True)
class Series:
    """What one model was used, a number for each day or month of the chart."""

    model: str
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class UsageChart:
    """`unit` is the word for what is counted; `series` begin with the model used most.

    `times` are days, or the first days of months.
    """

    times: Sequence[date]
    series: Sequence[Series]
    unit: str
    is_monthly: bool

    def figure(self) -> dict[str, Any]:
        """Return stacked bars as a plain dictionary, the model used most at the bottom."""
        x = [time.isoformat() for time in self.times]
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
        """Return day or month, numbers in the order of the series, and their sum."""
        columns = zip(*(one.values for one in self.series), strict=True)
        return [
            (time, numbers, sum(numbers))
            for time, numbers in zip(self.times, columns, strict=False)
        ]

    def reading(self) -> str:
        """Return one sentence that says what the chart shows; empty when it shows nothing."""
        total = sum(one.total for one in self.series)
        if not total:
            return ""
        time, _numbers, most = max(self.rows(), key=lambda row: row[2])
        said = {
            "model": self.series[0].model,
            "share": number_format(round(100 * self.series[0].total / total)),
            "unit": self.unit,
            "count": number_format(most, force_grouping=True),
        }
        if self.is_monthly:
            return _(
                "%(model)s makes %(share)s%% of the %(unit)s; the busiest month is %(month)s, with "
                "%(count)s."
            ) % {**said, "month": date_format(time, "F Y")}
        return _(
            "%(model)s makes %(share)s%% of the %(unit)s; the busiest day is %(day)s, with %(count)s."
        ) % {**said, "day": long_day(time)}


def usage_chart(
    usages: Iterable[DayUsage], times: Sequence[date], *, of_tokens: bool, is_monthly: bool = False
) -> UsageChart:
    """Return the chart of `usages` over all of `times`, those without any use included."""
    used: dict[str, dict[date, int]] = defaultdict(dict)
    for usage in usages:
        used[usage.model][usage.day] = usage.counts.tokens if of_tokens else usage.counts.requests
    series = [
        Series(model, tuple(by_time.get(time, 0) for time in times))
        for model, by_time in used.items()
    ]
    series.sort(key=lambda one: (-one.total, one.model))
    if len(series) > MOST_SERIES:
        rest = zip(*(one.values for one in series[MOST_SERIES - 1 :]), strict=True)
        series[MOST_SERIES - 1 :] = [Series(_("other models"), tuple(map(sum, rest)))]
    return UsageChart(times, series, _("tokens") if of_tokens else _("requests"), is_monthly)
