"""The demonstration in a folder of the test's own, with few requests so that it is built at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from pytest_django import Settings

from config.demo import usage
from tests.support.factories import QUICK_HASHER
from tests.support.pages import plain_static

__all__ = ["plain_static"]

FEW_REQUESTS = 1_500


class Demonstration:
    """Runs the command as `make run` does, and reads what it left."""

    def __init__(self, var: Path) -> None:
        self.var = var

    def run(self) -> dict[str, Any]:
        call_command("demo")
        return self.read("demo.json")

    def read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.var / name).read_text())
        return content


@pytest.fixture
def demonstration(
    db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Demonstration]:
    monkeypatch.setattr(usage, "REQUESTS", FEW_REQUESTS)
    settings.PASSWORD_HASHERS = [QUICK_HASHER]
    settings.VAR = tmp_path / "var"
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    caches["memory"].clear()
    yield Demonstration(settings.VAR)
    caches["memory"].clear()  # the pages remember that this is a demonstration
