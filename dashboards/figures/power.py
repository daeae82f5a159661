"""What a metered server draws, and for whom: as a chart, as a table with the same numbers, and in one sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from billing.energy.measured import Shares
from billing.periods import PARIS


@dataclass(frozen=True)
class PowerChart:
    """Mean watts of the known time of each stretch, whose beginnings are the keys."""

    parts: Mapping[datetime, Shares]

    def figure(self) -> dict[str, Any]:
        """Return stacked bars as a plain dictionary: idle below, who works above."""
        x = [moment.astimezone(PARIS).strftime("%Y-%m-%d %H:%M") for moment in self.parts]
        bars = [
            go.Bar(
                name=name,
                x=x,
                y=[round(row[place]) for row in self._watts()],
                hovertemplate="%{y:,} W",
            )
            for place, name in enumerate(self.names())
        ]
        layout = go.Layout(
            template={},
            barmode="stack",
            hovermode="x unified",
            showlegend=True,
            xaxis={"type": "date"},
            yaxis={"title": {"text": "W"}, "rangemode": "tozero"},
        )
        figure: dict[str, Any] = go.Figure(bars, layout).to_plotly_json()
        return figure

    def names(self) -> tuple[str, str, str, str]:
        return (
            _("without work"),
            _("the host’s own use"),
            _("the federation’s requests"),
            _("not yet shared out"),
        )

    def rows(self) -> list[tuple[datetime, tuple[float, ...], float]]:
        """Return the beginning, watts in the order of the names, and the coverage, of what is known at all."""
        told = zip(self.parts.items(), self._watts(), strict=True)
        return [(at, watts, shares.coverage) for (at, shares), watts in told if shares.covered_ms]

    def reading(self) -> str:
        """Return one sentence that says what the chart shows; empty when it shows nothing."""
        known = [shares for shares in self.parts.values() if shares.covered_ms]
        if not known:
            return ""
        most = max(shares.watts(shares.measured_mj) for shares in known)
        covered = sum(shares.covered_ms for shares in known)
        mean = sum(shares.measured_mj for shares in known) / covered
        return _("It drew %(mean)s W on average, and %(most)s W at most.") % {
            "mean": number_format(round(mean), force_grouping=True),
            "most": number_format(round(most), force_grouping=True),
        }

    def _watts(self) -> list[tuple[float, ...]]:
        return [
            tuple(
                shares.watts(part)
                for part in (
                    shares.idle_mj,
                    shares.local_mj,
                    shares.attributed_mj,
                    shares.waiting_mj,
                )
            )
            for shares in self.parts.values()
        ]
