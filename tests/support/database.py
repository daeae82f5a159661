"""pytest plugin: one embedded PostgreSQL for a session, and the environment the settings read.

The first process of the session (not the workers it starts) makes a temporary data folder, with
secrets of its own, before Django's settings are read, and starts the server before the first test.
`TEST_DATABASE_URL` names another PostgreSQL instead. It is loaded by `-p tests.support.database`.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from config.launch.console import LaunchError
from config.launch.environment import SECRETS
from config.launch.postgres import EmbeddedPostgres

# A test's database need not survive a power cut.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Session:
    """The data folder of one test session, and its server."""

    def __init__(self) -> None:
        # A folder of its own, with a short path because of the sockets.
        self.folder = Path(tempfile.mkdtemp(prefix="ilaas-test-"))
        self.server: EmbeddedPostgres | None = None

    def prepare(self) -> None:
        """Set what the settings read; the address is known before the server runs."""
        var, run_dir = self.folder / "var", self.folder / "run"
        for folder in (var, run_dir):
            folder.mkdir(mode=0o700)
        if not (url := os.environ.get("TEST_DATABASE_URL", "")):
            self.server = EmbeddedPostgres(
                var / "postgres", run_dir / "pg", var / "log" / "postgres.log", SETTINGS
            )
            url = self.server.url
        secrets = {name: make() for name, make in SECRETS.items()}
        os.environ.update(secrets, VAR=str(var), RUN_DIR=str(run_dir), DATABASE_URL=url)

    def start(self) -> None:
        if self.server:
            self.server.start()

    def end(self) -> None:
        if self.server:
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


SESSION = pytest.StashKey[Session]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """As a wrapper, ahead of pytest-django, which reads the settings in the same hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        session = Session()
        session.prepare()
        early_config.stash[SESSION] = session
        early_config.add_cleanup(session.end)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if prepared := session.config.stash.get(SESSION, None):
        try:
            prepared.start()
        except LaunchError as error:
            raise pytest.UsageError(str(error)) from None
