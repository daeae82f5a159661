from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.enums import Scope
from billing.impact.meters import Fault, Meter, Reading, Sample, Unit, read

DCGM = Meter(unit=Unit.MILLIJOULE, scope=Scope.GPU, limit_w=1000)
POWER = Meter(unit=Unit.WATT, scope=Scope.GPU, limit_w=1000)


def samples(*readings: tuple[float, float]) -> list[Sample]:
    return [Sample(at, value) for at, value in readings]


def test_a_counter_tells_what_it_grew_by() -> None:
    told = read(DCGM, samples((0, 5_000_000), (15, 5_900_000), (60, 9_000_000)))

    assert told == Reading(4_000_000, 60)


def test_a_gauge_is_the_mean_of_both_ends_over_the_time_between() -> None:
    told = read(POWER, samples((0, 100), (10, 300), (20, 300)))

    assert told == Reading(2_000_000 + 3_000_000, 20)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        (Unit.KILOWATT_HOUR, 1e-5),
        (Unit.JOULE, 36),
        (Unit.MILLIJOULE, 36_000),
        (Unit.MICROJOULE, 36e6),
        (Unit.WATT, 0.6),
        (Unit.MILLIWATT, 600),
        (Unit.MICROWATT, 600_000),
    ],
)
def test_every_unit_tells_the_same_energy(unit: Unit, value: float) -> None:
    meter = Meter(unit=unit, scope=Scope.SERVER, limit_w=10)
    first = value if meter.is_gauge else 0

    assert read(meter, samples((0, first), (60, value))).mj == 36_000


def test_a_multiplier_takes_the_part_of_a_power_strip() -> None:
    meter = Meter(unit=Unit.WATT, scope=Scope.SERVER, limit_w=1000, multiplier=0.25)

    assert read(meter, samples((0, 2000), (10, 2000))).mj == 5_000_000


def test_a_counter_that_began_anew_tells_what_it_counted_since() -> None:
    told = read(DCGM, samples((0, 9_000_000), (30, 9_010_000), (60, 4_000), (90, 14_000)))

    assert told == Reading(10_000 + 4_000 + 10_000, 90, (Fault.RESET,))


def test_a_counter_that_only_stumbles_adds_nothing() -> None:
    """A reset would mean that it counted 9 MJ within a second."""
    told = read(DCGM, samples((0, 9_000_000), (1, 8_999_990), (2, 9_000_090)))

    assert told == Reading(100, 1, (Fault.BACKWARDS,))


def test_a_reading_of_zero_in_between_does_not_count_everything_anew() -> None:
    told = read(DCGM, samples((0, 9_000_000), (1, 0), (2, 9_000_200)))

    assert told == Reading(0, 1, (Fault.RESET, Fault.IMPLAUSIBLE))


def test_more_than_the_machine_can_draw_is_not_believed() -> None:
    assert read(DCGM, samples((0, 0), (1, 1_000_001))).faults == (Fault.IMPLAUSIBLE,)
    assert read(DCGM, samples((0, 0), (1, 1_000_000))) == Reading(1_000_000, 1)
    assert read(POWER, samples((0, 1001), (1, 500))) == Reading(0, 0, (Fault.IMPLAUSIBLE,))


def test_a_clock_that_was_set_back_leaves_readings_out() -> None:
    told = read(DCGM, samples((100, 0), (40, 5), (100, 6), (110, 700)))

    assert told == Reading(700, 10, (Fault.OUT_OF_ORDER, Fault.OUT_OF_ORDER))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1])
@pytest.mark.parametrize("meter", [DCGM, POWER], ids=["counter", "gauge"])
def test_what_is_no_number_is_left_out(meter: Meter, value: float) -> None:
    told = read(meter, samples((0, 100), (5, value), (10, 100)))

    assert told.faults == (Fault.UNREADABLE,)
    assert told.covered_s == 10


def test_a_gauge_that_was_not_read_for_long_is_not_guessed() -> None:
    told = read(POWER, samples((0, 100), (10, 100), (71, 100), (81, 100)))

    assert told == Reading(2_000_000, 20, (Fault.GAP,))


def test_a_counter_knows_what_it_counted_while_nobody_looked() -> None:
    assert read(DCGM, samples((0, 0), (7200, 3_600_000))) == Reading(3_600_000, 7200)


@pytest.mark.parametrize("few", [[], [Sample(1, 5)]])
def test_one_reading_tells_nothing(few: list[Sample]) -> None:
    assert read(DCGM, few) == Reading(0, 0)


@pytest.mark.parametrize("wrong", [{"limit_w": 0}, {"multiplier": 0}, {"multiplier": -1}])
def test_a_meter_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="limit"):
        Meter(**{"unit": Unit.WATT, "scope": Scope.GPU, "limit_w": 10} | wrong)


histories = st.lists(
    st.tuples(st.floats(0.1, 120), st.one_of(st.integers(0, 10**9), st.floats(0, 1e4))),
    min_size=2,
    max_size=30,
)


@given(histories, st.data(), st.sampled_from([DCGM, POWER]))
def test_stretches_that_share_a_reading_sum_to_the_whole(
    history: list[tuple[float, float]], data: st.DataObject, meter: Meter
) -> None:
    at, taken = 0.0, []
    for step, value in history:
        at += step
        taken.append(Sample(at, value))
    cut = data.draw(st.integers(0, len(taken) - 1))

    before, after = read(meter, taken[: cut + 1]), read(meter, taken[cut:])

    whole = read(meter, taken)
    assert before.mj + after.mj == whole.mj
    assert before.faults + after.faults == whole.faults
    assert before.covered_s + after.covered_s == pytest.approx(whole.covered_s)


@given(histories, st.sampled_from([DCGM, POWER]))
def test_whatever_a_meter_tells_it_never_exceeds_what_the_machine_can_draw(
    history: list[tuple[float, float]], meter: Meter
) -> None:
    at, taken = 0.0, []
    for step, value in history:
        at += step
        taken.append(Sample(at, value))

    told = read(meter, taken)

    assert 0 <= told.mj <= meter.limit_w * 1000 * told.covered_s + len(taken)
    assert 0 <= told.covered_s <= taken[-1].at - taken[0].at + 1e-6


@given(
    st.lists(st.integers(0, 50_000), min_size=1, max_size=30),
    st.sets(st.integers(0, 29)),
)
def test_resets_lose_no_energy_that_was_counted_after_them(
    grown: list[int], resets: set[int]
) -> None:
    """One reading a minute; at a reset the machine has counted from zero since it came back."""
    counter, taken, expected, restarts = 10_000_000, [Sample(0, 10_000_000)], 0, 0
    for minute, mj in enumerate(grown):
        restarted = minute in resets and counter > mj
        counter = mj if restarted else counter + mj
        restarts += restarted
        expected += mj
        taken.append(Sample((minute + 1) * 60, counter))

    told = read(DCGM, taken)

    assert told == Reading(expected, 60.0 * len(grown), (Fault.RESET,) * restarts)
    assert all(before.at < after.at for before, after in pairwise(taken))
