"""Frames between the router and those beside it (clerk, portal) on one unix socket.

A frame is a u32 big-endian length and the msgpack of one tagged struct. The router listens; each side may
come and go: the router serves from its last table, the others reconnect.
"""

import asyncio
import struct

import msgspec

from routing.core.conformity import ConformityEnd, ConformityJob, ConformityLine
from routing.core.enums import Measure
from routing.core.pricing import Standings
from routing.core.stops import Stop
from routing.core.table import NamesSection, PrincipalsSection, ServersSection
from routing.dispatch.messages import LoadView, Quota

ROUTER_SOCKET = "router.sock"
"""In `RUN_DIR`: where the router listens."""
MAX_FRAME = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """Router → peer, first frame: who it is and which table versions it holds."""

    incarnation: str
    versions: dict[str, int]


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, tag="subscribe"):
    """Peer → router: send `Load` every `interval_ms` (at least 200)."""

    interval_ms: int = 500


class MeterReading(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The last reading of a server's meter, at a moment in Unix seconds.

    `value` is the metric's, None where it could not be read for `fault`; `watts` what that comes to, None before two
    readings of a counter, or where they do not go together.
    """

    server_id: str
    probe_id: str
    at: float
    value: float | None = None
    watts: float | None = None
    fault: str = ""


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """Router → subscriber."""

    incarnation: str
    versions: dict[str, int]
    view: LoadView
    open_requests: int
    spool_bytes: int
    stops: tuple[Stop, ...] = ()
    """What operators have stopped."""
    meters: tuple[MeterReading, ...] = ()


class AskQuotas(msgspec.Struct, frozen=True, kw_only=True, tag="ask_quotas"):
    """Peer → router: what is left to these keys, applications and institutions?"""

    owners: tuple[str, ...]


class Quotas(msgspec.Struct, frozen=True, kw_only=True, tag="quotas"):
    """Router → who asked: what is left of each limit; nothing about who has none."""

    by_owner: dict[str, dict[Measure, Quota]]


class AskBudgets(msgspec.Struct, frozen=True, kw_only=True, tag="ask_budgets"):
    """Router → clerk: somebody waits for these budgets, up to so much (0 where nothing was heard of one yet)."""

    needs: dict[str, int]


class InForce(msgspec.Struct, frozen=True, kw_only=True, tag="in_force"):
    """Router → clerk: the section is decided from since now."""

    section: str
    version: int


Frame = (
    Hello
    | Subscribe
    | Load
    | AskQuotas
    | Quotas
    | AskBudgets
    | Standings
    | InForce
    | ConformityJob
    | ConformityLine
    | ConformityEnd
    | PrincipalsSection
    | NamesSection
    | ServersSection
)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """Return `frame` with its length in front."""
    payload = _encoder.encode(frame)
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next frame, or None when the peer has closed between two frames.

    Raises `asyncio.IncompleteReadError` inside a frame, `ValueError` on one too large or not ours.
    """
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    except asyncio.IncompleteReadError as cut:
        if cut.partial:
            raise
        return None
    if length > MAX_FRAME:
        raise ValueError(f"frame of {length} bytes")
    frame: Frame = _decoder.decode(await reader.readexactly(length))
    return frame
