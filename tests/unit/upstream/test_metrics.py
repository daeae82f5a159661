"""What engines' own metrics say, whatever the version, and that nonsense says nothing."""

import time
from math import isnan

import pytest

from routing.upstream.metrics import Load, read_load, read_series

VLLM_0_8 = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="m"} 8.0
vllm:num_requests_waiting{model_name="m"} 1.6e+01
vllm:gpu_cache_usage_perc{model_name="m"} 0.25
vllm:cache_config_info{block_size="16",num_gpu_blocks="1000"} 1.0
"""
TWO_ENGINES = """\
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 0.0
vllm:num_requests_waiting{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0
vllm:kv_cache_usage_perc{engine="0"} 0.5
vllm:kv_cache_usage_perc{engine="1"} 1.0
vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="1000"} 1.0
vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="1000"} 1.0
"""
LLAMA = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 5\n"


@pytest.mark.parametrize(
    ("text", "load"),
    [
        (VLLM_0_8, Load(running=8, waiting=16, memory_use=0.25, memory=16_000)),
        (TWO_ENGINES, Load(running=7, waiting=2, memory_use=0.75, memory=32_000)),
        (LLAMA, Load(running=2, waiting=5)),
    ],
    ids=["vllm 0.8", "two engines", "llama.cpp"],
)
def test_the_load_is_read(text: str, load: Load) -> None:
    assert read_load(text) == load


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!DOCTYPE html><html></html>",
        "vllm:num_requests_running NaN\n",
        "vllm:num_requests_running -3\n",
        "vllm:num_requests_running 1e300\n",
        "vllm:num_requests_running many\n",
        "vllm:num_requests_running{model",
        "# vllm:num_requests_running 4\n",
    ],
)
def test_nonsense_says_nothing(text: str) -> None:
    assert read_load(text) is None


def test_a_long_word_for_a_label_takes_no_longer_than_its_length() -> None:
    label = "a" * 200_000
    began = time.process_time()

    read_load(f"vllm:num_requests_running 1\nvllm:cache_config_info{{{label}}} 1\n")

    assert time.process_time() - began < 2


def test_absurd_sizes_are_left_out() -> None:
    text = (
        'vllm:num_requests_running 1\nvllm:cache_config_info{block_size="x",num_gpu_blocks="9"} 1\n'
    )
    assert read_load(text) == Load(running=1, waiting=0)


PAGE = r"""
# HELP power What is drawn.
power{gpu="0",name="a \"b\", c=\"d\"",host="one"} 10
power{gpu="1",name="x",host="one"} 2.5e+1 1780000000000
power{gpu="0",host="two"} 100
power_limit{gpu="0",host="one"} 7
powerful 8
plain 5
"""


@pytest.mark.parametrize(
    ("metric", "labels", "value"),
    [
        ("power", {}, 135),
        ("power", {"host": "one"}, 35),
        ("power", {"host": "one", "gpu": "1"}, 25),
        ("power", {"name": 'a "b", c="d"'}, 10),
        ("power", {"c": "d"}, None),
        ("power", {"host": "three"}, None),
        ("plain", {}, 5),
        ("plain", {"host": "one"}, None),
        ("pow", {}, None),
        ("power.*", {}, None),
    ],
)
def test_a_metric_is_the_sum_of_its_series_with_these_labels(
    metric: str, labels: dict[str, str], value: float | None
) -> None:
    assert read_series(PAGE, metric, labels) == value


def test_a_long_word_for_a_series_label_takes_no_longer_than_its_length() -> None:
    page = f"power{{{'a' * 50_000}}} 1\n" * 10
    began = time.process_time()

    assert read_series(page, "power", {"host": "one"}) is None

    assert time.process_time() - began < 2


def test_a_sum_with_a_series_that_is_no_number_is_none() -> None:
    value = read_series("power 1\npower NaN\npower 3\n", "power", {})

    assert value is not None
    assert isnan(value)


def test_an_engines_tokens_are_those_of_all_its_engines() -> None:
    text = (
        'vllm:num_requests_running{engine="0"} 1.0\n'
        'vllm:prompt_tokens_total{engine="0"} 3.5e+09\nvllm:prompt_tokens_total{engine="1"} 5.0\n'
        'vllm:prefix_cache_hits_total{engine="0"} 7.0\nvllm:generation_tokens_total{engine="0"} 12.0\n'
    )

    load = read_load(text)

    assert load is not None
    assert load.tokens == (3_500_000_005, 7, 12)
