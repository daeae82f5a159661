import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.equivalents import (
    CARBON,
    LIGHT,
    Thing,
    carbon_equivalents,
    choose_equivalent,
    light_equivalents,
)


@pytest.mark.parametrize(
    ("co2e_g", "kwh", "thing", "amount"),
    [
        (1423.0, 34, Thing.CAR_KM, 10),
        (128.0, 3, Thing.STREAMING_HOUR, 2),
        (29.3, 0.7, Thing.TRAIN_KM, 10),
        (2.5, 0.06, Thing.EMAIL, 2.5 / 2.46),
        (1.23, 0.03, Thing.WEB_SEARCH, 1),
        (0.4, 0.01, Thing.LED_HOUR, 2),
        (0.02, 0.0005, Thing.LED_MINUTE, 6),
        (0.001, 0.00002, Thing.LED_SECOND, 14.4),
    ],
)
def test_the_heaviest_thing_that_fits_is_chosen(
    co2e_g: float, kwh: float, thing: Thing, amount: float
) -> None:
    chosen = choose_equivalent(co2e_g, kwh)

    assert chosen is not None
    assert chosen.thing is thing
    assert chosen.amount == pytest.approx(amount)


@given(st.floats(1e-3, 1.4e5))
def test_what_people_can_picture_lies_from_one_to_a_thousand(co2e_g: float) -> None:
    chosen = choose_equivalent(co2e_g, co2e_g / 41.44)

    assert chosen is not None
    assert 1 <= chosen.amount <= 1000


def test_a_year_of_a_university_is_a_long_way_by_car() -> None:
    chosen = choose_equivalent(1e9, 2e7)

    assert chosen is not None
    assert chosen.thing is Thing.CAR_KM
    assert chosen.amount > 1000


def test_next_to_nothing_is_a_fraction_of_a_second_of_light() -> None:
    chosen = choose_equivalent(1e-9, 1e-9)

    assert chosen is not None
    assert chosen.thing is Thing.LED_SECOND
    assert chosen.amount < 1


def test_nothing_is_like_nothing() -> None:
    assert choose_equivalent(0, 0) is None


def test_every_thing_has_one_factor_and_each_its_source() -> None:
    assert {factor.thing for factor in CARBON} | {thing for thing, _ in LIGHT} == set(Thing)
    assert all(factor.source and factor.url and factor.dated for factor in CARBON)


def test_every_equivalent_stands_for_the_same_amount() -> None:
    assert [e.amount * f.co2e_g for e, f in zip(carbon_equivalents(7.5), CARBON, strict=True)] == (
        pytest.approx([7.5] * len(CARBON))
    )
    assert [
        e.amount * seconds for e, (_, seconds) in zip(light_equivalents(1), LIGHT, strict=True)
    ] == (pytest.approx([720_000] * len(LIGHT)))
