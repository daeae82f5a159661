"""Settings: read once, from the environment or from files, and refused with a line that names the variable."""

import logging
from ipaddress import ip_network
from pathlib import Path

import pytest

from routing.gateway.settings import Limits, SettingsError, read_limits, read_settings
from tests.support.router import ENCRYPTION_KEY


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "VAR": str(tmp_path),
        "RUN_DIR": str(tmp_path),
        "PEPPER": "p",
        "ENCRYPTION_KEY": ENCRYPTION_KEY,
    }


def test_without_more_the_router_listens_on_loopback(environ: dict[str, str]) -> None:
    settings = read_settings(environ)

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.trusted_proxies == ()
    assert settings.metrics_port is None
    assert settings.limits == Limits()


def test_what_is_set_is_read(environ: dict[str, str]) -> None:
    environ |= {
        "PORT": "8001",
        "TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1",
        "CORS_ORIGINS": "https://a.example,https://b.example",
        "LOG_LEVEL": "debug",
        "METRICS_PORT": "9100",
        "METRICS_HOST": "10.0.0.7",
        "MAX_BODY_BYTES": "1000",
        "HOLD_BACK_SECONDS": "1.5",
    }

    settings = read_settings(environ)

    assert settings.port == 8001
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::1/128"))
    assert settings.cors_origins == {"https://a.example", "https://b.example"}
    assert settings.log_level == logging.DEBUG
    assert (settings.metrics_host, settings.metrics_port) == ("10.0.0.7", 9100)
    assert settings.limits == Limits(max_body_bytes=1000, hold_back_seconds=1.5)


def test_secrets_come_from_files_when_the_environment_has_none(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pepper").write_text("from the file\n")

    settings = read_settings(environ | {"PEPPER": ""})

    assert settings.pepper.reveal() == "from the file"


def test_no_secret_is_shown_by_accident(environ: dict[str, str]) -> None:
    settings = read_settings(environ | {"PEPPER": "very-secret"})

    assert "very-secret" not in repr(settings)
    assert ENCRYPTION_KEY not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "a"),
        ("VAR", ""),
        ("RUN_DIR", " "),
        ("PEPPER", ""),
        ("ENCRYPTION_KEY", "short"),
        ("TRUSTED_PROXIES", "everybody"),
        ("LOG_LEVEL", "LOUD"),
        ("METRICS_PORT", "-1"),
    ],
)
def test_a_wrong_value_is_named(environ: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings(environ | {name: value})


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "1.5", "many"])
def test_limits_are_positive_and_whole_where_they_count_bytes(value: str) -> None:
    with pytest.raises(SettingsError, match="MAX_BODY_BYTES"):
        read_limits({"MAX_BODY_BYTES": value})


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "soon"])
def test_times_are_positive(value: str) -> None:
    with pytest.raises(SettingsError, match="WAIT_SECONDS"):
        read_limits({"WAIT_SECONDS": value})
