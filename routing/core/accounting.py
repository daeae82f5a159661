"""What the router writes down of a request, and the bytes in which it does: the spool's records.

Pure: structs and framing, no file. A line is `u32 length, u32 crc32, u8 version, msgpack`; a torn or damaged
tail ends the reading. No record holds a prompt, an answer, a person's name or an address.
"""

import struct
import zlib
from collections.abc import Iterator

import msgspec

from routing.core.enums import RequestStatus, UsageSource
from routing.core.request import Explanation

VERSION = 1
_PREFIX = struct.Struct(">IIB")
_MAX_RECORD = 64 * 1024


class Opened(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="open"):
    """A request was admitted and is about to be tried. Times are Unix seconds."""

    id: str
    client_request_id: str
    key_id: str
    application_id: str
    institution_id: str
    model_id: str
    model_asked: str
    endpoint: str
    stream: bool
    priority: int
    received_at: float
    prompt_estimate: int
    data_class: tuple[str, ...] = ()
    """The labels that every site had to carry which served it (`routing.core.labels`)."""


class Attempt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One try at one server. `outcome` is `ok` or a code of `routing.core.retry.Failure`.

    What lines of earlier versions do not say has a default.
    """

    server_id: str
    deployment_id: str
    started_at: float
    outcome: str
    ended_at: float | None = None
    explanation: Explanation | None = None


class Ticked(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="tick"):
    """A running stream's count so far, so that a killed router loses little."""

    id: str
    server_id: str
    first_token_at: float | None
    completion_tokens: int
    at: float
    fallback_id: str = ""
    """The model that serves in the place of the one asked for; empty when that one does."""


class Energy(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a request took, as the model of `billing.impact` says; without a figure only the factor set is told.

    mj, low_mj, high_mj  millijoules of the site, most likely, at least, at most
    gpu_mj               millijoules of the GPUs alone, before meters correct it: the weight of the request's work
    gpu_ms               GPUs times milliseconds at the server, shared with those who were there meanwhile
    """

    method: str
    version: int = 0
    mj: int = 0
    low_mj: int = 0
    high_mj: int = 0
    gpu_mj: int = 0
    gpu_ms: int = 0
    batch_milli: int = 0
    pue_milli: int = 0
    factors: str = ""


class Closed(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="close"):
    """How a request ended. Self-sufficient: it repeats what was opened."""

    opened: Opened
    status: RequestStatus
    http_status: int
    server_id: str | None
    deployment_id: str | None
    model_served: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    usage_source: UsageSource
    first_token_at: float | None
    finished_at: float
    attempts: tuple[Attempt, ...]
    error_code: str = ""
    fallback_id: str = ""
    """The model that served in the place of the one asked for; empty when that one did."""
    audio_ms: int = 0
    """Of the sound that was heard; lines of earlier versions have none."""
    images: int = 0
    energy: Energy | None = None
    """None where nothing was answered, and in lines of earlier versions."""

    @property
    def model_id(self) -> str:
        """The model whose servers were asked: what is used, and paid for, is its."""
        return self.fallback_id or self.opened.model_id


class Metered(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="meter"):
    """What a meter told of a server from `start` to `end`, Unix seconds: known once by server and start.

    mj           millijoules, of the `covered_ms` of it that are known
    idle_mw      what all that the meter sees draws without work, milliwatts
    batch_milli  requests that the server worked on at a time, thousandths
    tokens       read, of these found in the cache, and written, by the server's own count; None where it has none
    faults       what was wrong with readings, each once: `billing.impact.meters.Fault`, or `MeterFault`
    """

    server_id: str
    probe_id: str
    scope: str
    start: float
    end: float
    mj: int
    covered_ms: int
    idle_mw: int
    batch_milli: int = 1000
    tokens: tuple[int, int, int] | None = None
    faults: tuple[str, ...] = ()


Record = Opened | Ticked | Closed | Metered
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def frame(record: Record) -> bytes:
    """Return the line for `record`. Raises `ValueError` on one so long that no reader would go past it."""
    payload = _encoder.encode(record)
    if len(payload) > _MAX_RECORD:
        raise ValueError(f"record of {len(payload)} bytes")
    return _PREFIX.pack(len(payload), zlib.crc32(payload), VERSION) + payload


def read_frames(data: bytes | memoryview) -> Iterator[tuple[int, Record]]:
    """Yield (end offset, record) for each whole, undamaged line at the start of `data`.

    Stops silently at the first line that is cut, damaged or of another version: what follows a torn tail
    was never acknowledged. The caller keeps the last offset and comes back when the file has grown.
    """
    view, offset = memoryview(data), 0
    while len(view) - offset >= _PREFIX.size:
        length, checksum, version = _PREFIX.unpack_from(view, offset)
        end = offset + _PREFIX.size + length
        if version != VERSION or length > _MAX_RECORD or end > len(view):
            return
        payload = view[offset + _PREFIX.size : end]
        if zlib.crc32(payload) != checksum:
            return
        yield end, _decoder.decode(payload)
        offset = end
