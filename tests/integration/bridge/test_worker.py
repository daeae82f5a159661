"""A worker begins again after every error, tells what is new, and ends when it is asked to."""

import logging
import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from routing.bridge import worker as worker_module
from routing.bridge.worker import Worker
from tests.support.processes import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = 0x74657374


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(worker_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(worker_module, "BUG_RETRY_SECONDS", 0.01)


def run_until(done: Callable[[], object], work: Callable[[threading.Event], None]) -> None:
    """Let a worker do this until the condition holds, then ask it to end and wait for that."""
    stop = threading.Event()
    worker = Worker("tester", LOCK, work, stop)
    worker.start()
    try:
        wait_for(done, "the work")
    finally:
        stop.set()
        worker.join(20)
    assert not worker.is_alive()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (OperationalError("the server is gone\nmore"), "tester waits: the server is gone"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OperationalError(""), "tester waits: OperationalError"),
    ],
    ids=["database", "disk", "no words"],
)
def test_trouble_is_told_once_in_one_line_and_outlived(
    trouble: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def work(stop: threading.Event) -> None:
        tries.append(1)
        raise trouble

    run_until(lambda: len(tries) > 3, work)

    assert told in caplog.text
    assert "more" not in caplog.text
    warnings = [record for record in caplog.records if record.levelno > logging.INFO]
    assert [record.levelname for record in warnings] == ["WARNING"]
    assert not any(record.exc_info for record in caplog.records)


def test_trouble_after_a_long_calm_is_news_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_module, "CALM_SECONDS", 0.0)
    tries = []

    def work(stop: threading.Event) -> None:
        tries.append(1)
        raise OperationalError("gone")

    run_until(lambda: len(tries) > 2, work)

    assert caplog.text.count("tester waits: gone") > 1


def test_a_bug_is_told_with_its_traceback_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def work(stop: threading.Event) -> None:
        tries.append(1)
        raise ZeroDivisionError

    run_until(lambda: len(tries) > 1, work)

    assert "ZeroDivisionError" in caplog.text


def test_two_workers_with_one_lock_never_work_at_once() -> None:
    at_work, most, rounds = [0], [0], [0]
    guard = threading.Lock()

    def work(stop: threading.Event) -> None:
        with guard:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        stop.wait(0.02)
        with guard:
            at_work[0] -= 1
            rounds[0] += 1

    stop = threading.Event()
    workers = [Worker(f"tester {n}", LOCK, work, stop) for n in range(3)]
    for worker in workers:
        worker.start()
    try:
        wait_for(lambda: rounds[0] > 5, "some rounds")
    finally:
        stop.set()
        for worker in workers:
            worker.join(20)

    assert most == [1]


def test_a_lost_connection_is_replaced_by_another() -> None:
    seen: list[int] = []

    def work(stop: threading.Event) -> None:
        with connection.cursor() as cursor:
            pid = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
            seen.append(pid)
            if len(seen) == 1:
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        stop.wait(5)

    run_until(lambda: len(seen) > 1, work)

    assert seen[0] != seen[1]
