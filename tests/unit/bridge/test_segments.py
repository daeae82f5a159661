"""The spool's files, without a database."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.bridge import segments
from routing.bridge.segments import find_segments, put_aside, put_line_aside, read_batch
from routing.core.accounting import frame
from tests.support.records import closed, opened


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_a_routers_segments_come_in_the_order_in_which_it_wrote_them(tmp_path: Path) -> None:
    for name in ("b-000002.spool", "a-000010.spool", "a-000009.spool", "b-1000000.spool"):
        (tmp_path / name).touch()

    found = [segment.name for segment in find_segments(tmp_path)]

    assert found == ["a-000009.spool", "a-000010.spool", "b-000002.spool", "b-1000000.spool"]


@pytest.mark.parametrize(
    "name", ["a-000001.damaged", "a-000001.rejected", "a-1.spool", ".spool", "x.spool~", "a-.spool"]
)
def test_what_is_no_segment_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    assert find_segments(tmp_path) == []


def test_a_folder_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    assert find_segments(tmp_path / "spool") == []


def test_lines_are_read_from_where_reading_stopped(tmp_path: Path) -> None:
    first, second = opened(), closed()
    path = write(tmp_path / "s", frame(first), frame(second))

    batch = read_batch(path, len(frame(first)))

    assert [record for _end, record in batch.lines] == [second]
    assert batch.end == path.stat().st_size
    assert (batch.rest, batch.has_more) == (0, False)


@given(cut=st.integers(min_value=0))
def test_a_line_that_is_not_whole_waits_in_the_rest(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    first, second = frame(opened()), frame(closed())
    torn = second[: cut % len(second)]
    path = write(tmp_path_factory.mktemp("torn") / "s", first, torn)

    batch = read_batch(path, 0)

    assert batch.end == len(first)
    assert batch.rest == len(torn)


def test_a_line_of_someone_elses_making_is_as_broken_as_any(tmp_path: Path) -> None:
    import struct
    import zlib

    good, payload = frame(opened()), b"\x93\x01\x02\x03"
    strange = struct.pack(">IIB", len(payload), zlib.crc32(payload), 1) + payload
    path = write(tmp_path / "s", good, strange, good)

    batch = read_batch(path, 0)

    assert batch.end == len(good)
    assert batch.rest == len(strange) + len(good)


def test_a_long_segment_is_read_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_BATCH_BYTES", 2000)
    records = [opened() for _ in range(20)]
    path = write(tmp_path / "s", *map(frame, records))
    read, offset, has_more = [], 0, True

    while has_more:
        batch = read_batch(path, offset)
        read += [record for _end, record in batch.lines]
        offset, has_more = batch.end, batch.has_more

    assert read == records


def test_garbage_longer_than_a_batch_does_not_promise_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_BATCH_BYTES", 100)
    path = write(tmp_path / "s", b"\xff" * 1000)

    batch = read_batch(path, 0)

    assert (batch.lines, batch.rest, batch.has_more) == ([], 1000, False)


def test_a_segment_put_aside_is_no_segment_and_keeps_its_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a-000001.spool", b"broken")
    (segment,) = find_segments(tmp_path)

    kept = put_aside(segment)

    assert find_segments(tmp_path) == []
    assert kept.read_bytes() == b"broken"


def test_lines_put_aside_are_gathered_beside_their_segment(tmp_path: Path) -> None:
    write(tmp_path / "a-000001.spool", b"x")
    (segment,) = find_segments(tmp_path)
    lines = [frame(opened()), frame(closed())]

    kept = {put_line_aside(segment, line) for line in lines}

    assert [path.read_bytes() for path in kept] == [b"".join(lines)]
