"""Readings of meters cut into windows: shared boundaries, gaps, clocks that are set, counters that stand still."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.meters import Sample, read
from routing.core.accounting import Metered, frame, read_frames
from routing.core.enums import MeterFault
from routing.gateway.meters import Cutter, Moment
from tests.support.meters import a_probe

WALL = 1_780_000_000.0


def at(now: float, *, shift: float = 0.0, **facts: object) -> Moment:
    return Moment(now=now, wall=WALL + now + shift, **facts)  # type: ignore[arg-type]


def told(cutter: Cutter, readings: Iterable[tuple[float, float | None]]) -> list[Metered]:
    """Return the windows of readings; None is a meter that cannot be reached."""
    found: list[Metered] = []
    for now, value in readings:
        if value is None:
            found += cutter.miss(MeterFault.UNREACHABLE, at(now))
        else:
            found += cutter.take(value, at(now))
    return found


def spans(windows: Iterable[Metered]) -> list[tuple[float, float, int]]:
    return [(each.start - WALL, each.end - WALL, each.mj) for each in windows]


def test_minutes_share_their_boundary_reading() -> None:
    cutter = Cutter("rennes-1", a_probe())
    readings = [(15.0 * n, 1e9 + 6_000 * 15 * n) for n in range(9)]

    windows = told(cutter, readings)

    assert spans(windows) == [(0, 60, 360_000), (60, 120, 360_000)]
    assert [each.covered_ms for each in windows] == [60_000, 60_000]
    assert list(cutter.end()) == []  # nothing since the last boundary


def test_a_window_is_a_line_of_the_spool() -> None:
    (window, *_) = told(Cutter("rennes-1", a_probe()), [(0, 0), (60, 6_000)])

    assert [record for _, record in read_frames(frame(window))] == [window]


def test_a_meter_that_is_away_for_longer_than_a_minute_leaves_a_window_that_says_so() -> None:
    cutter = Cutter("rennes-1", a_probe())

    windows = told(
        cutter,
        [
            (0, 0),
            (30, 3_000),
            *((45.0 + 15 * n, None) for n in range(6)),
            (140, 900_000),
            (200, 906_000),
        ],
    )

    assert spans(windows) == [(0, 30, 3_000), (30, 105, 0), (105, 140, 0), (140, 200, 6_000)]
    assert [each.faults for each in windows[1:]] == [("unreachable",), ("unreachable",), ()]
    assert [each.covered_ms for each in windows] == [30_000, 0, 0, 60_000]


def test_a_short_silence_is_covered_by_what_the_counter_tells_behind_it() -> None:
    windows = told(Cutter("rennes-1", a_probe()), [(0, 0), (15, None), (30, None), (60, 6_000)])

    assert spans(windows) == [(0, 60, 6_000)]
    assert (windows[0].covered_ms, windows[0].faults) == (60_000, ("unreachable",))


def test_a_meter_that_never_answers_says_why_each_minute() -> None:
    windows = told(Cutter("rennes-1", a_probe()), [(15.0 * n, None) for n in range(9)])

    assert spans(windows) == [(0, 60, 0), (60, 120, 0)]


def test_an_exporter_that_reads_its_devices_every_half_minute_loses_nothing() -> None:
    """700 W of two GPUs by 1050 W: two collections' worth within one reading would be more than they can draw."""
    collected = [1_400_000.0 * 30 * (15 * n // 30) for n in range(21)]

    windows = told(
        Cutter("rennes-1", a_probe(limit_w=2100.0)), [(15.0 * n, collected[n]) for n in range(21)]
    )

    assert {each.faults for each in windows} == {()}
    assert sum(each.mj for each in windows) == 1_400_000 * 300
    assert windows[-1].end - windows[0].start == 300


def test_a_counter_that_never_moves_is_stuck_and_no_proof_of_idleness() -> None:
    windows = told(Cutter("rennes-1", a_probe()), [(15.0 * n, 5.0) for n in range(50)])

    assert [(each.covered_ms, each.mj, each.faults) for each in windows] == [(0, 0, ("stuck",))]


def test_a_clock_that_is_set_moves_the_windows_and_loses_no_energy() -> None:
    cutter = Cutter("rennes-1", a_probe())
    found = list(cutter.take(0, at(0)))
    found += cutter.take(1_000, at(20))
    for now in (40, 60, 80):
        found += cutter.take(50.0 * now, at(now, shift=-3600))
    found += cutter.end()

    assert spans(found) == [(0, 20, 1_000), (20 - 3600, 80 - 3600, 3_000)]
    assert [each.covered_ms for each in found] == [20_000, 60_000]


def test_the_servers_own_tokens_are_those_between_the_boundaries_and_of_a_new_start_what_it_has() -> (
    None
):
    cutter = Cutter("rennes-1", a_probe())
    counts = [(100, 10, 50), (160, 10, 90), (7, 0, 3), (17, 1, 8)]

    found = [
        window
        for n, count in enumerate(counts)
        for window in cutter.take(6_000 * 20.0 * n, at(20.0 * n, tokens=count, mark=40.0 * n))
    ]

    assert found[0].tokens == (60 + 7 + 10, 0 + 0 + 1, 40 + 3 + 5)
    assert found[0].batch_milli == 2_000


def test_a_server_without_a_count_has_none_in_the_window() -> None:
    cutter = Cutter("rennes-1", a_probe())
    list(cutter.take(0, at(0, tokens=(1, 1, 1))))
    (window,) = cutter.take(6_000, at(60))

    assert window.tokens is None


@pytest.mark.parametrize("wrong", [{"unit": "BTU"}, {"scope": "rack"}, {"limit_w": 0.0}])
def test_what_is_no_meter_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"BTU|rack|limit"):
        Cutter("rennes-1", a_probe(**wrong))


READINGS = st.lists(
    st.tuples(
        st.floats(1, 200), st.one_of(st.none(), st.floats(0, 1e6)), st.sampled_from([0, -500, 40])
    ),
    min_size=2,
    max_size=60,
)


@given(readings=READINGS)
def test_no_history_tells_more_than_its_readings_do(
    readings: list[tuple[float, float | None, int]],
) -> None:
    """Windows follow each other by the clock that goes on, and hold no energy that was not read."""
    cutter, now, shift = Cutter("rennes-1", a_probe(limit_w=1e9)), 0.0, 0.0
    windows: list[Metered] = []
    samples: list[Sample] = []
    for pause, value, jump in readings:
        now, shift = now + pause, shift + jump
        moment = at(now, shift=shift)
        if value is None:
            windows += cutter.miss(MeterFault.SILENT, moment)
        else:
            samples.append(Sample(now, value))
            windows += cutter.take(value, moment)
    windows += cutter.end()

    assert sum(each.mj for each in windows) <= read(cutter.meter, samples).mj
    assert all(0 <= each.covered_ms <= (each.end - each.start) * 1000 + 1 for each in windows)
    if not any(jump for _, _, jump in readings):
        assert all(before.end <= after.start + 1e-6 for before, after in pairwise(windows))
