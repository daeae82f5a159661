"""Numbers are written as the Prometheus client writes them, and tell what happened."""

import re

import pytest

from routing.simulator import simulated
from routing.simulator.metrics import ENERGY, Histogram, number
from routing.upstream.metrics import read_series
from tests.unit.simulator.raw import CHAT, config, exchange, post, split


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0.0"),
        (8, "8.0"),
        (0.0004883110541414881, "0.0004883110541414881"),
        (999_999, "999999.0"),
        (1_000_000, "1e+06"),
        (1_200_000, "1.2e+06"),
        (1_795_421_408.25, "1.79542140825e+09"),
        (10**20, "1e+20"),
        (float("inf"), "+Inf"),
    ],
)
def test_a_number_is_written_with_an_exponent_from_a_million_on(value: float, written: str) -> None:
    assert number(value) == written
    assert float(written.replace("+Inf", "inf")) == value


def test_buckets_are_cumulative_and_end_with_everything() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)

    samples = [(suffix, labels.get("le"), count) for suffix, labels, count in histogram.samples({})]

    assert samples[:3] == [("_bucket", "0.1", 2), ("_bucket", "1.0", 3), ("_bucket", "+Inf", 4)]
    assert samples[3] == ("_count", None, 4)
    assert samples[4][2] == pytest.approx(7.65)


async def test_a_chat_is_counted_where_it_belongs() -> None:
    get = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with simulated(config()) as servers:
        await exchange(servers, post("/v1/chat/completions", CHAT))
        text = split(await exchange(servers, get))[1].decode()

    read = dict(re.findall(r'^vllm:(\w+)\{engine="0",[^}]*\} (\S+)$', text, re.MULTILINE))
    assert read["generation_tokens_total"] == "5.0"
    assert read["num_requests_running"] == "0.0"
    assert read["time_to_first_token_seconds_count"] == "1.0"
    assert read["inter_token_latency_seconds_count"] == "4.0"
    assert 'request_success_total{engine="0",finished_reason="length",model_name="m"} 1.0' in text


async def test_a_models_name_with_quotes_does_not_break_a_line() -> None:
    get = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with simulated(config(model='a"b\\c\nd')) as servers:
        text = split(await exchange(servers, get))[1].decode()

    assert 'model_name="a\\"b\\\\c\\nd"' in text


async def test_an_exporter_beside_it_counts_energy_by_the_tokens() -> None:
    get = b"GET /dcgm/metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with simulated(config()) as servers:
        before = split(await exchange(servers, get))[1].decode()
        await exchange(servers, post("/v1/chat/completions", CHAT))
        after = split(await exchange(servers, get))[1].decode()

    values = [read_series(text, ENERGY, {"gpu": "0"}) for text in (before, after)]
    assert None not in values
    assert values[1] - values[0] >= 5 * 250  # type: ignore[operator]  # five tokens
