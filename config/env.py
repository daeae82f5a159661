"""Typed readers of the environment, failing loudly; where a secret or the data folder is found.

The launcher sets everything. `manage.py` typed by a person sets nothing: then the data folder is `./var`, and
the address of its database lies in it, like the portal's own.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from routing.upstream.ports import LISTED_PORTS, read_ports

ROOT = Path(__file__).resolve().parent.parent


class ConfigurationError(Exception):
    """A setting is missing or wrong; the text says which and what to do."""


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def boolean(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise ConfigurationError(f"{name} is {value!r}; say 1 or 0")
    return default


def integer(name: str, *, default: int, least: int | None = None) -> int:
    value = os.environ.get(name, "").strip()
    try:
        number = int(value) if value else default
    except ValueError:
        raise ConfigurationError(f"{name} is {value!r}; it takes a whole number") from None
    if least is not None and number < least:
        raise ConfigurationError(f"{name} is {number}; it is {least} at least")
    return number


def number(name: str, *, default: float) -> float:
    value = os.environ.get(name, "").strip()
    try:
        return float(value) if value else default
    except ValueError:
        raise ConfigurationError(f"{name} is {value!r}; it takes a number") from None


def words(name: str) -> list[str]:
    """Return the comma-separated parts of a variable, none when it is unset."""
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def ports(name: str) -> frozenset[int]:
    """Return the ports in a variable, by default those that the router lists."""
    try:
        return read_ports(text(name, LISTED_PORTS))
    except ValueError as fault:
        raise ConfigurationError(
            f"{name}: {fault}; it takes ports and ranges like {LISTED_PORTS}"
        ) from None


def addresses(name: str) -> tuple[tuple[str, int], ...]:
    """Return the pairs of IP address and port in a variable, as `10.1.2.3:8443`, none when it is unset."""
    found = []
    for word in words(name):
        host, _, port = word.rpartition(":")
        try:
            found.append((str(ip_address(host.strip("[]"))), int(port)))
        except ValueError:
            raise ConfigurationError(
                f"{name} has {word!r}; it takes addresses with a port like 10.1.2.3:8443"
            ) from None
    return tuple(found)


def data_folder() -> Path:
    return Path(text("VAR", str(ROOT / "var"))).absolute()


def secret(name: str) -> str:
    """Return a secret from the environment, else from `VAR/secrets/<name in lower case>`.

    Raises `ConfigurationError` when there is neither: secrets are made by the launcher, once.
    """
    if value := os.environ.get(name, "").strip():
        return value
    path = data_folder() / "secrets" / name.lower()
    try:
        value = path.read_text().strip()
    except OSError:
        raise ConfigurationError(
            f"{name} is not set and {path} cannot be read; start the product once with `make serve`"
        ) from None
    if not value:
        raise ConfigurationError(f"{path} is empty: put the secret back")
    return value


def public_url() -> str:
    """Return the portal's address: `PUBLIC_URL`, else by `PORT`, else the one that was started last on the data."""
    if value := text("PUBLIC_URL", ""):
        return value.rstrip("/")
    if port := integer("PORT", default=0):
        return f"http://127.0.0.1:{port}"
    try:
        return (data_folder() / "public_url").read_text().strip()
    except OSError:
        return "http://127.0.0.1:8000"


def database() -> dict[str, Any]:
    """Return the parts of the PostgreSQL address."""
    try:
        return conninfo_to_dict(database_url())
    except ProgrammingError as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"DATABASE_URL is no address of PostgreSQL: {reason}") from None


def database_url() -> str:
    """Return the PostgreSQL address: `DATABASE_URL`, else the one the launcher left beside the data."""
    if value := os.environ.get("DATABASE_URL", "").strip():
        return value
    path = data_folder() / "database_url"
    try:
        return path.read_text().strip()
    except OSError:
        raise ConfigurationError(
            f"DATABASE_URL is not set and {path} does not exist; start the product with `make run`"
        ) from None
