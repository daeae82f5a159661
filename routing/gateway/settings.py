"""The router's settings, read once from the environment; a wrong one is told in a line, at the start.

`docs/router.md` lists them. Secrets come from the environment, else from `VAR/secrets/<name in lower case>`.
"""

import ipaddress
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet

from routing.upstream.credentials import Secret, load_keys
from routing.upstream.ports import DEFAULT, LISTED_PORTS, read_ports

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which, in one line."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a request. Each is set by the variable of its name in capitals; sizes in bytes."""

    max_connections: int = 20_000
    max_body_bytes: int = 25_000_000
    max_bodies_bytes: int = 256_000_000
    """Of all requests together, and of the answers held until they are complete."""
    max_form_bytes: int = 11_000_000
    """Of a request for a page: forms are short, and the largest brings a scanned agreement of 10 MiB."""
    max_forms_bytes: int = 64_000_000
    """Of all requests for pages together, which take nothing from the API's."""
    max_held_answer_bytes: int = 8_000_000
    """A longer answer that is no stream is passed on as it comes, and can no longer be retried."""
    head_seconds: float = 10.0
    body_idle_seconds: float = 60.0
    body_seconds: float = 300.0
    """For the whole body: a byte now and then holds no room for longer."""
    keep_alive_seconds: float = 75.0
    slow_client_seconds: float = 60.0
    wrong_keys_per_minute: int = 30
    """Of one address, after which others of its keys are not looked at."""
    slow_heads_per_address: int = 100
    """Heads that have not come within a second, of one address."""
    wait_seconds: float = 570.0
    run_seconds: float = 600.0
    server_head_seconds: float = 600.0
    """How long a server may be silent before the head of its answer: a whole answer's comes when it is written."""
    server_idle_seconds: float = 120.0
    """The longest silence of a server inside its answer."""
    hold_back_seconds: float = 20.0
    """How long a stream's status is held back while nothing has come: until then a true error is possible."""
    comment_seconds: float = 10.0
    tick_seconds: float = 5.0
    measure_seconds: float = 1.0
    """How often the metrics of servers are read that have any."""
    min_free_disk_bytes: int = 200_000_000
    drain_seconds: float = 4.0
    """How long running answers may go on after the wish to end; below the launcher's patience of 5 s."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the router listens, what it trusts, its secrets and its limits."""

    host: str
    port: int
    var: Path
    run_dir: Path
    pepper: Secret
    encryption_keys: tuple[Fernet, ...]
    public_url: str = ""
    """Of the portal, without a slash at its end: answers about models that leave link to its pages."""
    trusted_proxies: tuple[IPNetwork, ...] = ()
    cors_origins: frozenset[str] = frozenset()
    """Web origins that may use any key; `*` stands for all."""
    egress_ports: frozenset[int] = DEFAULT
    """Which ports public addresses of servers may have."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    log_level: int = logging.INFO
    limits: Limits = Limits()


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in `environ`. Raises `SettingsError`."""
    var = Path(_required(environ, "VAR")).absolute()
    port = _port(environ.get("PORT") or "8000", "PORT")
    return Settings(
        host=environ.get("HOST") or "127.0.0.1",
        port=port,
        public_url=_public_url(environ, port),
        var=var,
        run_dir=Path(_required(environ, "RUN_DIR")).absolute(),
        pepper=Secret(read_secret(environ, "PEPPER", var)),
        encryption_keys=_encryption_keys(read_secret(environ, "ENCRYPTION_KEY", var)),
        trusted_proxies=tuple(_network(word) for word in _words(environ, "TRUSTED_PROXIES")),
        cors_origins=frozenset(_words(environ, "CORS_ORIGINS")),
        egress_ports=_ports(environ.get("EGRESS_PORTS") or LISTED_PORTS),
        metrics_host=environ.get("METRICS_HOST") or "127.0.0.1",
        metrics_port=_port(text, "METRICS_PORT") if (text := environ.get("METRICS_PORT")) else None,
        log_level=_log_level(environ.get("LOG_LEVEL") or "INFO"),
        limits=read_limits(environ),
    )


def read_limits(environ: Mapping[str, str]) -> Limits:
    """Return the limits, each overridden by the variable of its name. Raises `SettingsError`."""
    given: dict[str, float] = {}
    for field in msgspec.structs.fields(Limits):
        name = field.name.upper()
        if text := environ.get(name, "").strip():
            given[field.name] = _positive(text, name, field.type)
    return Limits(**given)  # type: ignore[arg-type]  # each was read by its field's own type


def _positive(text: str, name: str, kind: type[int] | type[float]) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = kind(0)
    if not 0 < number < float("inf"):
        kinds = "whole number" if kind is int else "number"
        raise SettingsError(f"{name} is {text!r}; it takes a {kinds} above 0")
    return number


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name, "").strip():
        return value
    raise SettingsError(f"{name} is not set; start the product with `make run` or `make serve`")


def read_secret(environ: Mapping[str, str], name: str, var: Path) -> str:
    """Return a secret of the environment or of `VAR/secrets`. Raises `SettingsError`."""
    if value := environ.get(name, "").strip():
        return value
    path = var / "secrets" / name.lower()
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise SettingsError(f"{name} is not set and {path} holds none; `make serve` makes it, once")
    return text


def _encryption_keys(text: str) -> tuple[Fernet, ...]:
    try:
        return load_keys(text)
    except ValueError:
        raise SettingsError("ENCRYPTION_KEY is no Fernet key, or a list of them") from None


def _port(text: str, name: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port < 65536:
        raise SettingsError(f"{name} is {text!r}; it takes a number from 1 to 65535")
    return port


def _public_url(environ: Mapping[str, str], port: int) -> str:
    return environ.get("PUBLIC_URL", "").strip().rstrip("/") or f"http://127.0.0.1:{port}"


def _ports(text: str) -> frozenset[int]:
    try:
        return read_ports(text)
    except ValueError as fault:
        raise SettingsError(
            f"EGRESS_PORTS: {fault}; it takes ports and ranges like {LISTED_PORTS}"
        ) from None


def _words(environ: Mapping[str, str], name: str) -> list[str]:
    return [word.strip() for word in environ.get(name, "").split(",") if word.strip()]


def _network(text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise SettingsError(
            f"TRUSTED_PROXIES holds {text!r}; it takes addresses and networks like 10.0.0.0/8"
        ) from None


def _log_level(text: str) -> int:
    level = logging.getLevelNamesMapping().get(text.upper())
    if level is None:
        raise SettingsError(f"LOG_LEVEL is {text!r}; say DEBUG, INFO, WARNING or ERROR")
    return level
