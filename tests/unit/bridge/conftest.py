"""A private folder for the router's socket, with a path short enough for one."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings


@pytest.fixture
def socket(settings: Settings) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ilaas-link-"))
    settings.RUN_DIR = str(folder)
    yield folder / "router.sock"
    shutil.rmtree(folder)
