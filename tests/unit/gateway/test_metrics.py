"""Counters and their text: what is counted where, and that Prometheus' own parser reads it."""

import pytest

from routing.core.accounting import Attempt, Closed, Opened
from routing.core.enums import RequestStatus, UsageSource
from routing.gateway.errors import Code
from routing.gateway.exchange import Cut
from routing.gateway.exposition import Family, Kind, render
from routing.gateway.metrics import SECONDS, SERVERS_OWN, Distribution, Metrics
from tests.support.prometheus import Scraped


def a_request(
    error_code: str = "", endpoint: str = "chat/completions", **changes: object
) -> Closed:
    opened = Opened(
        id="r",
        client_request_id="",
        key_id="k",
        application_id="a",
        institution_id="orleans",
        model_id="m",
        model_asked="M",
        endpoint=endpoint,
        stream=True,
        priority=3,
        received_at=100.0,
        prompt_estimate=10,
    )
    fields: dict[str, object] = {
        "opened": opened,
        "status": RequestStatus.SERVER_ERROR if error_code else RequestStatus.OK,
        "http_status": 200,
        "server_id": "s",
        "deployment_id": "d",
        "model_served": "M",
        "prompt_tokens": 12,
        "cached_tokens": 4,
        "completion_tokens": 5,
        "reasoning_tokens": 0,
        "usage_source": UsageSource.SERVER,
        "first_token_at": 101.0,
        "finished_at": 104.0,
        "attempts": (Attempt(server_id="s", deployment_id="d", started_at=100.0, outcome="ok"),),
        "error_code": error_code,
    }
    return Closed(**(fields | changes))  # type: ignore[arg-type]  # a test's own changes


def test_a_request_counts_by_model_class_endpoint_and_status() -> None:
    metrics = Metrics()

    metrics.count(a_request())
    metrics.count(a_request("server_failed"))

    assert metrics.requests["m", 3, "chat/completions", "ok"] == 1
    assert metrics.requests["m", 3, "chat/completions", "server_error"] == 1
    assert metrics.errors == {("m", "server_failed"): 1}
    assert metrics.attempts == {("s", "ok"): 2}
    assert metrics.tokens == {
        ("m", "prompt"): 24,
        ("m", "cached_prompt"): 8,
        ("m", "completion"): 10,
    }


def test_only_answered_requests_have_a_duration() -> None:
    metrics = Metrics()

    metrics.count(a_request())
    metrics.count(a_request("server_failed"))

    assert metrics.durations["m", 3].sum == 4.0
    assert sum(metrics.durations["m", 3].counts) == 1


@pytest.mark.parametrize("code", [*Code, *Cut])
def test_each_of_our_codes_is_counted_by_its_name(code: str) -> None:
    metrics = Metrics()

    metrics.count_error(code)

    assert metrics.errors == {("", code): 1}


@pytest.mark.parametrize("code", ["invented", "", None, 'a"b\n'])
def test_codes_that_servers_invent_make_no_label(code: str | None) -> None:
    metrics = Metrics()

    metrics.count_error(code, "m")

    assert metrics.errors == {("m", SERVERS_OWN): 1}


def test_an_endpoint_that_a_client_invents_makes_no_label() -> None:
    metrics = Metrics()

    metrics.count(a_request(endpoint="audio/whatever"))

    assert [key[2] for key in metrics.requests] == ["other"]


@pytest.mark.parametrize(
    ("seconds", "place"),
    [
        (0.0, 0),
        (SECONDS[0], 0),
        (SECONDS[0] + 1e-6, 1),
        (600.0, len(SECONDS) - 1),
        (1e9, len(SECONDS)),
    ],
)
def test_a_bound_belongs_to_its_own_bucket(seconds: float, place: int) -> None:
    distribution = Distribution()

    distribution.observe(seconds)

    assert distribution.counts.index(1) == place


def test_buckets_are_cumulative_and_end_with_the_count() -> None:
    distribution = Distribution()
    for seconds in (0.02, 0.02, 1.5, 1000.0):
        distribution.observe(seconds)

    text = render(
        [Family("w_seconds", Kind.HISTOGRAM, "Wait.", ("class",), [(("P5",), distribution)])]
    )

    scraped = Scraped(text)
    counts = scraped.buckets("w_seconds", class_="P5")
    assert counts == sorted(counts)
    assert counts[-1] == scraped.value("w_seconds_count", class_="P5") == 4
    assert scraped.value("w_seconds_bucket", class_="P5", le="0.025") == 2
    assert scraped.value("w_seconds_sum", class_="P5") == pytest.approx(1001.54)


@pytest.mark.parametrize("name", ['a "model"', "a\\b", "two\nlines", "é", "{x=1}"])
def test_any_name_comes_back_from_the_parser(name: str) -> None:
    text = render([Family("n", Kind.GAUGE, "N.", ("model",), [((name,), 1)])])

    assert Scraped(text).value("n", model=name) == 1


def test_a_metric_without_samples_is_announced_all_the_same() -> None:
    text = render([Family("n_total", Kind.COUNTER, "N.", ("model",), [])])

    assert text == "# HELP n_total N.\n# TYPE n_total counter\n"
