"""The unix socket on which the clerk sends the table, and the portal and others follow the load.

The router listens and needs nobody: it serves from its last table while the others are away. The socket is
this user's alone, and what comes over it is trusted as the clerk's.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from routing.core.conformity import ConformityJob
from routing.core.pricing import Standings
from routing.core.table import (
    NamesSection,
    PrincipalsSection,
    Section,
    ServersSection,
    section_name,
)
from routing.dispatch.frames import (
    ROUTER_SOCKET,
    AskBudgets,
    AskQuotas,
    Frame,
    Hello,
    InForce,
    Load,
    Quotas,
    Subscribe,
    encode,
    read_frame,
)
from routing.gateway.conformity import Examine, Runs
from routing.gateway.snapshot import save_section

SAVE_SECONDS = 1.0
"""How long the end waits for what is being written down."""
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

    def quotas(self, owners: Sequence[str]) -> Quotas: ...

    def hear_of_budgets(self, standings: Standings) -> None:
        """Go by how budgets stand."""

    @property
    def examine(self) -> Examine:
        """Make a conformity run."""


class Link:
    """The listening side."""

    def __init__(self, house: House, run_dir: Path, table_folder: Path) -> None:
        self._house = house
        self._path = run_dir / ROUTER_SOCKET
        self._folder = table_folder
        self._unsaved: dict[str, Section] = {}
        self._saving: asyncio.Task[None] | None = None
        self._inode = 0
        self._peers: set[asyncio.Task[None]] = set()
        self._clerks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        """Of the peers, those that have handed over a section."""
        self._server: asyncio.Server | None = None

    @property
    def has_clerk(self) -> bool:
        """Whether somebody is there who hands over the register's changes."""
        return bool(self._clerks)

    def need(self, needs: Mapping[str, int]) -> None:
        """Tell the clerk that somebody waits for budgets; without one nobody hears it."""
        for writer in self._clerks.values():
            writer.write(encode(AskBudgets(needs=dict(needs))))

    async def open(self) -> None:
        """Listen. The folder is private, so nobody comes in between the making and the mode.

        One router runs here (`process`), so a socket that is there is a dead one's.
        """
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o600)
        self._inode = self._path.stat().st_ino

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in tuple(self._peers):
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)
        if self._saving is not None:
            await asyncio.wait({self._saving}, timeout=SAVE_SECONDS)
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:  # another's is not ours to take away
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = asyncio.current_task()
        assert peer is not None
        self._peers.add(peer)
        subscription: asyncio.Task[None] | None = None
        runs = Runs(self._house.examine, writer)
        try:
            writer.write(
                encode(Hello(incarnation=self._house.incarnation, versions=self._house.versions))
            )
            while (frame := await read_frame(reader)) is not None:
                if isinstance(frame, ConformityJob):
                    runs.begin(frame)
                    continue
                if not isinstance(frame, Subscribe):
                    self._answer(frame, peer, writer)
                    continue
                if subscription is not None:
                    subscription.cancel()
                subscription = asyncio.create_task(self._send_load(writer, frame))
        except (OSError, ValueError, EOFError, asyncio.CancelledError) as error:
            if not isinstance(error, ConnectionError | asyncio.CancelledError):
                logger.warning("a peer on %s is let go: %s", ROUTER_SOCKET, error)
        finally:
            if subscription is not None:
                subscription.cancel()
            runs.cancel()
            writer.close()
            self._peers.discard(peer)
            self._clerks.pop(peer, None)

    def _answer(self, frame: Frame, peer: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        match frame:
            case AskQuotas():
                writer.write(encode(self._house.quotas(frame.owners)))
            case Standings():
                self._house.hear_of_budgets(frame)
            case PrincipalsSection() | NamesSection() | ServersSection():
                self._clerks[peer] = writer
                self._take(frame, writer)
            case _:
                raise ValueError(f"a {type(frame).__name__} is the router's to send")

    def _take(self, section: Section, writer: asyncio.StreamWriter) -> None:
        """In force now, on disk when the disk likes: one that is full or hangs keeps no revoked key alive."""
        name = section_name(section)
        self._house.apply(section)
        writer.write(encode(InForce(section=name, version=section.version)))
        logger.info("%s: version %d is in force", name, section.version)
        self._unsaved[name] = section
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())

    async def _save(self) -> None:
        """Write down what is in force; of a section that changes meanwhile, the newest only."""
        while self._unsaved:
            name, section = self._unsaved.popitem()
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
