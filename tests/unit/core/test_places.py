"""Where those who wait stand, and how long they are told that it will last."""

from hypothesis import given
from hypothesis import strategies as st

from routing.core.request import Ended, Grant, Place
from tests.support.decisions import House, a_server

ONE = a_server("rennes-1", max_parallel=1)


def place(house: House, ticket: str) -> Place:
    found = house.decider.place(ticket, house.clock())
    assert found is not None
    return found


def test_who_does_not_wait_has_no_place() -> None:
    house = House(ONE)
    house.grant("running")

    assert house.decider.place("running", house.clock()) is None
    assert house.decider.place("never heard of", house.clock()) is None


def test_a_higher_class_stands_before_a_lower_one_that_came_first() -> None:
    house = House(ONE)
    house.grant("running")
    house.offer("low", priority=1)
    house.offer("high", priority=5)

    assert [place(house, ticket).position for ticket in ("high", "low")] == [1, 2]
    assert place(house, "low").waiting == 2


def test_institutions_of_a_class_take_turns() -> None:
    house = House(ONE)
    house.grant("running")
    for number in range(5):
        house.offer(f"crowd {number}", institution_id="reims")
    house.offer("alone")

    assert place(house, "alone").position <= 2
    assert place(house, "crowd 1").position == 3
    assert place(house, "crowd 4").position == 6


def test_the_wait_is_nobodys_guess_before_anything_was_served_and_then_follows_the_pace() -> None:
    house = House(ONE)
    running: Grant | None = house.grant("running")
    for number in range(40):
        house.offer(f"t{number}")
    assert place(house, "t39").wait_ms >= 0
    for _ in range(10):  # one each second
        house.clock.advance(1)
        assert running is not None
        ended = Ended(
            id=running.id, attempt=1, outcome="ok", prompt_tokens=10, completion_tokens=250
        )
        running = next(
            (
                each
                for each in house.decider.report(ended, house.clock())
                if isinstance(each, Grant)
            ),
            None,
        )

    assert 20_000 <= place(house, "t39").wait_ms <= 45_000
    assert place(house, "t10").wait_ms < place(house, "t20").wait_ms < place(house, "t39").wait_ms


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["orleans", "reims", "tours"]))),
)
def test_each_place_is_taken_once(crowd: list[tuple[int, str]]) -> None:
    house = House(ONE)
    house.grant("running")
    for number, (priority, institution) in enumerate(crowd):
        house.offer(f"t{number}", priority=priority, institution_id=institution)

    places = [place(house, f"t{number}") for number in range(len(crowd))]

    assert sorted(each.position for each in places) == list(range(1, len(crowd) + 1))
    assert all(each.waiting == len(crowd) for each in places)
    assert all(each.wait_ms >= 0 for each in places)
