from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.energy import Calibration, Tokens, estimate
from billing.impact.enums import Scope
from billing.impact.meters import Meter, Sample, Unit, read
from billing.impact.validation import LLAMA_8B
from billing.impact.windows import (
    LEAST_WINDOWS,
    EnergyWindow,
    attribute,
    calibrate,
    local_tokens,
    work_of,
    work_within,
)
from tests.unit.billing.impact.cases import NO_OVERHEAD, at

works = st.lists(st.integers(0, 10**12), max_size=40)


def window(mj: int, idle_w: float = 0, seconds: float = 60) -> EnergyWindow:
    return EnergyWindow(measured_mj=mj, covered_s=seconds, scope=Scope.GPU, idle_w=idle_w)


# Conservation


@given(st.integers(0, 10**12), st.floats(0, 1e6), st.floats(0, 3600), works, st.integers(0, 10**12))
def test_requests_local_use_and_idle_sum_to_what_was_measured(
    mj: int, idle_w: float, seconds: float, work: list[int], local: int
) -> None:
    told = attribute(window(mj, idle_w, seconds), work, local)

    assert sum(told.requests) + told.local_mj + told.idle_mj == mj
    assert told.worked_mj + told.idle_mj == mj
    assert len(told.requests) == len(work)
    assert min(*told.requests, told.local_mj, told.idle_mj, 0) == 0


@given(
    st.lists(st.tuples(st.floats(1, 60), st.integers(0, 10**8), works), min_size=2, max_size=12),
    st.floats(0, 1000),
)
def test_energy_is_conserved_over_any_history_of_a_meter(
    history: list[tuple[float, int, list[int]]], idle_w: float
) -> None:
    """Counters that jump, fall and begin anew: what is read is shared out, all of it, once."""
    meter = Meter(unit=Unit.MILLIJOULE, scope=Scope.GPU, limit_w=5000)
    when, samples = 0.0, []
    for step, value, _ in history:
        when += step
        samples.append(Sample(when, value))
    total = 0

    for pair, (_, _, work) in zip(pairwise(samples), history[1:], strict=True):
        reading = read(meter, pair)
        told = attribute(
            EnergyWindow(
                measured_mj=reading.mj,
                covered_s=reading.covered_s,
                scope=meter.scope,
                idle_w=idle_w,
            ),
            work,
            local_work=len(work),
        )
        total += sum(told.requests) + told.local_mj + told.idle_mj

    assert total == read(meter, samples).mj


# Who gets what


def test_idle_is_apart_and_the_rest_goes_by_work() -> None:
    told = attribute(window(30_000_000, idle_w=100), [3, 1], local_work=4)

    assert told.idle_mj == 6_000_000
    assert told.requests == (9_000_000, 3_000_000)
    assert told.local_mj == 12_000_000


def test_a_window_without_work_is_idle_as_a_whole() -> None:
    told = attribute(window(9_000_000, idle_w=100), [0, 0])

    assert (told.requests, told.local_mj, told.idle_mj) == ((0, 0), 0, 9_000_000)


def test_idle_is_never_more_than_was_measured() -> None:
    told = attribute(window(1_000, idle_w=100), [7])

    assert (told.requests, told.idle_mj) == ((0,), 1_000)


def test_idle_counts_only_for_the_time_that_is_covered() -> None:
    assert window(10_000_000, idle_w=100, seconds=20).idle_mj == 2_000_000


@pytest.mark.parametrize("wrong", [{"mj": -1}, {"mj": 1, "idle_w": -1}, {"mj": 1, "seconds": -1}])
def test_a_negative_window_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="negative"):
        window(**wrong)


def test_negative_work_is_refused() -> None:
    with pytest.raises(ValueError, match="split"):
        attribute(window(10), [5, -1])


def test_a_token_written_weighs_more_than_one_read_and_a_cached_one_nothing() -> None:
    written = work_of(LLAMA_8B, Tokens(completion=100), 16_000)
    read_ = work_of(LLAMA_8B, Tokens(prompt=100), 16_000)
    cached = work_of(LLAMA_8B, Tokens(prompt=100, cached=100), 16_000)

    assert written > read_ > cached == 0


def test_work_is_what_the_model_expects() -> None:
    asked = Tokens(prompt=900, cached=100, completion=400)

    expected = estimate(LLAMA_8B, asked, at(16, overhead=NO_OVERHEAD)).gpu_mj
    assert work_of(LLAMA_8B, asked, 16_000) == pytest.approx(expected * 1000, abs=500)


def test_the_hosts_own_tokens_are_what_the_router_did_not_send() -> None:
    server = Tokens(prompt=1000, cached=100, completion=500)

    assert local_tokens(server, Tokens(prompt=400, cached=100, completion=450)) == Tokens(
        prompt=600, completion=50
    )
    assert local_tokens(server, Tokens(prompt=2000, cached=200, completion=501)) == Tokens()


# Requests that last longer than a window


@given(
    st.integers(0, 10**12),
    st.floats(0, 1e4),
    st.floats(0, 1e4),
    st.lists(st.floats(0, 1e4), max_size=10),
)
def test_the_parts_of_a_request_over_touching_windows_sum_to_it(
    work: int, start: float, lasted: float, cuts: list[float]
) -> None:
    edges = sorted({-1.0, *cuts, 3e4})

    parts = [work_within(work, start, start + lasted, *edge) for edge in pairwise(edges)]

    assert sum(parts) == work
    assert min(parts) >= 0


def test_half_of_a_request_works_in_half_of_its_time() -> None:
    assert work_within(1000, 30, 90, 0, 60) == 500
    assert work_within(1000, 30, 90, 60, 120) == 500
    assert work_within(1000, 30, 90, 120, 180) == 0


@pytest.mark.parametrize("end", [70, 10])
def test_a_request_that_ends_no_later_than_it_starts_lies_in_one_window(end: float) -> None:
    assert [work_within(9, 70, end, *edge) for edge in [(0, 60), (60, 120)]] == [0, 9]


# Calibration


def test_a_server_is_corrected_once_it_was_seen_for_long_enough() -> None:
    windows = [(80, 100)] * (LEAST_WINDOWS - 1)

    assert calibrate(windows, Scope.GPU) is None
    assert calibrate([*windows, (80, 100)], Scope.GPU) == Calibration(0.8, Scope.GPU)


def test_a_quiet_minute_does_not_outweigh_a_busy_one() -> None:
    told = calibrate([(1000, 1000), (30, 10)], Scope.SERVER, least_windows=2)

    assert told is not None
    assert told.factor == pytest.approx(1030 / 1010)


def test_windows_without_work_tell_nothing() -> None:
    assert calibrate([(0, 0), (500, 0), (90, 100)], Scope.GPU, least_windows=2) is None


def test_a_meter_that_shows_nothing_calibrates_nothing() -> None:
    assert calibrate([(0, 100)] * 100, Scope.GPU) is None


@given(st.floats(0.3, 3))
def test_a_calibrated_model_meets_what_the_meter_told(true_factor: float) -> None:
    asked = Tokens(prompt=500, completion=800)
    modelled = estimate(LLAMA_8B, asked, at(16))
    windows = [(round(modelled.gpu_mj * true_factor), modelled.gpu_mj)] * LEAST_WINDOWS

    told = estimate(LLAMA_8B, asked, at(16), calibrate(windows, Scope.GPU))

    assert told.gpu_mj == pytest.approx(modelled.gpu_mj * true_factor, abs=2)
    assert told.energy_low_mj < told.energy_mj < told.energy_high_mj
