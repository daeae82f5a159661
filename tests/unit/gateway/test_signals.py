"""What the router's own streams tell of the servers, look by look."""

from routing.dispatch.messages import Progress
from routing.gateway.signals import Listener


class Stream:
    def __init__(self, server_id: str = "rennes-1", count: int = 0) -> None:
        self.hears: tuple[str, int] | None = (server_id, count)


def progress(server_id: str = "rennes-1", **changes: int) -> Progress:
    values = {"tokens": 0, "stream_ms": 0, "silent_ms": 0} | changes
    return Progress(server_id=server_id, **values)


def test_what_came_between_two_looks_is_counted_for_each_server() -> None:
    listener = Listener()
    first, second, other = Stream(count=1), Stream(count=3), Stream("reims-1", 5)
    listener.listen([first, second, other], 10.0)
    first.hears, second.hears, other.hears = ("rennes-1", 11), ("rennes-1", 23), ("reims-1", 6)

    told = listener.listen([first, second, other], 10.5)

    assert told == [
        progress(tokens=30, stream_ms=1000),
        progress("reims-1", tokens=1, stream_ms=500),
    ]


def test_the_time_before_the_first_token_counts_for_nothing() -> None:
    listener, stream = Listener(), Stream()
    assert listener.listen([stream], 10.0) == [progress()]
    stream.hears = ("rennes-1", 4)

    assert listener.listen([stream], 10.5) == [progress()]


def test_silence_lasts_from_the_last_token_of_any_stream() -> None:
    listener, one, another = Listener(), Stream(count=2), Stream(count=2)
    listener.listen([one, another], 10.0)
    another.hears = ("rennes-1", 3)
    listener.listen([one, another], 11.0)

    (told,) = listener.listen([one, another], 14.0)

    assert told.silent_ms == 3000


def test_a_stream_that_goes_on_at_another_server_begins_anew() -> None:
    listener, stream = Listener(), Stream(count=0)
    listener.listen([stream], 10.0)
    stream.hears = ("reims-1", 7)

    assert listener.listen([stream], 12.0) == [progress("reims-1")]


def test_nothing_is_told_when_nobody_listens_and_nothing_is_kept() -> None:
    listener, stream = Listener(), Stream(count=2)
    listener.listen([stream], 10.0)
    stream.hears = None
    assert listener.listen([stream], 20.0) == []
    stream.hears = ("rennes-1", 3)

    (told,) = listener.listen([stream], 30.0)

    assert told.silent_ms == 0
