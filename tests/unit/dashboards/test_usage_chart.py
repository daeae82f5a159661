"""The usage chart: bars, table and sentence say the same, and few enough colours to be told apart."""

import json
from datetime import date, timedelta
from uuid import UUID

from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from billing.usage.rows import Counts, DayUsage
from dashboards.figures.usage import MOST_SERIES, usage_chart

DAYS = [date(2026, 3, 1) + timedelta(days=n) for n in range(7)]


def used(model: str, day: date, tokens: int = 10, requests: int = 1) -> DayUsage:
    counts = Counts(requests, 0, tokens, 0, 0, 0)
    return DayUsage(day, UUID(int=1), model, counts)


def test_every_day_has_its_place_used_or_not() -> None:
    chart = usage_chart([used("a", DAYS[2])], DAYS, of_tokens=True)

    assert chart.series[0].values == (0, 0, 10, 0, 0, 0, 0)
    assert [row[0] for row in chart.rows()] == DAYS


def test_the_model_used_most_is_at_the_bottom() -> None:
    usages = [used("little", DAYS[0], 1), used("much", DAYS[1], 99), used("some", DAYS[0], 50)]

    chart = usage_chart(usages, DAYS, of_tokens=True)

    assert [bar["name"] for bar in chart.figure()["data"]] == ["much", "some", "little"]


def test_requests_and_tokens_are_different_charts() -> None:
    usages = [used("a", DAYS[0], tokens=500, requests=2)]

    with override("en"):
        assert usage_chart(usages, DAYS, of_tokens=True).rows()[0][2] == 500
        assert usage_chart(usages, DAYS, of_tokens=False).rows()[0][2] == 2
        assert usage_chart(usages, DAYS, of_tokens=False).unit == "requests"


def test_the_sentence_names_the_first_model_and_the_busiest_day() -> None:
    usages = [used("a", DAYS[0], 600), used("b", DAYS[0], 200), used("a", DAYS[1], 1200)]

    with override("en"):
        reading = usage_chart(usages, DAYS, of_tokens=True).reading()

    assert reading == (
        "a makes 90% of the tokens; the busiest day is 2\u00a0March\u00a02026, with 1,200."
    )


def test_a_chart_of_nothing_has_no_sentence_and_no_bar() -> None:
    chart = usage_chart([], DAYS, of_tokens=True)

    assert (chart.reading(), chart.rows(), chart.figure()["data"]) == ("", [], [])


amounts = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), st.sampled_from(DAYS), st.integers(0, 10**9)),
    unique_by=lambda one: one[:2],
)


@given(amounts)
def test_nothing_is_lost_however_many_models_there_are(
    used_up: list[tuple[str, date, int]],
) -> None:
    chart = usage_chart([used(*one) for one in used_up], DAYS, of_tokens=True)

    total = sum(tokens for _model, _day, tokens in used_up)
    assert len(chart.series) <= MOST_SERIES
    assert sum(row[2] for row in chart.rows()) == total
    assert sum(sum(bar["y"]) for bar in chart.figure()["data"]) == total


def test_a_figure_is_plain_and_small() -> None:
    figure = usage_chart([used("a", DAYS[0])], DAYS, of_tokens=True).figure()

    assert json.loads(json.dumps(figure)) == figure
    assert len(json.dumps(figure)) < 1000
    assert figure["layout"]["barmode"] == "stack"
