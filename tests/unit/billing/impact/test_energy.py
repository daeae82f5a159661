from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.energy import (
    CALIBRATED_SPREAD,
    DEFAULT_OVERHEAD,
    FITTED_SPREAD,
    METHOD_VERSION,
    UNKNOWN,
    WIDE_SPREAD,
    Calibration,
    Conditions,
    Estimate,
    Instance,
    Tokens,
    decode_joules,
    estimate,
    estimate_gpu_time,
    measured,
    prompt_joules,
)
from billing.impact.enums import Method, Scope
from billing.impact.hardware import ACCELERATORS, B200, H100
from billing.impact.interval import Interval
from billing.impact.validation import GPT_OSS, LLAMA_8B, LLAMA_70B, MEASURED, Measured
from tests.unit.billing.impact.cases import NO_OVERHEAD, at, llama

counts = st.integers(0, 200_000)
batches = st.integers(0, 600_000)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    params = draw(st.floats(0.1, 1000))
    return Instance(
        params=params,
        active=params * draw(st.floats(0.01, 1)),
        bits=draw(st.sampled_from([4.0, 4.25, 8.0, 16.0])),
        accelerator=draw(st.sampled_from(sorted(ACCELERATORS.values(), key=lambda a: a.code))),
        n_gpu=draw(st.integers(1, 16)),
    )


@st.composite
def conditions(draw: st.DrawFn) -> Conditions:
    return Conditions(batch_milli=draw(batches), pue_milli=draw(st.integers(1000, 3000)))


@st.composite
def tokens(draw: st.DrawFn) -> Tokens:
    prompt = draw(counts)
    return Tokens(prompt=prompt, cached=draw(st.integers(0, prompt)), completion=draw(counts))


# Against measurements


@pytest.mark.parametrize("point", MEASURED, ids=lambda point: point.name)
def test_the_model_meets_what_was_measured(point: Measured) -> None:
    told = estimate(
        point.instance,
        Tokens(completion=1000),
        at(point.batch, overhead=NO_OVERHEAD),
    )

    assert told.method is Method.MODEL
    assert 1 / FITTED_SPREAD <= told.gpu_mj / 1e6 / point.joules_per_token <= FITTED_SPREAD
    assert told.energy_low_mj <= point.joules_per_token * 1e6 <= told.energy_high_mj


@pytest.mark.parametrize("point", MEASURED, ids=lambda point: point.name)
def test_the_measurements_agree_with_themselves(point: Measured) -> None:
    assert point.power_w / point.tokens_per_s == pytest.approx(point.joules_per_token, rel=0.07)


def test_a_long_prompt_costs_more_than_its_short_answer() -> None:
    read = estimate(LLAMA_8B, Tokens(prompt=8000), at(64, overhead=NO_OVERHEAD))
    written = estimate(LLAMA_8B, Tokens(completion=300), at(64, overhead=NO_OVERHEAD))

    assert read.gpu_mj == pytest.approx(202_000, rel=0.01)
    assert written.gpu_mj == pytest.approx(41_000, rel=0.02)


def test_the_blackwell_has_coefficients_of_its_own() -> None:
    instance = Instance(params=8.03, active=8.03, bits=16, accelerator=B200, n_gpu=1)

    assert decode_joules(instance, 64) == pytest.approx(
        (0.2567 * 16.06 + 0.280) / 64 + 0.00204 * 8.03 + 0.0393
    )
    assert estimate(instance, Tokens(completion=1), at(64)).method is Method.MODEL


# Identities


@given(instances(), conditions())
def test_nothing_asked_costs_nothing(instance: Instance, around: Conditions) -> None:
    told = estimate(instance, Tokens(), around)

    assert (told.energy_low_mj, told.energy_mj, told.energy_high_mj, told.gpu_mj) == (0, 0, 0, 0)


@given(instances(), tokens(), conditions())
def test_the_bounds_are_in_order_and_the_parts_sum(
    instance: Instance, asked: Tokens, around: Conditions
) -> None:
    told = estimate(instance, asked, around)

    assert 0 <= told.energy_low_mj <= told.energy_mj <= told.energy_high_mj
    assert told.gpu_mj + told.host_mj == told.energy_mj
    assert told.host_mj >= 0


@given(instances(), tokens(), tokens(), conditions())
def test_a_request_cut_in_two_sums_to_the_whole(
    instance: Instance, one: Tokens, other: Tokens, around: Conditions
) -> None:
    both = Tokens(
        prompt=one.prompt + other.prompt,
        cached=one.cached + other.cached,
        completion=one.completion + other.completion,
    )

    parts = estimate(instance, one, around), estimate(instance, other, around)
    whole = estimate(instance, both, around)

    for name, within in [
        ("energy_low_mj", 1),
        ("energy_mj", 1),
        ("energy_high_mj", 1),
        ("gpu_mj", 1),
        ("host_mj", 2),
    ]:
        assert abs(sum(getattr(part, name) for part in parts) - getattr(whole, name)) <= within


@given(instances(), tokens(), counts, conditions())
def test_more_tokens_never_cost_less(
    instance: Instance, asked: Tokens, more: int, around: Conditions
) -> None:
    base = estimate(instance, asked, around).energy_mj
    longer = Tokens(prompt=asked.prompt, cached=asked.cached, completion=asked.completion + more)
    asks_more = Tokens(prompt=asked.prompt + more, cached=asked.cached, completion=asked.completion)

    assert estimate(instance, longer, around).energy_mj >= base
    assert estimate(instance, asks_more, around).energy_mj >= base


@given(instances(), tokens(), st.floats(1, 5), conditions())
def test_more_parameters_never_cost_less(
    instance: Instance, asked: Tokens, factor: float, around: Conditions
) -> None:
    base = estimate(instance, asked, around).energy_mj
    larger = _with(instance, params=instance.params * factor)
    busier = _with(instance, active=min(instance.active * factor, instance.params))

    assert estimate(larger, asked, around).energy_mj >= base - 1  # floats cancel
    assert estimate(busier, asked, around).energy_mj >= base - 1


@given(instances(), st.lists(st.floats(1, 600), min_size=2, max_size=6))
def test_a_fuller_batch_never_costs_more_per_token(
    instance: Instance, batches: list[float]
) -> None:
    joules = [decode_joules(instance, batch) for batch in sorted(batches)]

    assert all(fuller <= emptier * (1 + 1e-9) for emptier, fuller in pairwise(joules))


@given(instances(), st.floats(1, 600))
def test_a_mixture_of_experts_never_costs_more_than_a_dense_model_of_its_size(
    instance: Instance, batch: float
) -> None:
    dense = _with(instance, active=instance.params)

    assert decode_joules(instance, batch) <= decode_joules(dense, batch)
    assert prompt_joules(instance) <= prompt_joules(dense)


def test_what_was_in_the_cache_is_not_read_again() -> None:
    fresh = estimate(LLAMA_8B, Tokens(prompt=1000, completion=10), at(16))
    cached = estimate(LLAMA_8B, Tokens(prompt=1000, cached=900, completion=10), at(16))
    short = estimate(LLAMA_8B, Tokens(prompt=100, completion=10), at(16))

    assert cached == short
    assert cached.energy_mj < fresh.energy_mj


def test_a_server_that_reports_more_cached_than_sent_has_read_nothing() -> None:
    assert estimate(LLAMA_8B, Tokens(prompt=10, cached=99), at(16)).energy_mj == 0


# Methods and their ranges


def test_a_fitted_machine_errs_by_less_than_another() -> None:
    on_h200 = Instance(params=8, active=8, bits=16, accelerator=ACCELERATORS["H200"], n_gpu=1)
    written = Tokens(completion=1000)

    fitted = estimate(llama(8), written, at(64, overhead=NO_OVERHEAD))
    derived = estimate(on_h200, written, at(64, overhead=NO_OVERHEAD))

    assert (fitted.method, derived.method) == (Method.MODEL, Method.EXTRAPOLATED)
    assert _spread(fitted) == pytest.approx(FITTED_SPREAD**2, rel=1e-4)
    assert _spread(derived) == pytest.approx(WIDE_SPREAD**2, rel=1e-4)


@pytest.mark.parametrize(
    ("batch", "method"), [(8, Method.MODEL), (7.999, Method.EXTRAPOLATED), (1, Method.EXTRAPOLATED)]
)
def test_few_requests_at_a_time_were_never_measured(batch: float, method: Method) -> None:
    assert estimate(LLAMA_8B, Tokens(completion=9), at(batch)).method is method


def test_reading_a_prompt_is_derived_and_errs_by_more() -> None:
    told = estimate(LLAMA_8B, Tokens(prompt=10_000), at(64, overhead=NO_OVERHEAD))

    assert _spread(told) == pytest.approx(WIDE_SPREAD**2, rel=1e-4)


def test_an_empty_server_counts_as_one_request_at_a_time() -> None:
    alone = estimate(LLAMA_8B, Tokens(completion=100), at(1))

    assert estimate(LLAMA_8B, Tokens(completion=100), at(0)) == alone
    assert alone.batch_milli == 1000


def test_the_overhead_and_its_range_are_added_to_the_gpus() -> None:
    bare = estimate(LLAMA_70B, Tokens(completion=500), at(32, overhead=NO_OVERHEAD))
    told = estimate(LLAMA_70B, Tokens(completion=500), at(32))

    assert told.gpu_mj == bare.gpu_mj
    assert told.energy_mj == pytest.approx(bare.energy_mj * 1.35, abs=1)
    assert told.energy_low_mj == pytest.approx(bare.energy_low_mj * 1.25, abs=2)
    assert told.energy_high_mj == pytest.approx(bare.energy_high_mj * 1.45, abs=2)


def test_without_a_known_machine_there_is_no_figure() -> None:
    assert estimate(None, Tokens(completion=100), at(8)) is UNKNOWN
    assert estimate_gpu_time(None, 1, 1000, at(8)) is UNKNOWN
    assert UNKNOWN.method is Method.NONE


def test_a_transcription_costs_the_time_of_its_gpus() -> None:
    told = estimate_gpu_time(H100, 2, 10_000, at(4, overhead=NO_OVERHEAD))

    assert told.method is Method.GPU_TIME
    assert told.energy_mj == pytest.approx(0.74 * 700 * 2 * 10 / 4 * 1000, abs=1)
    assert _spread(told) == pytest.approx(WIDE_SPREAD**2, rel=1e-4)


def test_a_clock_that_was_set_back_costs_nothing() -> None:
    assert estimate_gpu_time(H100, 1, -5_000, at(1)).energy_mj == 0


@pytest.mark.parametrize("scope", Scope)
def test_a_calibrated_server_is_corrected_and_surer(scope: Scope) -> None:
    asked, around = Tokens(prompt=400, completion=900), at(24)
    plain = estimate(GPT_OSS, asked, around)

    told = estimate(GPT_OSS, asked, around, Calibration(0.8, scope))

    assert told.method is Method.CALIBRATED
    assert told.energy_mj == pytest.approx(plain.energy_mj * 0.8, abs=1)
    assert told.gpu_mj == pytest.approx(plain.gpu_mj * 0.8, abs=1)
    assert _spread(told) < _spread(plain)


def test_a_calibration_by_a_power_strip_knows_the_overhead() -> None:
    asked = Tokens(completion=5000)

    by_server = estimate(GPT_OSS, asked, at(24), Calibration(1.1, Scope.SERVER))
    by_gpu = estimate(GPT_OSS, asked, at(24), Calibration(1.1, Scope.GPU))

    assert _spread(by_server) == pytest.approx(CALIBRATED_SPREAD**2, rel=1e-4)
    assert _spread(by_gpu) == pytest.approx(CALIBRATED_SPREAD**2 * 1.45 / 1.25, rel=1e-4)


def test_what_gpus_were_measured_to_take_gets_the_rest_of_the_server_added() -> None:
    told = measured(100_000, Scope.GPU, at(10))

    assert told.method is Method.MEASURED
    assert told.gpu_mj == 100_000
    assert told.energy == Interval(125_000, 135_000, 145_000)


@given(st.integers(0, 10**12))
def test_what_a_server_was_measured_to_take_stays_as_it_is(mj: int) -> None:
    told = measured(mj, Scope.SERVER, at(10))

    assert (told.energy_low_mj, told.energy_mj, told.energy_high_mj) == (mj, mj, mj)
    assert told.gpu_mj == pytest.approx(mj / (1 + DEFAULT_OVERHEAD.central), abs=1)


def test_every_figure_names_its_method_and_conditions() -> None:
    told = estimate(LLAMA_8B, Tokens(completion=1), at(12.5, pue_milli=1230))

    assert (told.method_version, told.batch_milli, told.pue_milli) == (METHOD_VERSION, 12_500, 1230)


def test_the_methods_are_in_the_order_of_trust() -> None:
    assert [str(method) for method in Method] == [
        *("measured", "calibrated", "model"),
        *("extrapolated", "gpu-time", "none"),
    ]


# What cannot be


@pytest.mark.parametrize(
    "wrong",
    [
        {"params": 0, "active": 0},
        {"active": 9},
        {"active": -1},
        {"params": float("inf")},
        {"bits": 0},
        {"bits": 128},
        {"n_gpu": 0},
    ],
)
def test_an_instance_that_cannot_be_is_refused(wrong: dict) -> None:
    good = {"params": 8, "active": 8, "bits": 16, "accelerator": H100, "n_gpu": 1}

    with pytest.raises(ValueError, match=r"."):
        Instance(**good | wrong)


@pytest.mark.parametrize("name", ["prompt", "cached", "completion"])
def test_a_negative_number_of_tokens_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="negative"):
        Tokens(**{name: -1})


def test_a_site_that_takes_less_than_its_machines_is_refused() -> None:
    with pytest.raises(ValueError, match="PUE"):
        at(8, pue_milli=999)


@pytest.mark.parametrize("factor", [0, -1, float("inf"), float("nan")])
def test_a_calibration_that_cannot_be_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(factor, Scope.GPU)


def _spread(told: Estimate) -> float:
    return told.energy_high_mj / told.energy_low_mj


def _with(instance: Instance, **changed: float) -> Instance:
    fields = {name: getattr(instance, name) for name in Instance.__slots__}
    return Instance(**fields | changed)
