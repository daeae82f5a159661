"""Limits in words and in headers."""

import pytest

from routing.core.enums import LimitScope, Measure
from routing.core.request import Allowance, Quota
from routing.core.table import Limit
from routing.gateway.quotas import (
    duration,
    duration_in_words,
    limit_reached,
    over_limit,
    quota_headers,
)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (120, "120ms"),
        (1000, "1s"),
        (1001, "2s"),
        (360_000, "6m0s"),
        (86_350_000, "23h59m10s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1 s"),
        (11_001, "12 s"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h"),
        (12_000_001, "3 h 21 min"),
        (86_400_000, "1 d"),
        (86_500_000, "1 d 1 h"),
    ],
)
def test_durations_in_words_are_never_shorter_than_they_are(milliseconds: int, text: str) -> None:
    assert duration_in_words(milliseconds) == text


def test_a_limit_says_whose_it_is_and_until_when() -> None:
    limit = Limit(
        scope=LimitScope.APPLICATION, measure=Measure.REQUESTS_PER_MINUTE, most=60, name="X"
    )

    assert limit_reached(limit, 12_000) == (
        "Limit of 60 requests per minute of application ‘X’ reached; free again in 12 s"
    )
    assert over_limit(limit) == (
        "This request alone is larger than the limit: "
        "limit of 60 requests per minute of application ‘X’"
    )


def test_only_what_is_limited_has_headers() -> None:
    quota = Quota(limit=10, remaining=3, reset_ms=1500)

    assert list(quota_headers(None)) == []
    assert dict(quota_headers(Allowance(tokens=quota))) == {
        b"x-ratelimit-limit-tokens": b"10",
        b"x-ratelimit-remaining-tokens": b"3",
        b"x-ratelimit-reset-tokens": b"2s",
    }
