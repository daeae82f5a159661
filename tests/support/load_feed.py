"""The router's load as the portal hears it, told by the test from a thread, so that synchronous code can ask."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_django import Settings

from routing.core.stops import Stop
from routing.dispatch.frames import Hello, Load, encode
from routing.dispatch.messages import LoadView, ModelLoad, ServerLoad

AGAIN_SECONDS = 0.05
VERSIONS = {"principals": 1, "names": 1, "servers": 1}


class LoadFeed:
    """Listens from the start; `tell` changes what it says, `stop` is the router's death."""

    def __init__(self, path: Path) -> None:
        self._view = LoadView(servers={}, models={})
        self._stops: tuple[Stop, ...] = ()
        self._stopped = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def tell(
        self,
        *,
        servers: Mapping[object, ServerLoad] | None = None,
        models: Mapping[object, ModelLoad] | None = None,
        stops: Sequence[Stop] = (),
    ) -> None:
        self._stops = tuple(stops)
        self._view = LoadView(
            servers={str(key): load for key, load in (servers or {}).items()},
            models={str(key): load for key, load in (models or {}).items()},
        )

    def stop(self) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                peer, _address = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
            self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.sendall(encode(Hello(incarnation="fake", versions=VERSIONS)))
            while not self._stopped.wait(AGAIN_SECONDS):
                load = Load(
                    incarnation="fake",
                    versions=VERSIONS,
                    view=self._view,
                    open_requests=0,
                    spool_bytes=0,
                    stops=self._stops,
                )
                peer.sendall(encode(load))


def server_load(in_flight: int = 0, limit: int | None = 8, health: str = "healthy") -> ServerLoad:
    return ServerLoad(health=health, in_flight=in_flight, limit=limit, failures=0, retry_in_ms=0)


@pytest.fixture
def run_dir(settings: Settings) -> Iterator[Path]:
    """A run folder of the test's own, in which no router listens yet."""
    folder = Path(tempfile.mkdtemp(prefix="ilaas-run-"))
    settings.RUN_DIR = str(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def feed(run_dir: Path) -> Iterator[LoadFeed]:
    told = LoadFeed(run_dir / "router.sock")
    yield told
    told.stop()
