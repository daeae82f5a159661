"""What a router sees of a server's streams."""

from bench.simulation.signals import Tap
from tests.unit.bench.test_engine import a_request, a_server


def test_nothing_is_told_while_no_stream_is_open() -> None:
    _, server, _ = a_server()
    assert Tap(server).progress(0.5) is None


def test_progress_counts_gaps_between_tokens_and_the_time_they_took() -> None:
    timeline, server, _ = a_server()
    tap, request = Tap(server), a_request(output=1000)
    tap.open(request.id)
    server.submit(request)
    timeline.run(0.5)
    assert request.first_token_at is not None
    tap.first_token(request.id, request.first_token_at)
    told = tap.progress(0.5)
    assert told is not None
    assert told.tokens == server.written_for(request) - 1
    assert told.stream_ms == round((0.5 - request.first_token_at) * 1000)


def test_each_report_covers_the_time_since_the_one_before_also_of_streams_that_ended() -> None:
    _, server, _ = a_server()
    tap = Tap(server)
    for number in (1, 2):
        tap.open(number)
        tap.first_token(number, 1.0)
    tap.progress(2.0)
    tap.close(1, 2.25)
    told = tap.progress(2.5)
    assert told is not None
    assert told.stream_ms == 750
