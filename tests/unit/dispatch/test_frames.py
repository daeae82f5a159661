"""Frames on the router's socket."""

import asyncio
import struct

import pytest

from routing.core.conformity import (
    Check,
    ConformityEnd,
    ConformityJob,
    ConformityLine,
    Declaration,
    Finding,
    Line,
    RunKind,
    Verdict,
)
from routing.core.enums import Measure
from routing.core.table import PrincipalsSection
from routing.dispatch.frames import (
    MAX_FRAME,
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
from routing.dispatch.local import LocalDispatcher
from routing.dispatch.messages import Quota
from tests.support.decisions import a_server, a_table

TABLE = a_table([a_server()])
LINE = Line(
    check=Check.DNS,
    verdict=Verdict.FAILED,
    finding=Finding.UNKNOWN_NAME,
    figures={"host": "gpu", "seconds": 0.5, "port": 1},
)


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def frames() -> list[Frame]:
    dispatcher = LocalDispatcher()
    dispatcher.set_table(TABLE)
    versions = TABLE.versions
    return [
        Hello(incarnation="i", versions=versions),
        Subscribe(),
        Load(
            incarnation="i",
            versions=versions,
            view=dispatcher.load(),
            open_requests=1,
            spool_bytes=2,
        ),
        AskQuotas(owners=("a key", "an application")),
        Quotas(by_owner={"a key": {Measure.AT_ONCE: Quota(limit=3, remaining=1, reset_ms=0)}}),
        InForce(section="names", version=3),
        ConformityJob(
            run_id="r",
            attempt=1,
            kind=RunKind.REPLAY,
            server=next(iter(TABLE.servers.servers.values())),
            declared=Declaration(served_name="m"),
        ),
        ConformityLine(run_id="r", attempt=1, line=LINE),
        ConformityEnd(run_id="r", attempt=1),
        TABLE.names,
        TABLE.servers,
        PrincipalsSection(version=1, by_digest={}),
    ]


async def test_every_frame_arrives_as_it_was_sent() -> None:
    sent = frames()
    reader = reader_of(b"".join(encode(frame) for frame in sent))
    assert [await read_frame(reader) for _ in sent] == sent
    assert await read_frame(reader) is None


@pytest.mark.parametrize("length", [2, 5])
async def test_a_frame_cut_short_is_an_error(length: int) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await read_frame(reader_of(encode(Subscribe())[:length]))


async def test_a_frame_too_long_is_not_read() -> None:
    with pytest.raises(ValueError, match="frame of"):
        await read_frame(reader_of(struct.pack(">I", MAX_FRAME + 1)))


@pytest.mark.parametrize("payload", [b"\xc1", b"\x93\x01\x02\x03", b"\x81\xa4type\xa3huh"])
async def test_a_frame_that_is_not_ours_is_an_error(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's own words
        await read_frame(reader_of(struct.pack(">I", len(payload)) + payload))
