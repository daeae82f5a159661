"""The clerk's end of the router's socket: hands over sections of the table, hears which are in force.

Every connection begins with all sections: what the router holds may come from an older clerk. Knows no database.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn
from uuid import uuid4

from routing.bridge.router import AWAY, SILENT_SECONDS, Peer, connect, router_socket
from routing.core.conformity import ConformityEnd, ConformityJob, ConformityLine
from routing.core.pricing import Standings
from routing.core.table import Section, section_name
from routing.dispatch.frames import AskBudgets, InForce, Load, Subscribe
from routing.dispatch.messages import LoadView

BEAT_MS = 1000
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Router(NamedTuple):
    """A router, the versions that it decides from, and when it said so (Unix seconds)."""

    incarnation: str
    versions: dict[str, int]
    seen_at: float


class RouterLink:
    """Runs in one event loop; `router` may be read from any thread, None while there is none."""

    def __init__(
        self,
        note: Callable[[ConformityLine | ConformityEnd], None] = lambda _: None,
        ask: Callable[[AskBudgets], None] = lambda _: None,
    ) -> None:
        """`note` takes what the router finds out about servers, `ask` what it asks for of budgets."""
        self.router: Router | None = None
        self.connection: str | None = None
        """The name of the present connection, another each time; None without one. From any thread."""
        self.load: LoadView | None = None
        """What the router told last of its servers and models; None without one. From any thread."""
        self._note_finding = note
        self._ask = ask
        self._orders: deque[ConformityJob | Standings] = deque()
        self._sections: dict[str, Section] = {}
        self._is_new = asyncio.Event()
        self._was_told_away = False

    def publish(self, sections: Iterable[Section]) -> None:
        """Take the sections to hand over now, and to every router to come, in place of all earlier ones.

        None at all from a clerk that no longer leads: what it knew is no news to a router any more.
        """
        self._sections = {section_name(section): section for section in sections}
        self._is_new.set()

    def order(self, frame: ConformityJob | Standings) -> None:
        """Have the router that is there now make a run, or hear of budgets.

        Without one it is forgotten: the run is due again later, and the next router hears of all.
        """
        if self.router is not None:
            self._orders.append(frame)
            self._is_new.set()

    async def run(self) -> NoReturn:
        retry = FIRST_RETRY_SECONDS
        while True:
            try:
                async with connect(router_socket()) as peer:
                    retry = FIRST_RETRY_SECONDS
                    await self._serve(peer)
            except* AWAY as errors:
                self._tell_away(errors)
            self.router = self.connection = self.load = None
            self._orders.clear()
            await asyncio.sleep(retry)
            retry = min(2 * retry, LAST_RETRY_SECONDS)

    async def _serve(self, peer: Peer) -> None:
        logger.info("router %s is there", peer.hello.incarnation)
        self._was_told_away = False
        self._note(peer.hello.incarnation, peer.hello.versions)
        self.connection = uuid4().hex
        async with asyncio.TaskGroup() as both:
            both.create_task(self._hand_over(peer))
            both.create_task(self._hear(peer))

    async def _hand_over(self, peer: Peer) -> None:
        await peer.send(Subscribe(interval_ms=BEAT_MS))
        sent: dict[str, Section] = {}
        self._is_new.set()
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            for name, section in self._sections.copy().items():
                if sent.get(name) is not section:
                    await peer.send(section)
                    sent[name] = section
            while self._orders:
                await peer.send(self._orders.popleft())

    async def _hear(self, peer: Peer) -> NoReturn:
        frames = peer.frames()
        while True:
            async with asyncio.timeout(SILENT_SECONDS):
                frame = await anext(frames, None)
            match frame:
                case InForce(section=name, version=version):
                    assert self.router is not None
                    self._note(peer.hello.incarnation, {**self.router.versions, name: version})
                case Load(versions=versions, view=view):
                    self.load = view
                    self._note(peer.hello.incarnation, versions)
                case ConformityLine() | ConformityEnd():
                    self._note_finding(frame)
                case AskBudgets():
                    self._ask(frame)
                case None:
                    raise EOFError("it closed the connection")

    def _note(self, incarnation: str, versions: dict[str, int]) -> None:
        self.router = Router(incarnation, versions, time.time())

    def _tell_away(self, errors: BaseExceptionGroup[BaseException]) -> None:
        if not self._was_told_away:
            reasons = {str(error) or type(error).__name__ for error in errors.exceptions}
            logger.warning("the router is away: %s", ", ".join(sorted(reasons)))
        self._was_told_away = True
