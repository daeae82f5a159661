"""When servers are away: planned on a page, carried out by the clock, and whom it concerns."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from federation.fleet import tasks
from federation.fleet.enums import Availability, Days, MaintenanceState
from federation.fleet.models import Deployment, InferenceServer, Maintenance, TechnicalForm
from federation.fleet.operations.runs import conclude_run
from federation.fleet.operations.servers import change_server_state
from federation.fleet.week import OpenHours, is_open
from federation.journal.actors import SYSTEM
from routing.core.enums import ServerState
from tests.integration.federation.world import lined, make_checked, make_form
from tests.support.factories import OPERATOR, Cast, make_site
from tests.support.pages import signed_in_as


def typed(moment: datetime) -> str:
    """Return a moment as a browser sends it."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def state_of(deployment: Deployment) -> str:
    return InferenceServer.objects.get(pk=deployment.server_id).state


def plan(cast: Cast, deployment: Deployment, start: datetime, end: datetime | None = None) -> int:
    sent = {"starts_at": typed(start), "ends_at": typed(end) if end else "", "reason": "courant"}
    browser = signed_in_as(cast.rennes_dsi)
    return browser.post(f"/servers/{deployment.server_id}/calendar/", sent).status_code


def test_a_server_is_away_from_its_date_and_back_at_the_end(
    cast: Cast, deployment: Deployment
) -> None:
    now = timezone.now()
    assert plan(cast, deployment, now + timedelta(hours=1), now + timedelta(hours=3)) == 302
    tasks.follow_calendars()
    assert state_of(deployment) == ServerState.LIVE

    Maintenance.objects.update(starts_at=now - timedelta(minutes=1))
    for _ in range(2):
        tasks.follow_calendars()
    assert state_of(deployment) == ServerState.DRAINING

    Maintenance.objects.update(ends_at=now)
    for _ in range(2):
        tasks.follow_calendars()
    assert state_of(deployment) == ServerState.LIVE
    assert Maintenance.objects.get().state == MaintenanceState.OVER


def test_without_an_end_it_stays_away(cast: Cast, deployment: Deployment) -> None:
    assert plan(cast, deployment, timezone.now() + timedelta(hours=1)) == 302
    Maintenance.objects.update(starts_at=timezone.now())

    tasks.follow_calendars()
    tasks.follow_calendars()

    assert state_of(deployment) == ServerState.DRAINING


def test_a_server_that_somebody_has_moved_meanwhile_is_left_alone(
    cast: Cast, deployment: Deployment
) -> None:
    now = timezone.now()
    plan(cast, deployment, now + timedelta(hours=1), now + timedelta(hours=2))
    Maintenance.objects.update(starts_at=now - timedelta(hours=1))
    tasks.follow_calendars()
    server = InferenceServer.objects.get(pk=deployment.server_id)
    change_server_state(by=OPERATOR, server=server, state=ServerState.SUSPENDED)

    Maintenance.objects.update(ends_at=now)
    tasks.follow_calendars()

    assert state_of(deployment) == ServerState.SUSPENDED


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 1), (3, 3)])
def test_times_that_are_none_are_refused(
    cast: Cast, deployment: Deployment, start: int, end: int
) -> None:
    now = timezone.now()
    hours = (now + timedelta(hours=start), now + timedelta(hours=end))
    assert plan(cast, deployment, *hours) == 200
    assert not Maintenance.objects.exists()


def test_a_server_is_not_away_twice_at_once(cast: Cast, deployment: Deployment) -> None:
    now = timezone.now()
    plan(cast, deployment, now + timedelta(hours=1), now + timedelta(hours=4))

    assert plan(cast, deployment, now + timedelta(hours=3), now + timedelta(hours=5)) == 200
    assert plan(cast, deployment, now + timedelta(hours=4), now + timedelta(hours=5)) == 302


def test_what_has_not_begun_is_called_off(cast: Cast, deployment: Deployment) -> None:
    plan(cast, deployment, timezone.now() + timedelta(hours=1))
    address = f"/servers/calendar/{Maintenance.objects.get().pk}/cancel/"
    assert signed_in_as(cast.reims_dsi).post(address).status_code == 404
    assert signed_in_as(cast.rennes_user).post(address).status_code == 403

    signed_in_as(cast.rennes_dsi).post(address)

    assert Maintenance.objects.get().state == MaintenanceState.CANCELLED


def test_a_server_of_the_night_is_there_at_night(
    cast: Cast, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = make_checked(make_form(cast.rennes, make_site(cast.rennes), deployment.version.model))
    server = form.server
    assert server is not None
    week = [OpenHours(Days.ALL, 20, 24).as_json(), OpenHours(Days.ALL, 0, 8).as_json()]
    TechnicalForm.objects.update(availability=Availability.WEEKLY, week=week)
    InferenceServer.objects.filter(pk=server.pk).update(state=ServerState.LIVE)

    def at(hour: int) -> str:
        moment = datetime(2026, 11, 30, hour - 1, 30, tzinfo=UTC)  # Paris is an hour ahead
        monkeypatch.setattr(timezone, "now", lambda: moment)
        tasks.follow_calendars()
        return InferenceServer.objects.get(pk=server.pk).state

    assert [at(hour) for hour in (7, 8, 12, 19, 20, 23)] == [
        *("live", "draining", "draining", "draining", "live", "live")
    ]


def test_the_hours_of_a_week_are_those_of_paris_in_summer_too() -> None:
    lines = [OpenHours(Days.SATURDAY, 10, 12)]
    assert is_open(lines, datetime(2026, 7, 4, 8, 0, tzinfo=UTC))
    assert not is_open(lines, datetime(2026, 7, 4, 10, 0, tzinfo=UTC))
    assert not is_open(lines, datetime(2026, 7, 5, 8, 0, tzinfo=UTC))


def test_draining_now_asks_first_and_is_undone(cast: Cast, deployment: Deployment) -> None:
    browser, address = signed_in_as(cast.rennes_dsi), f"/servers/{deployment.server_id}/"
    assert "/affected/" in browser.get(f"{address}drain/").content.decode()
    assert state_of(deployment) == ServerState.LIVE

    browser.post(f"{address}drain/")
    assert state_of(deployment) == ServerState.DRAINING
    browser.post(f"{address}resume/")
    assert state_of(deployment) == ServerState.LIVE


def test_retiring_is_for_good(cast: Cast, deployment: Deployment) -> None:
    browser, address = signed_in_as(cast.rennes_dsi), f"/servers/{deployment.server_id}/"
    browser.post(f"{address}drain/")
    browser.post(f"{address}retire/")

    assert state_of(deployment) == ServerState.RETIRED
    assert browser.get(address).status_code == 200


def test_another_key_takes_the_place_of_the_old_and_is_tried(
    cast: Cast, deployment: Deployment
) -> None:
    browser, address = signed_in_as(cast.rennes_dsi), f"/servers/{deployment.server_id}/key/"
    assert browser.post(address, {"key": ""}).status_code == 200

    answer = browser.post(address, {"key": "sk-another"})

    assert answer.status_code == 302
    server = InferenceServer.objects.get(pk=deployment.server_id)
    run = server.runs.open().get()
    assert run.tries_key
    conclude_run(by=SYSTEM, run=lined(run))
    assert server.credentials.current().count() == 1
    assert "sk-another" not in browser.get(f"/servers/{server.pk}/").content.decode()
