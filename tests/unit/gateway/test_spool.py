"""Segments: whole lines in order, never a torn one in the middle, and a successor at 8 MB."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from routing.core.accounting import Ticked, read_frames
from routing.gateway import spool as module
from routing.gateway.spool import Spool, SpoolFull

PLENTY = 10**12


def tick(number: int) -> Ticked:
    return Ticked(
        id=str(number), server_id="s", first_token_at=None, completion_tokens=number, at=0.0
    )


def spool_in(folder: Path, free: int = PLENTY) -> Spool:
    return Spool(folder, "incarnation", 1000, lambda _: free)


def numbers(folder: Path) -> list[int]:
    """Return what can be read of the segments, in order."""
    return [
        record.completion_tokens  # type: ignore[union-attr]
        for path in sorted(folder.glob("*.spool"))
        for _, record in read_frames(path.read_bytes())
    ]


def test_lines_are_there_as_soon_as_they_are_written(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)

    for number in range(3):
        spool.write(tick(number))

    assert numbers(tmp_path) == [0, 1, 2]
    spool.close()


def test_a_full_segment_gets_a_successor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 200)
    spool = spool_in(tmp_path)

    for number in range(20):
        spool.write(tick(number))
    spool.close()

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:2] == ["incarnation-000001.spool", "incarnation-000002.spool"]
    assert len(names) > 3
    assert all((tmp_path / name).stat().st_size <= 200 for name in names)
    assert numbers(tmp_path) == list(range(20))


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_a_line_that_did_not_fit_leaves_no_trace_and_is_paid_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    spool = spool_in(tmp_path)
    spool.write(tick(0))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:cut]))

    spool.write(tick(1))
    spool.write(tick(2))

    assert not spool.writable
    with pytest.raises(SpoolFull):
        spool.admit(tick(9))
    assert numbers(tmp_path) == [0]
    monkeypatch.setattr(os, "write", write)
    spool.close()
    assert numbers(tmp_path) == [0, 1, 2]


def test_half_a_line_that_cannot_be_taken_back_hides_none_of_those_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    spool = spool_in(tmp_path)
    spool.write(tick(0))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    monkeypatch.setattr(os, "ftruncate", fail)
    spool.write(tick(1))
    monkeypatch.setattr(os, "write", write)

    spool.write(tick(2))
    spool.close()

    assert numbers(tmp_path) == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 2


def test_without_room_nothing_is_admitted(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, free=999)

    with pytest.raises(SpoolFull):
        spool.admit(tick(0))

    spool.write(tick(1))  # what was admitted before is accounted all the same
    assert numbers(tmp_path) == [1]
    spool.close()


async def test_lines_are_forced_to_the_disk_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    monkeypatch.setattr(module, "SYNC_SECONDS", 0.01)
    monkeypatch.setattr(os, "fdatasync", forced.append)
    spool = spool_in(tmp_path)
    keeping = asyncio.create_task(spool.keep())

    await asyncio.sleep(0.05)
    idle = len(forced)
    spool.write(tick(0))
    async with asyncio.timeout(20):
        while not forced:
            await asyncio.sleep(0.01)

    keeping.cancel()
    assert idle == 0
    spool.close()


def test_two_incarnations_keep_apart(tmp_path: Path) -> None:
    first = Spool(tmp_path, "a", 0, lambda _: PLENTY)
    second = Spool(tmp_path, "b", 0, lambda _: PLENTY)

    first.write(tick(1))
    second.write(tick(2))

    assert numbers(tmp_path) == [1, 2]
    assert sorted(first.segment_sizes()) == sorted(
        path.stat().st_size for path in tmp_path.iterdir()
    )
    first.close()
    second.close()


def test_a_torn_tail_of_a_killed_router_is_where_reading_ends(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.write(tick(0))
    spool.write(tick(1))
    spool.close()
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()

    for cut in range(len(data)):
        whole = [record for _, record in read_frames(data[:cut])]
        assert whole == [tick(0)][: len(whole)]
