"""What the clerk does by the clock."""

import logging
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from billing.records import partitions
from routing.bridge import upkeep
from routing.bridge.models import RouterProcess, RoutingChange
from routing.bridge.table import read_versions
from routing.bridge.upkeep import Upkeep, forget_the_past

pytestmark = pytest.mark.django_db


def change(section: str, days_ago: int) -> RoutingChange:
    at = timezone.now() - timedelta(days=days_ago)
    return RoutingChange.objects.create(section=section, object_type="t", object_id="1", at=at)


def test_old_changes_go_but_versions_stay() -> None:
    gone, last_of_names = change("names", 20), change("names", 10)
    old_of_servers, last_of_servers = change("servers", 9), change("servers", 1)
    before = read_versions()

    forget_the_past()

    assert set(RoutingChange.objects.all()) == {last_of_names, last_of_servers}
    assert {gone, old_of_servers}.isdisjoint(RoutingChange.objects.all())
    assert read_versions() == before


def test_a_router_that_is_gone_for_a_day_is_forgotten() -> None:
    now = timezone.now()
    for name, hours in (("old", 25), ("gone", 1), ("present", 0)):
        seen_at = now - timedelta(hours=hours)
        RouterProcess.objects.create(incarnation=name, versions={}, seen_at=seen_at)

    forget_the_past()

    assert set(RouterProcess.objects.values_list("pk", flat=True)) == {"gone", "present"}
    assert [router.pk for router in RouterProcess.objects.present()] == ["present"]


def test_months_are_made_ahead_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    Upkeep().step()

    assert caplog.text.count("is made") == 6
    assert partitions.ensure_ahead(timezone.now().date()) == []


@pytest.mark.parametrize(
    ("every_seconds", "expected"),
    [(3600.0, ["upkeep", "look"]), (0.0, ["upkeep", "look", "upkeep", "upkeep"])],
)
def test_it_is_done_when_it_is_due_and_the_accounts_are_looked_at_once_a_day(
    monkeypatch: pytest.MonkeyPatch, every_seconds: float, expected: list[str]
) -> None:
    done: list[str] = []
    monkeypatch.setattr(upkeep, "EVERY_SECONDS", every_seconds)
    monkeypatch.setattr(upkeep, "forget_the_past", lambda: done.append("upkeep"))
    monkeypatch.setattr(upkeep, "complain", lambda period: done.append("look"))
    care = Upkeep()

    for _ in range(3):
        care.step()

    assert done == expected


def test_a_busy_table_is_told_and_left_for_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(today: object) -> list[str]:
        raise OperationalError("canceling statement due to lock timeout\nCONTEXT: …")

    monkeypatch.setattr(partitions, "ensure_ahead", refuse)

    Upkeep().step()

    assert "partitions are made later: canceling statement due to lock timeout" in caplog.text
