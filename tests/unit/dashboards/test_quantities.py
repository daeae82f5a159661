"""Figures of the impact in units that people read, two digits of them, in both languages."""

import pytest
from django.utils.translation import override

from billing.impact.equivalents import Equivalent, Thing
from billing.impact.interval import Interval
from dashboards.impact.labels import in_things
from dashboards.impact.quantities import GRAMS, KWH, Quantity, amount, digits, exact, quantity

NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.012"),
        (0.999, "1.0"),
        (1, "1.0"),
        (9.96, "10"),
        (31.4, "31"),
        (764, "760"),
        (12_345, "12,000"),
    ],
)
def test_two_digits_are_told(value: float, text: str) -> None:
    with override("en"):
        assert digits(value) == text


def test_a_number_has_the_format_of_its_reader() -> None:
    with override("fr"):
        assert digits(0.764) == "0,76"
        assert amount(0.000_764, KWH) == f"0,76{NO_BREAK}Wh"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (41.44, "41.44"),
        (329.65, "329.6"),
        (80, "80"),
        (2.5871, "2.587"),
        (0.00364, "0.00364"),
        (5700, "5,700"),
    ],
)
def test_what_is_quoted_has_four_digits_and_no_zeros_at_its_end(value: float, text: str) -> None:
    with override("en"):
        assert exact(value) == text


def test_a_figure_and_its_range_stand_in_one_unit() -> None:
    with override("en"):
        shown = quantity(Interval(0.0082, 0.031, 1.2), GRAMS)

    assert shown == Quantity(*(f"{each}{NO_BREAK}mg" for each in ("31", "8.2", "1,200")))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-12, "0.0000010"), (0.00005, "50"), (0.0002, "0.20"), (99, "99"), (0.0, "0")],
)
def test_beyond_the_smallest_unit_there_is_no_smaller(value: float, text: str) -> None:
    with override("en"):
        assert amount(value, KWH).split(NO_BREAK)[0] == text


@pytest.mark.parametrize("thing", Thing)
def test_every_thing_has_its_words(thing: Thing) -> None:
    with override("en"):
        english = in_things(Equivalent(thing, 9.1))
    with override("fr"):
        french = in_things(Equivalent(thing, 9.1))

    assert "9.1" in english
    assert "9,1" in french
    assert "%" not in english + french
