"""The spool's way into the database: once each, whatever is torn, repeated, refused or left open."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import Attempt, UsageRecord
from routing.bridge import segments
from routing.bridge.models import SpoolCheckpoint, SpoolOpen
from routing.bridge.spool import Drain
from routing.core.accounting import Record, frame
from routing.core.enums import RequestStatus, UsageSource
from tests.integration.bridge.conftest import Spool
from tests.support.records import attempt, closed, opened, ticked

pytestmark = pytest.mark.django_db
OLD, RUNNING = "0190-old", "0191-running"


def drain(spool: Spool, running: str | None = None) -> None:
    """Drain to the end, as a clerk that has just started."""
    drain = Drain(spool.folder, lambda: running)
    while drain.step():
        pass


def stored() -> dict[str, str]:
    return {str(pk): status for pk, status in UsageRecord.objects.values_list("pk", "status")}


def test_a_request_is_stored_when_its_end_is_read(spool: Spool) -> None:
    request = opened()
    spool.write(RUNNING, request, ticked(request), closed(request))

    drain(spool)

    assert stored() == {request.id: "ok"}
    assert not SpoolOpen.objects.exists()


def test_every_field_arrives_as_it_was_written(spool: Spool) -> None:
    request = opened(
        client_request_id="tab\there \\ back",
        received_at=1_780_000_000.25,
        stream=False,
        priority=5,
    )
    end = closed(
        request,
        status=RequestStatus.SERVER_ERROR,
        http_status=502,
        server_id=str(UUID(int=7)),
        deployment_id=str(UUID(int=8)),
        model_served="mistral\nsmall",
        usage_source=UsageSource.COUNTED,
        error_code="lost",
        attempts=(attempt("connect"), attempt("lost")),
    )
    spool.write(RUNNING, end)

    drain(spool)

    record = UsageRecord.objects.get()
    for field in ("client_request_id", "model_asked", "endpoint", "stream", "priority"):
        assert getattr(record, field) == getattr(request, field)
    for field in ("status", "http_status", "model_served", "usage_source", "error_code"):
        assert getattr(record, field) == getattr(end, field)
    for field in ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens"):
        assert getattr(record, field) == getattr(end, field)
    assert record.received_at.timestamp() == 1_780_000_000.25
    assert record.first_token_at is not None
    assert record.first_token_at.timestamp() == end.first_token_at
    assert record.finished_at.timestamp() == end.finished_at
    assert (str(record.server_id), str(record.deployment_id)) == (end.server_id, end.deployment_id)
    assert record.attempts == 2
    assert list(Attempt.objects.order_by("n").values_list("n", "outcome")) == [
        (1, "connect"),
        (2, "lost"),
    ]


def test_a_running_request_is_remembered_until_its_end_comes(spool: Spool) -> None:
    request = opened()
    spool.write(RUNNING, request)
    drain(spool)
    assert SpoolOpen.objects.get().incarnation == RUNNING

    spool.write(RUNNING, ticked(request), closed(request))
    drain(spool)

    assert stored() == {request.id: "ok"}
    assert not SpoolOpen.objects.exists()


LINES = range(3 * 4)
"""Numbers of the lines of four requests: an opening, a tick, an end, and so on."""


class Reading(NamedTuple):
    """A segment that holds some of the lines, then a torn one, and what the clerk does with it."""

    lines: list[int]
    torn: int
    knows_router: bool
    forgets: bool


READINGS = st.lists(
    st.builds(
        Reading,
        lines=st.lists(st.sampled_from(LINES), max_size=12),
        torn=st.integers(min_value=0, max_value=60),
        knows_router=st.booleans(),
        forgets=st.booleans(),
    ),
    max_size=4,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(readings=READINGS)
def test_any_part_of_a_spool_read_in_any_order_and_again_stores_each_request_once(
    spool: Spool, readings: list[Reading]
) -> None:
    """A restored backup, a forgotten checkpoint, a torn tail: lines come in pieces, twice, and out of order."""
    for path in spool.folder.iterdir():
        path.unlink()
    ends = [closed(attempts=(attempt("connect"), attempt())) for _ in range(4)]
    lines: list[Record] = [line for end in ends for line in (end.opened, ticked(end.opened), end)]
    with nothing_kept():
        for number, reading in enumerate(readings):
            torn = frame(lines[number])[: reading.torn]
            spool.write(f"0190-{number}", *(lines[n] for n in reading.lines), torn)
            drain(spool, RUNNING if reading.knows_router else None)
            if reading.forgets:
                SpoolCheckpoint.objects.all().delete()
        spool.write(RUNNING, *lines)

        drain(spool, RUNNING)

        assert stored().keys() == {end.opened.id for end in ends}
        opened_in_a_piece = {n // 3 for reading in readings for n in reading.lines if n % 3 == 0}
        for number, end in enumerate(ends):
            status = stored()[end.opened.id]
            tried = Attempt.objects.filter(request_id=end.opened.id).count()
            assert (status, tried) == ("ok", 2) or (
                (status, tried) == ("interrupted", 0) and number in opened_in_a_piece
            )
        assert not SpoolOpen.objects.exists()


@pytest.mark.parametrize("seen", ["nothing", "the opening", "a tick"])
def test_what_a_dead_router_left_open_is_accounted_as_interrupted(spool: Spool, seen: str) -> None:
    request = opened(prompt_estimate=33)
    tick = ticked(request, completion_tokens=12)
    spool.write(OLD, request, *([tick] if seen == "a tick" else []))
    spool.write(RUNNING)
    if seen != "nothing":
        drain(spool)

    drain(spool, RUNNING)

    record = UsageRecord.objects.get()
    assert record.status == RequestStatus.INTERRUPTED
    assert record.usage_source == UsageSource.ESTIMATED
    assert (record.prompt_tokens, record.attempts, record.http_status) == (33, 0, 0)
    if seen == "a tick":
        assert record.completion_tokens == 12
        assert str(record.server_id) == tick.server_id
        assert record.finished_at.timestamp() == pytest.approx(tick.at, abs=1e-5)
    else:
        assert record.completion_tokens == 0
        assert record.finished_at == record.received_at
    assert spool.files == [f"{RUNNING}-000001.spool"]


def test_nothing_of_a_router_is_given_up_while_it_is_unknown_which_one_runs(spool: Spool) -> None:
    spool.write(OLD, opened())
    spool.write(RUNNING, opened())

    drain(spool, running=None)

    assert stored() == {}
    assert SpoolOpen.objects.count() == 2
    assert spool.files == [f"{OLD}-000001.spool", f"{RUNNING}-000001.spool"]


def test_a_router_whose_clock_went_back_keeps_its_segments(spool: Spool) -> None:
    earlier_by_name = "0001-running"
    request = opened()
    spool.write(earlier_by_name, request)
    spool.write(OLD, opened())
    drain(spool, earlier_by_name)
    assert spool.files == [f"{earlier_by_name}-000001.spool"]

    spool.write(earlier_by_name, closed(request))
    drain(spool, earlier_by_name)

    assert stored()[request.id] == "ok"


def test_a_router_that_begins_while_the_spool_is_read_is_noticed(spool: Spool) -> None:
    request = opened()
    spool.write(OLD, request)
    answers = iter([OLD, RUNNING])

    def ask() -> str:
        spool.write(RUNNING)
        return next(answers)

    drain = Drain(spool.folder, ask)
    drain.step()
    assert stored() == {}

    drain.step()

    assert stored() == {request.id: "interrupted"}


def test_the_router_is_asked_for_its_name_only_when_another_one_may_have_died(
    spool: Spool,
) -> None:
    asked: list[int] = []
    drain = Drain(spool.folder, lambda: asked.append(1) or RUNNING)  # type: ignore[func-returns-value]
    spool.write(OLD, opened())
    spool.write(RUNNING)

    for _ in range(5):
        spool.write(RUNNING, closed())
        drain.step()

    assert asked == [1]


def test_the_running_routers_requests_are_not_interrupted(spool: Spool) -> None:
    spool.write(RUNNING, opened())

    drain(spool, RUNNING)

    assert stored() == {}
    assert SpoolOpen.objects.count() == 1


def test_open_requests_of_a_router_without_files_are_settled_too(spool: Spool) -> None:
    """The clerk died between the last segment's deletion and the settlement."""
    request = opened()
    spool.write(OLD, request)
    drain(spool)
    spool.path(OLD).unlink()

    drain(spool, RUNNING)

    assert stored() == {request.id: "interrupted"}


def test_a_segment_goes_once_the_router_has_made_the_next(spool: Spool) -> None:
    request = opened()
    spool.write(RUNNING, request, number=1)
    spool.write(RUNNING, closed(request), number=2)

    drain(spool)

    assert stored() == {request.id: "ok"}
    assert spool.files == [f"{RUNNING}-000002.spool"]
    assert list(SpoolCheckpoint.objects.values_list("segment", flat=True)) == spool.files


def test_no_segment_goes_while_a_backup_holds_them(spool: Spool) -> None:
    request = opened()
    spool.write(OLD, request, closed(request))
    files = spool.files

    with segments.held(spool.folder):
        drain(spool, RUNNING)
        assert spool.files == files
        assert stored() == {request.id: "ok"}

    drain(spool, RUNNING)
    assert spool.files == []
    assert not SpoolCheckpoint.objects.exists()


def test_a_damaged_segment_is_put_aside_and_holds_nothing_up(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    before, after, behind = closed(), closed(), closed()
    broken = bytearray(frame(opened()))
    broken[-1] ^= 0xFF
    spool.write(RUNNING, before, bytes(broken), behind, number=1)
    spool.write(RUNNING, after, number=2)

    drain(spool)

    assert stored().keys() == {before.opened.id, after.opened.id}
    assert spool.files == [f"{RUNNING}-000001.damaged", f"{RUNNING}-000002.spool"]
    assert "broken at byte" in caplog.text


def test_a_line_still_being_written_is_waited_for(spool: Spool) -> None:
    end = closed()
    line = frame(end)
    spool.write(RUNNING, line[:40])
    drain(spool, RUNNING)
    assert spool.files == [f"{RUNNING}-000001.spool"]

    spool.write(RUNNING, line[40:])
    drain(spool, RUNNING)

    assert stored() == {end.opened.id: "ok"}


@pytest.mark.parametrize(
    "facts",
    [
        {"http_status": 99_999},
        {"server_id": "no-id"},
        {"finished_at": float("inf")},
        {"finished_at": float("nan")},
        {"finished_at": 1e14},
        {"first_token_at": -1e12},
        {"attempts": (attempt(started_at=float("inf")),)},
    ],
    ids=" ".join,
)
def test_a_line_that_the_database_refuses_is_kept_aside_and_holds_nothing_up(
    spool: Spool, facts: dict[str, Any]
) -> None:
    good = [closed() for _ in range(5)]
    bad = closed(**facts)
    spool.write(RUNNING, *good[:2], bad, *good[2:])

    drain(spool)

    assert stored().keys() == {end.opened.id for end in good}
    assert spool.path(RUNNING).with_suffix(".rejected").read_bytes() == frame(bad)
    assert SpoolCheckpoint.objects.get().offset == spool.path(RUNNING).stat().st_size


@pytest.mark.parametrize("identity", ["no-id", "", f"{UUID(int=1)} {UUID(int=2)}"])
def test_an_opening_with_a_strange_id_is_kept_aside(spool: Spool, identity: str) -> None:
    good = opened()
    spool.write(RUNNING, opened(id=identity), good)

    drain(spool)

    assert [str(row.pk) for row in SpoolOpen.objects.all()] == [good.id]
    assert spool.path(RUNNING).with_suffix(".rejected").exists()


def test_an_open_request_that_cannot_be_accounted_is_told_and_kept(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = opened(key_id="no-id"), opened()
    spool.write(OLD, bad, good)
    spool.write(RUNNING)

    drain(spool, RUNNING)

    assert stored() == {good.id: "interrupted"}
    assert [str(row.pk) for row in SpoolOpen.objects.all()] == [bad.id]
    assert bad.id in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_crash_at_any_statement_loses_nothing_and_doubles_nothing(spool: Spool) -> None:
    """Each statement of the whole way fails once, as when PostgreSQL dies under it; then it is tried again."""
    for failing in itertools.count():
        requests = [opened() for _ in range(3)]
        spool.write(OLD, requests[0], ticked(requests[0]), requests[1], closed(requests[1]))
        spool.write(RUNNING, requests[2], number=1)
        spool.write(RUNNING, closed(requests[2], attempts=(attempt(),)), number=2)
        failure = FailAt(failing)
        with connection.execute_wrapper(failure), suppress(OperationalError):
            drain(spool, RUNNING)

        drain(spool, RUNNING)

        assert stored() == {
            requests[0].id: "interrupted",
            requests[1].id: "ok",
            requests[2].id: "ok",
        }
        assert Attempt.objects.count() == 1
        assert not SpoolOpen.objects.exists()
        assert spool.files == [f"{RUNNING}-000002.spool"]
        spool.path(RUNNING, 2).unlink()
        for rows in (UsageRecord, Attempt, SpoolCheckpoint):
            rows.objects.all().delete()
        if not failure.has_failed:
            break
    assert failing > 10


class FailAt:
    """Fails the statement of this number."""

    def __init__(self, number: int) -> None:
        self.has_failed = False
        self._left = number

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self._left == 0:
            self.has_failed = True
            self._left = -1
            raise OperationalError("the server closed the connection unexpectedly")
        self._left -= 1
        return execute(sql, params, many, context)


@contextmanager
def nothing_kept() -> Iterator[None]:
    """What is written inside is undone at the end: the next round begins with an empty database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_BATCH_BYTES", 4096)
