"""`/impact/`, for everybody: how the environmental impact is reckoned, a calculator, all of its numbers as files."""

from collections.abc import Callable

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from billing.energy.measured import measured_in_all
from billing.impact import energy, equivalents, factors, hardware, validation
from billing.periods import last_days
from dashboards.impact.calculator import ANSWER_COLUMNS, Answer, CalculatorForm
from dashboards.impact.labels import ONE_OF, explained
from dashboards.impact.tables import (
    ACCELERATOR_SHEET,
    FACTORS,
    MEASUREMENTS,
    File,
    accelerators,
    compared,
    grids,
    mistral,
    sources,
)
from federation.sheets import streamed, table_lines

DAYS = 30
REMEMBERED_FOR_SECONDS = 600
"""What everybody may ask for is not counted anew for each."""
FILE_NAME = "impact_{}.csv"


@require_safe
def impact(request: HttpRequest) -> HttpResponse:
    form = CalculatorForm(request.GET.dict())
    answer = Answer(form.tell(), form.factors) if form.is_valid() else None
    in_all = caches["memory"].get_or_set(
        "impact.measured", lambda: measured_in_all(last_days(DAYS)), REMEMBERED_FOR_SECONDS
    )
    context = {"form": form, "answer": answer, "in_all": in_all, **_method()}
    return render(request, "dashboards/impact.html", context)


def sheet(file: File) -> Callable[[HttpRequest], StreamingHttpResponse]:
    """Return the view of a file."""

    @require_safe
    def view(request: HttpRequest) -> StreamingHttpResponse:
        lines = table_lines(file.columns, file.rows(), get_language() or "")
        return streamed(lines, FILE_NAME.format(file.name))

    return view


factors_csv, accelerators_csv, measurements_csv = map(
    sheet, (FACTORS, ACCELERATOR_SHEET, MEASUREMENTS)
)


@require_safe
def calculation_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """What the calculator answers; the page says what is wrong with what it cannot."""
    form = CalculatorForm(request.GET.dict())
    if not form.is_valid():
        return redirect(f"{reverse('impact')}?{request.GET.urlencode()}#calculator")
    answer = Answer(form.tell(), form.factors)
    lines = table_lines(ANSWER_COLUMNS, answer.rows(), get_language() or "")
    return streamed(lines, FILE_NAME.format("calculation"))


def _method() -> dict[str, object]:
    """The method's own numbers, so that the page repeats none."""
    return {
        "badges": explained(),
        "energy": energy,
        "hardware": hardware,
        "making": factors.FRANCE.making,
        "equivalents": equivalents,
        "carbon_things": [(ONE_OF[each.thing], each.co2e_g) for each in equivalents.CARBON],
        "default_pue": energy.DEFAULT_PUE_MILLI / 1_000,
        "gflop_per_joule": hardware.H100.flop_per_joule / 1e9,
        "validation": validation,
        "median_error": round(100 * validation.median_error(), 1),
        "largest_error": round(100 * validation.largest_error(), 1),
        "grids": grids(),
        "sources": sources(),
        "accelerators": accelerators(),
        "compared": compared(),
        "mistral": mistral(),
    }
