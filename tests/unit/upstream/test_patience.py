"""One timer for all: nobody is given up early, nor for the time that the loop itself was away."""

import asyncio
from collections.abc import Iterator

import pytest

from routing.upstream.patience import LOOK_S, Patience


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is set by hand, and which notes the timers it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 1000.0

    def time(self) -> float:
        return self.at


class Waiting:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired = 0

    def expire(self) -> None:
        self.expired += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    loop = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    yield loop
    loop.close()


def look(clock: Clock, watch: Patience, seconds: float) -> None:
    clock.at += seconds
    watch._look(clock)


def test_silence_is_borne_to_its_end_and_not_much_longer(clock: Clock) -> None:
    watch = Patience()
    waiting = Waiting(watch.until(1.0))
    watch.watch(waiting)
    borne = 0.0
    while not waiting.expired:
        look(clock, watch, LOOK_S)
        borne += LOOK_S
    assert 1.0 <= borne <= 1.0 + 2 * LOOK_S


def test_time_stands_still_while_the_loop_is_blocked(clock: Clock) -> None:
    watch = Patience()
    waiting = Waiting(watch.until(5.0))
    watch.watch(waiting)
    look(clock, watch, 60.0)
    assert waiting.expired == 0
    assert watch.now <= 2 * LOOK_S


def test_one_that_moves_on_is_left_alone(clock: Clock) -> None:
    watch = Patience()
    moving, stuck = Waiting(watch.until(1.0)), Waiting(watch.until(1.0))
    watch.watch(moving)
    watch.watch(stuck)
    for _ in range(20):
        moving.deadline = watch.until(1.0)
        look(clock, watch, LOOK_S)
    assert moving.expired == 0
    assert stuck.expired > 0


def test_the_timer_runs_only_while_there_is_somebody(clock: Clock) -> None:
    watch = Patience()
    waiting = Waiting(watch.until(1.0))
    watch.watch(waiting)
    timer = watch._timer
    assert timer is not None
    watch.forget(waiting)
    assert timer.cancelled()
    assert watch._timer is None


def test_one_that_leaves_while_others_expire_breaks_nothing(clock: Clock) -> None:
    watch = Patience()

    class Leaving(Waiting):
        def expire(self) -> None:
            super().expire()
            watch.forget(self)

    leaving = [Leaving(watch.until(0.0)) for _ in range(3)]
    for each in leaving:
        watch.watch(each)
    while watch._timer is not None:
        look(clock, watch, LOOK_S)
    assert [each.expired for each in leaving] == [1, 1, 1]
