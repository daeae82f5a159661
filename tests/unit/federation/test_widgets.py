"""What the common widgets show."""

import pytest

from federation.widgets import DayInput


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-11-30", 'value="2026-11-30"'),
        ("yesterday", None),
        ("2026-02-30", None),
        ("", None),
    ],
)
def test_only_a_day_is_shown_again(given: str, shown: str | None) -> None:
    html = DayInput().render("day", given)

    assert 'type="date"' in html
    assert shown in html if shown else "value=" not in html
