"""Faults on demand: what goes wrong, for which requests, how often, and the reply that does it.

Not responsible for the listening socket, which `server` closes for `refuse`.
"""

import re
import zlib
from asyncio import Event, sleep
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from routing.simulator.http import Answer, Broken, Connection, Headers, Reply, Request

Kind = Literal[
    "none",
    "refuse",
    "hang",
    "reset",
    "close",
    "status",
    "slow",
    "garbage",
    "html",
    "redirect",
    "gzip",
    "wrong_model",
    "half_chunk",
    "empty",
    "restart",
    "half_context",
    "no_usage",
    "no_tools",
    "broken_tools",
    "no_schema",
]
HEADER = "x-simulator-fault"
SLOW_SECONDS = 1.0
GARBAGE = b"\x16\x03\x01\x00\xa5\x00\xff\xfe not HTTP \x00\x01\x02\r\n"
_PAGE = b"<!DOCTYPE html><html><head><title>%b</title></head><body><h1>%b</h1></body></html>"
_MODEL = re.compile(rb'("model": ?)"[^"]*"')
_USAGE = re.compile(rb'"(usage": ?\{)')
_ARGUMENTS = re.compile(rb'("arguments": ?")(?!")')
# What a server that lies about an ability leaves out of what it was asked.
_IGNORED = {"no_tools": ("tools", "tool_choice"), "no_schema": ("response_format",)}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. Every field but `kind` has a default; see docs/simulator.md for each kind's meaning."""

    kind: Kind
    # Bytes of the answer, its head included, that still pass: for hang, reset, close and garbage.
    after_bytes: Annotated[int, Meta(ge=0)] = 0
    # For status (500 if not given) and html (200 if not given).
    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    # For slow: waited before each write, 1 if not given. For refuse: how long, None until it is changed.
    seconds: Annotated[float, Meta(ge=0, le=3600)] | None = None
    # Requests that it strikes (for refuse: new connections, each reset); None: until it is changed.
    times: Annotated[int, Meta(ge=1)] | None = None
    # For wrong_model: the name that stands in the answer. For restart: the model that is served from then on.
    model: Annotated[str, Meta(min_length=1, max_length=200)] = "another-model"
    # Only requests of exactly this path.
    path: str | None = None
    # In a message to /_fault: the server it is for, if not the one that is asked.
    server: str | None = None

    def __post_init__(self) -> None:
        if self.kind == "refuse" and self.path is not None:
            raise ValueError("refuse strikes connections: it takes no path")
        if self.kind == "restart" and (self.path is not None or self.times is not None):
            raise ValueError("restart strikes the whole server: it takes no path and no times")
        if self.kind == "refuse" and self.times is not None and self.seconds is not None:
            raise ValueError("refuse takes times or seconds, not both")

    @property
    def closes_the_door(self) -> bool:
        """Whether the server stops listening, rather than failing some of those who come."""
        return self.kind == "refuse" and self.times is None


NONE = Fault(kind="none")


class Faults:
    """The fault of one server and how many times it may still strike."""

    def __init__(self) -> None:
        self.current = NONE
        self._left: int | None = None

    def set(self, fault: Fault) -> None:
        self.current, self._left = fault, fault.times

    def strikes_connection(self) -> bool:
        """Whether this new connection is refused."""
        if self.current.kind != "refuse":
            return False
        self._strike()
        return True

    def for_request(self, request: Request) -> Fault:
        """The fault that strikes this request: its own header's, else the server's."""
        if own := request.headers.get(HEADER):
            return parse(own)
        fault = self.current
        if fault.kind in ("none", "refuse", "restart") or fault.path not in (None, request.path):
            return NONE
        self._strike()
        return fault

    def _strike(self) -> None:
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self.current = NONE


def parse(text: str) -> Fault:
    """A fault from a header: a bare kind, or the JSON object that /_fault takes. Raises ValidationError."""
    if text.lstrip().startswith("{"):
        return msgspec.json.decode(text, type=Fault)
    return msgspec.convert({"kind": text.strip()}, Fault)


def deaf(fault: Fault, request: Request) -> Request:
    """The request as a server hears it that ignores what it was declared to do."""
    ignored = _IGNORED.get(fault.kind)
    try:
        body = msgspec.json.decode(request.body) if ignored else None
    except ValueError:  # msgspec's and Unicode's errors are ValueErrors
        return request
    if ignored is None or not isinstance(body, dict):
        return request
    kept = {name: value for name, value in body.items() if name not in ignored}
    return msgspec.structs.replace(request, body=msgspec.json.encode(kept))


def canned(fault: Fault, error: Callable[[int, str], Answer]) -> Answer | None:
    """The answer that replaces the real one, for the kinds that do; `error` writes one in the engine's shape."""
    match fault.kind:
        case "status":
            return error(fault.status or 500, "Simulated failure")
        case "html":
            title = b"Sign in" if fault.status is None else b"%d" % fault.status
            return Answer(fault.status or 200, _PAGE % (title, title), "text/html; charset=utf-8")
        case "redirect":
            return Answer(302, b"", None, (("location", "https://login.example.org/"),))
        case "empty":
            return Answer(200, b"")
        case _:
            return None


class FaultyReply(Reply):
    """A reply that goes wrong the way its fault says."""

    def __init__(self, connection: Connection, request: Request, fault: Fault) -> None:
        super().__init__(connection, request)
        self._fault = fault
        self._written = 0
        self._gzip = zlib.compressobj(wbits=31) if fault.kind == "gzip" else None

    def _extra_headers(self) -> Headers:
        return (("content-encoding", "gzip"),) if self._gzip else ()

    def _encode(self, data: bytes, *, last: bool) -> bytes:
        if self._fault.kind == "wrong_model":
            name = msgspec.json.encode(self._fault.model)
            return _MODEL.sub(lambda found: found[1] + name, data)
        if self._fault.kind == "no_usage":
            return _USAGE.sub(rb'"un\1', data)
        if self._fault.kind == "broken_tools":
            return _ARGUMENTS.sub(rb"\1[not JSON ", data)
        if self._gzip is None:
            return data
        return self._gzip.compress(data) + self._gzip.flush(
            zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
        )

    async def _body(self, head: bytes, body: bytes) -> None:
        if self._fault.kind == "half_chunk":
            await self._connection.write(head + body[: len(body) // 2])
            self._end()
        await super()._body(head, body)

    async def _piece(self, data: bytes) -> None:
        if self._fault.kind == "half_chunk" and data:
            await self._connection.write(b"%x\r\n%b" % (len(data), data[: len(data) // 2]))
            self._end()
        await super()._piece(data)

    async def _write(self, data: bytes) -> None:
        if self._fault.kind == "slow":
            await sleep(SLOW_SECONDS if self._fault.seconds is None else self._fault.seconds)
        if self._fault.kind in ("hang", "reset", "close", "garbage", "refuse"):
            passing = data[: self._fault.after_bytes - self._written]
            if len(passing) < len(data):
                await self._break(passing)
        self._written += len(data)
        await super()._write(data)

    async def _break(self, passing: bytes) -> None:
        """Let the last regular bytes pass, then fail; a hang ends when the client leaves."""
        if passing:
            await self._connection.write(passing)
        match self._fault.kind:
            case "hang":
                await Event().wait()
            case "reset" | "refuse":
                self._connection.reset()
                raise Broken
            case "garbage":
                await self._connection.write(GARBAGE)
        self._end()

    def _end(self) -> None:
        self._connection.close()
        raise Broken
