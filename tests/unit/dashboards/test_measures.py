"""Times and sizes in the unit that people read, in both languages."""

import pytest
from django.utils.translation import override

from dashboards.templatetags.face import duration, file_size


@pytest.mark.parametrize(
    ("language", "milliseconds", "text"),
    [
        ("en", 0, "0 ms"),
        ("en", 999, "999 ms"),
        ("en", 2000, "2.0 s"),
        ("fr", 2000, "2,0\u00a0s"),
        ("fr", 380, "380\u00a0ms"),
    ],
)
def test_a_time_is_told_in_seconds_from_one_on(language: str, milliseconds: int, text: str) -> None:
    with override(language):
        assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("en", 3, "1 kB"),
        ("fr", 53_400, "53\u00a0ko"),
        ("fr", 1_200_000, "1,2\u00a0Mo"),
    ],
)
def test_a_file_has_the_unit_that_the_limit_of_uploads_has(
    language: str, count: int, text: str
) -> None:
    with override(language):
        assert file_size(count) == text
