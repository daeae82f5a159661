"""The spool's lines: what is written is read, and reading stops where a line is torn or damaged."""

import struct
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.accounting import Attempt, Closed, Opened, Record, Ticked, frame, read_frames
from routing.core.enums import RequestStatus, UsageSource
from tests.support.decisions import an_explanation

OPENED = Opened(
    id="r1",
    client_request_id="",
    key_id="k",
    application_id="a",
    institution_id="orleans",
    model_id="m",
    model_asked="gpt-oss-120b",
    endpoint="chat/completions",
    stream=True,
    priority=3,
    received_at=1.5,
    prompt_estimate=10,
)
TICKED = Ticked(id="r1", server_id="s", first_token_at=2.5, completion_tokens=7, at=3.5)
CLOSED = Closed(
    opened=OPENED,
    status=RequestStatus.OK,
    http_status=200,
    server_id="s",
    deployment_id="d",
    model_served="gpt-oss-120b",
    prompt_tokens=1,
    cached_tokens=0,
    completion_tokens=2,
    reasoning_tokens=0,
    usage_source=UsageSource.SERVER,
    first_token_at=2.5,
    finished_at=4.5,
    attempts=(
        Attempt(
            server_id="s",
            deployment_id="d",
            started_at=1.6,
            outcome="ok",
            ended_at=4.5,
            explanation=an_explanation(waited_ms=90),
        ),
    ),
)
RECORDS: list[Record] = [OPENED, TICKED, CLOSED]
LINES = b"".join(frame(record) for record in RECORDS)
ENDS = [end for end, _ in read_frames(LINES)]


def test_what_is_written_is_read_with_where_each_line_ends() -> None:
    assert [record for _, record in read_frames(LINES)] == RECORDS
    assert ENDS[-1] == len(LINES)


@given(st.integers(0, len(LINES)))
def test_a_torn_tail_is_not_read(length: int) -> None:
    read = [end for end, _ in read_frames(LINES[:length])]
    assert read == [end for end in ENDS if end <= length]


@given(st.integers(0, len(LINES) - 1), st.integers(1, 255))
def test_a_damaged_byte_ends_the_reading_before_its_line(position: int, change: int) -> None:
    damaged = bytearray(LINES)
    damaged[position] ^= change
    whole = [end for end in ENDS if end <= position]
    assert [end for end, _ in read_frames(bytes(damaged))][: len(whole) + 1] == whole


def test_a_line_of_an_earlier_version_is_read_without_what_it_does_not_say() -> None:
    spoken = msgspec.to_builtins(CLOSED) | {"type": "close"}
    del spoken["audio_ms"], spoken["images"]
    for attempt in spoken["attempts"]:
        del attempt["ended_at"], attempt["explanation"]
    payload = msgspec.msgpack.encode(spoken)
    line = struct.pack(">IIB", len(payload), zlib.crc32(payload), 1) + payload

    ((_, read),) = read_frames(line)

    assert isinstance(read, Closed)
    assert (read.audio_ms, read.images) == (0, 0)
    (attempt,) = read.attempts
    assert (attempt.outcome, attempt.ended_at, attempt.explanation) == ("ok", None, None)


def test_a_length_beyond_any_record_is_damage() -> None:
    assert list(read_frames(struct.pack(">IIB", 1 << 31, 0, 1) + b"x" * 100)) == []


def test_a_record_that_no_reader_would_pass_is_not_written() -> None:
    with pytest.raises(ValueError, match="record of"):
        frame(Ticked(id="x" * 70_000, server_id="", first_token_at=None, completion_tokens=0, at=0))
