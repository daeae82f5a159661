"""The clerk as the process that it is: beside a router, a spool and a database, each of which may go."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from psycopg import sql
from psycopg.conninfo import make_conninfo

from billing.ledger.balances import balances
from billing.ledger.balances import findings as ledger_findings
from billing.models import UsageRecord
from billing.records.rollups import LEVELS, wrong_sums
from federation.access.models import ApiKey
from federation.access.operations import revoke_key
from federation.journal.actors import SYSTEM
from federation.members.models import Institution
from routing.bridge.models import RouterProcess, SpoolOpen
from routing.core.table import PrincipalsSection
from tests.integration.billing.market import Market
from tests.integration.bridge.conftest import Spool
from tests.support.database_url import database_url
from tests.support.factories import make_application, make_institution, make_key
from tests.support.fake_router import FakeRouter, listening_aside
from tests.support.processes import wait_for as wait_for_at_most
from tests.support.records import closed, opened

pytestmark = pytest.mark.django_db(transaction=True)
wait_for = partial(wait_for_at_most, seconds=90.0)  # a process starts, beside other tests
ROOT = Path(__file__).resolve().parents[3]
WORKERS = 7
"""Of a clerk: each says when it is at work, and that it waits."""


class Clerk:
    """One `manage.py clerk`; several may use the same folders, as after a hasty restart."""

    def __init__(self, var: Path, run_dir: Path, log: Path) -> None:
        environment = {
            **os.environ,
            "VAR": str(var),
            "RUN_DIR": str(run_dir),
            "DATABASE_URL": database_url(),
            "LOG_LEVEL": "INFO",
        }
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "clerk"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    (tmp_path / "var").mkdir()
    return Spool(tmp_path / "var" / "spool")


@pytest.fixture
def router(socket: Path) -> Iterator[FakeRouter]:
    with listening_aside(FakeRouter("0191-running"), socket) as listening:
        yield listening


@pytest.fixture
def start(spool: Spool, socket: Path, tmp_path: Path) -> Iterator[Callable[[], Clerk]]:
    clerks: list[Clerk] = []

    def start_one() -> Clerk:
        log = tmp_path / f"clerk-{len(clerks)}.log"
        clerks.append(Clerk(spool.folder.parent, socket.parent, log))
        return clerks[-1]

    yield start_one
    for clerk in clerks:
        if clerk.process.poll() is None:
            clerk.end(signal.SIGKILL)


@pytest.fixture
def rennes() -> Institution:
    return make_institution("rennes")


def digests(router: FakeRouter) -> set[str]:
    """Return the keys that the router knows now."""
    known = [s for s in router.sections if isinstance(s, PrincipalsSection)]
    return set(known[-1].by_digest) if known else set()


def statuses() -> dict[str, str]:
    return {str(pk): status for pk, status in UsageRecord.objects.values_list("pk", "status")}


@contextmanager
def closed_database() -> Iterator[None]:
    """Nobody but this test's own connection is let into the database."""
    name = str(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        own = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(make_conninfo(database_url(), dbname="postgres"), autocommit=True) as root:
        root.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        try:
            root.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> %s",
                [name, own],
            )
            yield
        finally:
            root.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


def test_a_key_works_and_ends_as_soon_as_it_is_made_and_revoked(
    start: Callable[[], Clerk], router: FakeRouter, rennes: Institution
) -> None:
    start()
    wait_for(lambda: len(router.versions) == 3, "the whole table")
    key, _text = make_key(make_application(rennes))
    wait_for(lambda: key.digest in digests(router), "the key to be known")

    revoke_key(by=SYSTEM, key=key, reason="leak")

    wait_for(lambda: key.digest not in digests(router), "the key to be forgotten")
    wait_for(
        lambda: RouterProcess.objects.present().filter(versions=router.versions).exists(),
        "what is in force to be written down",
    )


def test_usage_is_stored_and_the_day_of_a_keys_last_use_with_it(
    start: Callable[[], Clerk], router: FakeRouter, rennes: Institution, spool: Spool
) -> None:
    key, _text = make_key(make_application(rennes))
    start()
    end = closed(opened(key_id=str(key.pk)))

    spool.write(router.incarnation, end.opened, end)

    wait_for(lambda: statuses() == {end.opened.id: "ok"}, "the record")
    assert ApiKey.objects.get(pk=key.pk).last_used_on is not None


def test_a_clerk_that_is_killed_and_started_again_stores_and_charges_everything_once(
    start: Callable[[], Clerk], router: FakeRouter, spool: Spool
) -> None:
    market = Market()
    now, served = timezone.now(), market.served[0]
    ends = [market.asked(market.orleans, served, now, audio_ms=n) for n in range(3000)]
    clerk = start()
    for end in ends[:1000]:
        spool.write(router.incarnation, end.opened, end)
    wait_for(lambda: UsageRecord.objects.exists(), "the first records")

    clerk.end(signal.SIGKILL)
    for end in ends[1000:]:
        spool.write(router.incarnation, end.opened, end)
    start()

    wait_for(lambda: UsageRecord.objects.count() == len(ends), "all records")
    assert statuses().keys() == {end.opened.id for end in ends}
    assert not SpoolOpen.objects.exists()
    cost = UsageRecord.objects.aggregate(cost=Sum("cost_nano"))["cost"]
    assert balances()[f"consumer:{market.orleans.pk}"] == -cost < 0
    assert not ledger_findings()
    assert not any(wrong_sums(level) for level in LEVELS)


def test_a_dead_routers_open_requests_are_accounted_once_another_router_runs(
    start: Callable[[], Clerk], socket: Path, spool: Spool
) -> None:
    request = opened()
    spool.write("0190-dead", request)
    start()
    wait_for(lambda: SpoolOpen.objects.exists(), "the opening to be read")

    with listening_aside(FakeRouter("0191-next"), socket):
        wait_for(lambda: statuses() == {request.id: "interrupted"}, "the interruption")


def test_a_second_clerk_waits_and_takes_over(
    start: Callable[[], Clerk], router: FakeRouter, rennes: Institution, spool: Spool
) -> None:
    first = start()
    wait_for(lambda: "drain at work" in first.log, "the first clerk")
    second = start()
    wait_for(lambda: second.log.count("another clerk is at work") == WORKERS, "the second to wait")

    first.end(signal.SIGKILL)

    wait_for(lambda: second.log.count("at work\n") >= 2 * WORKERS, "the second to take over")
    end = closed()
    spool.write(router.incarnation, end)
    wait_for(lambda: statuses() == {end.opened.id: "ok"}, "the record")
    key, _text = make_key(make_application(rennes))
    wait_for(lambda: key.digest in digests(router), "the key to be known")


def test_a_database_that_goes_is_waited_for_without_a_word_per_try(
    start: Callable[[], Clerk], router: FakeRouter, rennes: Institution, spool: Spool
) -> None:
    clerk = start()
    wait_for(lambda: len(router.versions) == 3, "the whole table")
    end = closed()

    with closed_database():
        wait_for(lambda: clerk.log.count("waits: ") >= 2, "both workers to notice")
        spool.write(router.incarnation, end)
    key, _text = make_key(make_application(rennes))

    wait_for(lambda: statuses() == {end.opened.id: "ok"}, "the record")
    wait_for(lambda: key.digest in digests(router), "the key to be known")
    told = [line.partition("worker ")[2] for line in clerk.log.splitlines() if "waits: " in line]
    assert sorted(told) == sorted(set(told))
    assert "Traceback" not in clerk.log


def test_it_ends_when_it_is_asked_to(start: Callable[[], Clerk], router: FakeRouter) -> None:
    clerk = start()
    wait_for(lambda: len(router.versions) == 3, "the whole table")

    assert clerk.end(signal.SIGTERM) == 0
    assert "Traceback" not in clerk.log


def test_it_ends_without_router_and_without_database(start: Callable[[], Clerk]) -> None:
    with closed_database():
        clerk = start()
        wait_for(lambda: clerk.log.count("waits: ") >= 2, "both workers to notice")

        assert clerk.end(signal.SIGINT) == 0
    assert "Traceback" not in clerk.log
