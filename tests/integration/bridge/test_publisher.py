"""The register's changes on their way to the router: at once, together, and even when nobody calls."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.db import connection

from federation.access.operations import revoke_key
from federation.journal.actors import SYSTEM
from federation.members.models import Institution
from routing.bridge import publisher as publisher_module
from routing.bridge.link import Router
from routing.bridge.models import RouterProcess
from routing.bridge.publisher import Publisher
from routing.core.table import PrincipalsSection, Section, section_name
from tests.support.factories import make_application, make_institution, make_key
from tests.support.processes import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class Desk:
    """Takes what is handed over, and says who the router is."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        """What came that was not there before, in order."""
        self.present: Sequence[Section] = ()
        self.router: Router | None = None

    def take(self, sections: Sequence[Section]) -> None:
        self.sections += [each for each in sections if not any(each is old for old in self.present)]
        self.present = sections

    @property
    def names(self) -> list[str]:
        return [section_name(section) for section in self.sections]


@contextmanager
def publishing(desk: Desk) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        try:
            Publisher(desk.take, lambda: desk.router).work(stop)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for(lambda: len(desk.sections) >= 3, "the whole table")
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def rennes() -> Institution:
    return make_institution("rennes")


def test_the_whole_table_comes_first_and_then_what_has_changed(rennes: Institution) -> None:
    desk, application = Desk(), make_application(rennes)
    with publishing(desk):
        make_key(application)

        wait_for(lambda: len(desk.sections) > 3, "the change")

    assert sorted(desk.names[:3]) == ["names", "principals", "servers"]
    assert set(desk.names[3:]) == {"principals"}
    versions = [
        section.version for section in desk.sections if section_name(section) == "principals"
    ]
    assert versions == sorted(set(versions))


def test_a_revoked_key_is_gone_from_what_is_published_next(rennes: Institution) -> None:
    desk, (key, _text) = Desk(), make_key(make_application(rennes))

    def known() -> set[str]:
        last = [s for s in desk.sections if isinstance(s, PrincipalsSection)][-1]
        return set(last.by_digest)

    with publishing(desk):
        assert key.digest in known()

        revoke_key(by=SYSTEM, key=key, reason="leak")

        wait_for(lambda: key.digest not in known(), "the revocation")


def test_a_change_is_found_when_its_notification_is_lost(
    rennes: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(seconds: float) -> bool:
        time.sleep(min(seconds, 0.01))
        return False

    monkeypatch.setattr(publisher_module, "notified", deaf)
    monkeypatch.setattr(publisher_module, "POLL_SECONDS", 0.05)
    desk, application = Desk(), make_application(rennes)
    with publishing(desk):
        make_key(application)

        wait_for(lambda: len(desk.sections) > 3, "the change")


def test_who_no_longer_publishes_leaves_nothing_for_a_router_to_come(rennes: Institution) -> None:
    desk = Desk()
    with publishing(desk):
        assert len(desk.present) == 3

    assert len(desk.present) == 0


def test_a_router_that_another_clerk_told_otherwise_is_told_again(
    rennes: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "POLL_SECONDS", 0.05)
    desk = Desk()
    with publishing(desk):
        ours = {section_name(section): section.version for section in desk.present}
        later = time.time() + 60
        desk.router = Router("r1", ours, later)
        wait_for(lambda: RouterProcess.objects.filter(versions=ours).exists(), "the router")
        assert len(desk.sections) == 3

        desk.router = Router("r1", ours | {"principals": ours["principals"] + 1}, later)
        wait_for(lambda: len(desk.sections) > 3, "the section again")
        desk.router = Router("r1", ours, later)

    assert set(desk.names[3:]) == {"principals"}
    assert {section.version for section in desk.sections[3:]} == {ours["principals"]}


def test_a_router_that_has_not_had_the_time_is_not_told_twice(
    rennes: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "POLL_SECONDS", 0.05)
    desk = Desk()
    desk.router = Router("r1", {}, time.time())
    with publishing(desk):
        make_key(make_application(rennes))
        wait_for(lambda: len(desk.sections) > 3, "the change")
        assert "names" not in desk.names[3:]


def test_what_a_router_runs_is_written_down(rennes: Institution) -> None:
    desk = Desk()
    with publishing(desk):
        desk.router = Router("r1", {"names": 1}, time.time())
        wait_for(lambda: RouterProcess.objects.filter(versions={"names": 1}).exists(), "the router")

        desk.router = Router("r1", {"names": 2}, time.time())
        wait_for(lambda: RouterProcess.objects.filter(versions={"names": 2}).exists(), "its news")

    assert RouterProcess.objects.count() == 1
