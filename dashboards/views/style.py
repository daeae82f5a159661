"""The living style page: every part that pages are made of, as it really looks. Its contents are examples."""

from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go
from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

TOKENS = (
    "paper", "sheet", "sunk", "line", "line-strong", "ink", "ink-soft", "primary", "primary-strong", "accent",
    "good", "warn", "bad", "info",
)  # fmt: skip
SERIES = range(1, 9)
FIRST_DAY = date(2026, 1, 5)
DAYS = 14


class ExampleForm(forms.Form):
    """A field of each kind, filled in wrongly."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=20)
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("Where the federation writes to you."),
    )
    engine = forms.ChoiceField(
        label=gettext_lazy("Engine"), choices=[("vllm", "vLLM"), ("ollama", "Ollama")]
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("Servers"),
        widget=forms.RadioSelect,
        choices=[("any", gettext_lazy("any server")), ("own", gettext_lazy("own servers only"))],
    )
    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    agrees = forms.BooleanField(label=gettext_lazy("I have read the charter"))


@require_safe
@login_required
def style(request: HttpRequest) -> HttpResponse:
    context = {
        "tokens": TOKENS,
        "series": SERIES,
        "blank": ExampleForm(prefix="blank"),
        "refused": ExampleForm({"refused-name": "Rennes", "refused-email": "?"}, prefix="refused"),
        "figure": _figure(),
        "page": Paginator(range(30), 10).page(2),
    }
    return render(request, "dashboards/style.html", context)


def _figure() -> dict[str, Any]:
    days = [(FIRST_DAY + timedelta(days=n)).isoformat() for n in range(DAYS)]
    bars = [
        go.Bar(
            name=f"{_('series')} {n}", x=days, y=[120 * n + 37 * (day % 5) for day in range(DAYS)]
        )
        for n in SERIES
    ]
    layout = go.Layout(template={}, barmode="stack", showlegend=True)
    figure: dict[str, Any] = go.Figure(bars, layout).to_plotly_json()
    return figure
