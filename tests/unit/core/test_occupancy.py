"""How many requests a server works on at a time."""

from routing.core.occupancy import CORRECTED_SECONDS, MOST_AT_ONCE, Occupancy


def test_a_request_alone_counts_itself() -> None:
    occupancy = Occupancy()
    mark = occupancy.begin("a", 10.0)

    assert occupancy.mean_milli("a", mark, 10.0, 14.0) == 1000


def test_requests_count_for_as_long_as_they_are_there() -> None:
    occupancy = Occupancy()
    mark = occupancy.begin("a", 0.0)
    occupancy.begin("a", 1.0)
    occupancy.begin("b", 1.0)
    occupancy.begin("a", 2.0)
    occupancy.end("a", 3.0)

    # One for a second, two for one, three for one, two for the last.
    assert occupancy.mean_milli("a", mark, 0.0, 4.0) == 2000


def test_a_servers_own_word_counts_other_peoples_requests_for_a_while() -> None:
    occupancy = Occupancy()
    mark = occupancy.begin("a", 0.0)
    occupancy.hear("a", 5, 0.0)
    occupancy.begin("a", 5.0)

    assert occupancy.mean_milli("a", mark, 0.0, 10.0) == 5500
    stale = occupancy.mean_milli("a", mark, 0.0, 2 * CORRECTED_SECONDS)
    assert stale == round((5 * 5 + 6 * 10 + 2 * 15) / 30 * 1000)


def test_requests_that_wait_inside_a_server_do_not_count() -> None:
    occupancy = Occupancy()
    mark = occupancy.begin("a", 0.0)
    for _ in range(9):
        occupancy.begin("a", 0.0)
    occupancy.hear("a", 4, 0.0)

    assert occupancy.mean_milli("a", mark, 0.0, 2.0) == 4000


def test_a_clock_that_stands_still_or_an_end_too_many_does_no_harm() -> None:
    occupancy = Occupancy()
    mark = occupancy.begin("a", 5.0)
    occupancy.end("a", 5.0)
    occupancy.end("a", 5.0)

    assert occupancy.mean_milli("a", mark, 5.0, 5.0) == 1000
    assert occupancy.mean_milli("a", occupancy.begin("a", 6.0), 6.0, 7.0) == 1000


def test_a_server_is_not_believed_that_it_works_on_millions() -> None:
    occupancy = Occupancy()
    mark = occupancy.begin("a", 0.0)
    occupancy.hear("a", 10**9, 0.0)

    assert occupancy.mean_milli("a", mark, 0.0, 10.0) == MOST_AT_ONCE * 1000
