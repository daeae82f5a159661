"""What a person reads when everything runs, and pastes."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from config.launch.console import LaunchError
from config.launch.demonstration import curl, read_demo, show_demo, show_serve
from config.launch.environment import Place

DEMO: dict[str, Any] = {
    "accounts": {
        "admin": {"email": "admin@example.org", "password": "it's a\"b", "totp_secret": "JBSWY3DP"},
        "orleans_user": {"email": "lea@example.org", "password": "plain"},
    },
    "keys": {"p5": "ilaas_live_abc", "p3": "ilaas_live_def"},
    "models": ["mistral-small-3.2-24b", "gpt-oss-120b"],
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path, "127.0.0.1", 8017)


def test_the_command_to_paste_is_a_whole_request(place: Place) -> None:
    words = shlex.split(curl(place, DEMO))
    assert words[:2] == ["curl", "http://127.0.0.1:8017/v1/chat/completions"]
    assert "Authorization: Bearer ilaas_live_abc" in words
    assert json.loads(words[-1])["model"] == "mistral-small-3.2-24b"


def test_the_summary_names_address_accounts_key_and_how_to_stop(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    show_demo(place, DEMO)
    shown = capsys.readouterr().out
    for part in (
        "http://127.0.0.1:8017",
        "lea@example.org",
        "JBSWY3DP",
        "ilaas_live_abc",
        "Ctrl-C",
    ):
        assert part in shown


def test_the_first_administrators_link_is_shown_only_when_there_is_one(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    show_serve(place, "http://127.0.0.1:8017/first/xyz")
    assert "There is no administrator yet; this link makes the first one" in capsys.readouterr().out
    show_serve(place, "")
    assert "There is no administrator" not in capsys.readouterr().out


def test_who_rehearses_is_told_where_the_e_mails_are(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    show_serve(place, "http://127.0.0.1:8017/first/xyz", mail=True)

    assert "/demo/mail/" in capsys.readouterr().out


def test_missing_demonstration_data_is_an_error(place: Place) -> None:
    with pytest.raises(LaunchError, match=r"demo\.json cannot be read"):
        read_demo(place)
