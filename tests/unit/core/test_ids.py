"""UUIDv7: ordered by time, bounded by month, random for the rest."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from routing.core.ids import uuid7, uuid7_floor, uuid7_of, uuid7_time

moments = st.datetimes(datetime(1970, 1, 2), datetime(3000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_a_new_id_is_of_version_7_and_of_now() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before <= uuid7_time(made) <= datetime.now(UTC)


def test_ids_never_repeat() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000


@given(moments, st.binary(min_size=10))
def test_an_id_of_a_moment_and_a_digest_is_always_the_same(moment: datetime, told: bytes) -> None:
    made = uuid7_of(moment, told)
    assert made == uuid7_of(moment, told)
    assert abs(uuid7_time(made) - moment) <= timedelta(milliseconds=1)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made != uuid7_of(moment, told[:9] + bytes([told[9] ^ 1]))


@given(moments)
def test_the_floor_holds_its_moment_and_is_below_every_id_of_it(moment: datetime) -> None:
    floor = uuid7_floor(moment)
    assert abs(uuid7_time(floor) - moment) <= timedelta(milliseconds=1)
    assert floor.int & ((1 << 62) - 1) == 0
    assert floor.version == 7


@given(moments, st.integers(1, 10**9))
def test_floors_are_ordered_as_their_moments(moment: datetime, milliseconds: int) -> None:
    assert uuid7_floor(moment) < uuid7_floor(moment + timedelta(milliseconds=milliseconds + 1))
