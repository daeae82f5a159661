"""The unix socket on which the clerk sends the table, and the portal and others follow the load.

The router listens and needs nobody: it serves from its last table while the others are away. The socket is
this user's alone, and what comes over it is trusted as the clerk's.
"""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from routing.core.table import Section, section_name
from routing.dispatch.frames import Hello, InForce, Load, Subscribe, encode, read_frame
from routing.gateway.snapshot import save_section

SOCKET = "router.sock"
MIN_INTERVAL_MS = 200
logger = logging.getLogger(__name__)


class House(Protocol):
    """What the link needs of the router."""

    incarnation: str

    @property
    def versions(self) -> dict[str, int]: ...

    def apply(self, section: Section) -> None:
        """Decide from this section from now on."""

    def load(self) -> Load: ...


class Link:
    """The listening side."""

    def __init__(self, house: House, run_dir: Path, table_folder: Path) -> None:
        self._house = house
        self._path = run_dir / SOCKET
        self._folder = table_folder
        self._saving = asyncio.Lock()
        self._peers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. The folder is private, so nobody comes in between the making and the mode."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o600)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in tuple(self._peers):
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = asyncio.current_task()
        assert peer is not None
        self._peers.add(peer)
        subscription: asyncio.Task[None] | None = None
        try:
            writer.write(
                encode(Hello(incarnation=self._house.incarnation, versions=self._house.versions))
            )
            while (frame := await read_frame(reader)) is not None:
                match frame:
                    case Subscribe():
                        if subscription is not None:
                            subscription.cancel()
                        subscription = asyncio.create_task(self._send_load(writer, frame))
                    case Hello() | Load() | InForce():
                        raise ValueError(f"a {type(frame).__name__} is the router's to send")
                    case _:
                        await self._take(frame, writer)
        except (OSError, ValueError, EOFError, asyncio.CancelledError) as error:
            if not isinstance(error, ConnectionError | asyncio.CancelledError):
                logger.warning("a peer on %s is let go: %s", SOCKET, error)
        finally:
            if subscription is not None:
                subscription.cancel()
            writer.close()
            self._peers.discard(peer)

    async def _take(self, section: Section, writer: asyncio.StreamWriter) -> None:
        """In force first, then on disk: a full disk must not keep a revoked key alive."""
        name = section_name(section)
        self._house.apply(section)
        writer.write(encode(InForce(section=name, version=section.version)))
        logger.info("%s: version %d is in force", name, section.version)
        async with self._saving:
            try:
                await asyncio.to_thread(save_section, self._folder, section)
            except OSError as error:
                logger.error("the snapshot of %s cannot be written: %s", name, error.strerror)

    async def _send_load(self, writer: asyncio.StreamWriter, wish: Subscribe) -> None:
        interval = max(wish.interval_ms, MIN_INTERVAL_MS) / 1000
        with suppress(OSError):
            while True:
                writer.write(encode(self._house.load()))
                await writer.drain()
                await asyncio.sleep(interval)
