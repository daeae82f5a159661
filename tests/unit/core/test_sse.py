"""Server-sent events as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.sse import data_of, last_event_end, read_object, split_events

lines = st.lists(st.sampled_from([b"data: a", b"data:", b": ping", b"event: x", b"", b"\r"]))
blocks = st.builds(lambda parts, end: end.join(parts), lines, st.sampled_from([b"\n", b"\r\n"]))


@given(blocks)
def test_events_joined_are_the_block_again(block: bytes) -> None:
    assert b"".join(split_events(block)) == block


@given(blocks)
def test_every_event_but_the_last_is_whole(block: bytes) -> None:
    events = split_events(block)
    assert all(last_event_end(event) == len(event) for event in events[:-1])


def test_events_end_at_a_blank_line_of_either_kind() -> None:
    assert split_events(b"data: 1\n\ndata: 2\r\n\r\ndata: 3\n\r\ndata: 4") == [
        b"data: 1\n\n",
        b"data: 2\r\n\r\n",
        b"data: 3\n\r\n",
        b"data: 4",
    ]


def test_a_block_of_many_events_is_gone_through_once() -> None:
    """Looking through the rest for each event would not end."""
    assert len(split_events(b"data: x\n\n" * 800_000)) == 800_000


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b'data: {"a":\r\ndata: 1}\r\n\r\n', b'{"a":\n 1}'),
        (b"event: ping\nid: 3\n\n", None),
        (b": keep-alive\n\n", None),
        (b"event: x\ndata: 1\n\n", b"1"),
        (b"data\n\n", None),
        (b"", None),
    ],
)
def test_data_lines_are_joined_and_other_lines_passed_over(
    event: bytes, data: bytes | None
) -> None:
    assert data_of(event) == data


@pytest.mark.parametrize(
    "data", [b"", b"[DONE]", b"[1]", b"nul", b'{"a":', b"\xff", b'{"a":"\xff"}', b'{"a":' * 100_000]
)
def test_what_is_no_json_object_reads_as_none(data: bytes) -> None:
    assert read_object(data) is None
