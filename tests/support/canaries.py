"""Who would notice: listeners on this machine that nobody was given leave to reach, and a spy on every connection.

The spy stands in the event loop and, where the loop is Python's own, in the interpreter's audit too. It lets nothing
out but what is granted: a test with public addresses sends no packet to them.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvloop

GRANTED_HOST = "127.0.0.1"
OTHER_HOSTS = ("127.0.0.2", "127.1.2.3", "::1")
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
Place = tuple[str, int]


class Spy:
    """`connections` and `lookups` are what was tried; only what is granted comes about."""

    def __init__(self) -> None:
        self.granted: Place = ("", 0)
        self.connections: list[Place] = []
        self.lookups: list[str] = []
        self.armed = False

    def see(self, host: Any, port: Any) -> None:
        """Note a connection that is being opened, and refuse it unless it is granted."""
        if not self.armed:
            return
        self.connections.append((str(host), int(port)))
        if (str(host), int(port)) != self.granted:
            raise ConnectionRefusedError("not granted")

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and self.armed and isinstance(arguments[1], tuple):
            self.see(*arguments[1][:2])


SPY = Spy()
sys.addaudithook(SPY.audit)  # for good: an audit hook cannot be taken away


class _Spied:
    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> Any:
        if host is not None:
            SPY.see(host, port)
        return await super().create_connection(factory, host, port, **more)  # type: ignore[misc]

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        if SPY.armed:
            SPY.lookups.append(str(host))
            raise socket.gaierror("nobody is asked in a test")
        return await super().getaddrinfo(host, port, **more)  # type: ignore[misc]


class SpiedLoop(_Spied, asyncio.SelectorEventLoop):  # type: ignore[misc]  # any arguments at all
    pass


class SpiedUvloop(_Spied, uvloop.Loop):  # type: ignore[misc]  # its types differ from the standard ones
    pass


LOOPS = {"asyncio": SpiedLoop, "uvloop": SpiedUvloop}


class Canaries:
    """`granted` may be reached, `forbidden` not; `reached` are the places that were, each time."""

    def __init__(self, granted: Place, forbidden: tuple[Place, ...]) -> None:
        self.granted, self.forbidden = granted, forbidden
        self.reached: list[Place] = []
        self.answer = NOT_FOUND
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached.append(writer.get_extra_info("sockname")[:2])
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (first := await reader.read(1)).isalpha():  # a TLS greeting begins otherwise
                self.requests.append(first + await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answer)
                await writer.drain()
                if not self.answer.startswith(b"HTTP/1.1"):
                    break
        writer.close()


@asynccontextmanager
async def canaries() -> AsyncGenerator[Canaries]:
    """Listen while the block runs, with the spy armed."""
    sockets = _sockets()
    granted, *forbidden = [each.getsockname()[:2] for each in sockets]
    birds = Canaries(granted, tuple(forbidden))
    servers = [await asyncio.start_server(birds.serve, sock=each) for each in sockets]
    SPY.granted, SPY.connections, SPY.lookups = granted, [], []
    SPY.armed = True
    try:
        yield birds
    finally:
        SPY.armed = False
        for server in servers:
            server.close()


def _sockets() -> list[socket.socket]:
    """Return the granted listener, one on another port beside it, and one on its port at other addresses."""
    granted, beside = _listening(GRANTED_HOST, 0), _listening(GRANTED_HOST, 0)
    port = granted.getsockname()[1]
    found = [granted, beside]
    for host in OTHER_HOSTS:
        with contextlib.suppress(OSError):  # taken, or a machine without IPv6
            found.append(_listening(host, port))
    return found


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    listener.setblocking(False)
    return listener
