"""One simulated server: its socket, its faults, its engine behind its shape.

Not responsible for several servers in one process (`serve`) nor for what is answered (`shapes`).
"""

import asyncio
import logging
import socket
from collections.abc import Mapping

import msgspec

from routing.simulator.config import ConfigError, ServerConfig
from routing.simulator.engine import Engine
from routing.simulator.faults import NONE, Fault, Faults, FaultyReply, canned, deaf, parse
from routing.simulator.http import Answer, Connection, Reply, Request, Serve, Stream
from routing.simulator.shapes import SHAPES
from routing.simulator.shapes.base import Shape

logger = logging.getLogger(__name__)

# Where a fault is read and set, on every server.
CONTROL = "/_fault"
BACKLOG = 1024
BEING_ACCEPTED = 4
"""Rounds of the loop after which a connection that it had accepted is known to us, and can be ended."""


class Server:
    """A listening server. `siblings` are all servers of the process by name, itself among them."""

    def __init__(
        self, config: ServerConfig, siblings: Mapping[str, "Server"], *, speed: float, record: bool
    ) -> None:
        self.config = config
        self.engine = Engine(config, speed)
        self.faults = Faults()
        # What was asked, if it is to be kept; never the control requests.
        self.requests: list[Request] = []
        self.port = config.port
        self._own = config
        self._speed = speed
        self._record = record
        self._siblings = siblings
        self._shape = SHAPES[config.engine](config, self.engine)
        self._connections: set[Connection] = set()
        self._socket: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self.port}"

    async def start(self) -> None:
        """Bind and listen. Raises `ConfigError` where the address is not to be had."""
        try:
            self._socket = self._bound()
            self.port = self._socket.getsockname()[1]
            await self._listen()
        except OSError as error:
            place = f"{self.config.host} port {self.config.port}"
            why = error.strerror or str(error)
            raise ConfigError(f"{self.config.name}: cannot listen on {place}: {why}") from error

    async def stop(self) -> None:
        """End everything at once: clients see their connections end."""
        self._forget_reopening()
        if self._listener is not None:
            self._listener.close()
        if self._socket is not None:
            self._socket.close()
        for _ in range(BEING_ACCEPTED):
            for connection in tuple(self._connections):
                await connection.end()
            await asyncio.sleep(0)
        await self.engine.stop()

    async def set_fault(self, fault: Fault, asker: Connection | None = None) -> None:
        """Put a fault in force. A door that closes spares the connection that asked for it."""
        self._forget_reopening()
        self.faults.set(fault)
        model = fault.model if fault.kind == "restart" else self._own.model
        if model != self.config.model:
            await self._restart(model, asker)
        if not fault.closes_the_door:
            return await self._listen()
        self._refuse(asker)
        if fault.seconds is not None:
            self._reopening = asyncio.create_task(self._reopen(fault.seconds))
        return None

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.config.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.config.host, self.port))
        except OSError:
            bound.close()
            raise
        return bound

    async def _listen(self) -> None:
        if self._listener is not None:
            return
        serve = Serve(self._answer, self._opened, self._connections.discard)
        assert self._socket is not None
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(serve), sock=self._socket, backlog=BACKLOG, start_serving=False
        )
        await self._listener.start_serving()

    def _refuse(self, asker: Connection | None) -> None:
        """Stop listening, as a machine whose server has died; a bound socket keeps the port."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._socket = self._bound()
        for connection in tuple(self._connections - {asker}):
            connection.reset()

    async def _restart(self, model: str, asker: Connection | None) -> None:
        """End what runs, as a process that is killed, and begin anew with `model` in memory."""
        self._refuse(asker)
        await self.engine.stop()
        self.config = msgspec.structs.replace(self._own, model=model)
        self.engine = Engine(self.config, self._speed)
        self._shape = SHAPES[self.config.engine](self.config, self.engine)

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.faults.set(NONE)
        await self._listen()

    def _forget_reopening(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self.faults.strikes_connection():
            connection.reset()

    async def _answer(self, request: Request, connection: Connection) -> None:
        if request.path == CONTROL:
            return await self._control(request, connection)
        if self._record:
            self.requests.append(request)
        try:
            fault = self.faults.for_request(request)
        except msgspec.MsgspecError as error:
            return await Reply(connection, request).whole(_refused(400, str(error)))
        faulty = fault.kind != "none"
        reply = FaultyReply(connection, request, fault) if faulty else Reply(connection, request)
        shape = self._shape_for(fault, request)
        answer = canned(fault, shape.failure) or await self._shaped(shape, deaf(fault, request))
        if isinstance(answer, Stream):
            return await reply.stream(answer)
        return await reply.whole(answer)

    def _shape_for(self, fault: Fault, request: Request) -> Shape:
        """The shape that answers; one that lies about its window lists the declared one all the same."""
        if fault.kind != "half_context" or request.method != "POST":
            return self._shape
        half = msgspec.structs.replace(self.config, max_model_len=self.config.max_model_len // 2)
        return SHAPES[self.config.engine](half, self.engine)

    async def _shaped(self, shape: Shape, request: Request) -> Answer | Stream:
        try:
            return await shape.answer(request)
        except Exception as error:  # noqa: BLE001 - its text may hold a prompt: only its type is logged
            logger.error("%s failed: %s", self.config.name, type(error).__name__)
            return shape.failure(500, "The simulator failed")

    async def _control(self, request: Request, connection: Connection) -> None:
        """Answer a message to `/_fault`: GET tells the fault in force, POST sets one."""
        reply = Reply(connection, request)
        if request.method == "GET":
            return await reply.whole(_told(self.faults.current))
        if request.method != "POST":
            return await reply.whole(_refused(405, "GET or POST"))
        try:
            fault = parse(request.body.decode())
        except (UnicodeDecodeError, msgspec.MsgspecError) as error:
            return await reply.whole(_refused(400, str(error)))
        server = self._siblings.get(fault.server or self.config.name)
        if server is None:
            return await reply.whole(_refused(404, f"no server is called {fault.server!r}"))
        await server.set_fault(fault, connection)
        return await reply.whole(_told(fault))


def _told(fault: Fault) -> Answer:
    return Answer(200, msgspec.json.encode(fault), last=fault.closes_the_door)


def _refused(status: int, why: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": why}))
