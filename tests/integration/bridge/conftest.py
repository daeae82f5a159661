"""A spool folder, written to as a router does, and the socket's private folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from routing.core.accounting import Record, frame


class Spool:
    """Segments by hand: `write` appends, as the router does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def path(self, incarnation: str, number: int = 1) -> Path:
        return self.folder / f"{incarnation}-{number:06}.spool"

    def write(self, incarnation: str, *records: Record | bytes, number: int = 1) -> Path:
        path = self.path(incarnation, number)
        with path.open("ab") as file:
            for record in records:
                file.write(record if isinstance(record, bytes) else frame(record))
        return path

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def socket(settings: Settings) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ilaas-bridge-"))
    settings.RUN_DIR = str(folder)
    yield folder / "router.sock"
    shutil.rmtree(folder)
