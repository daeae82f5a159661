"""Critical models below their minimum: an episode is noted once, and told once to each whom it concerns."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone
from pytest_django import Settings

from federation.catalogue.models import AIModel, MinimumServiceAlarm
from federation.catalogue.operations.minimum import GIVEN_UP, set_minimum
from federation.fleet.alarms import NEWS
from federation.fleet.models import Deployment
from federation.people import post
from federation.people.enums import Language
from federation.people.models import Mail, User
from routing.bridge.minimums import follow
from routing.dispatch.messages import LoadView, MinimumLoad, ModelLoad
from tests.support.factories import OPERATOR, Cast, serve_model
from tests.support.kept import Kept
from tests.support.post import deliver, recipients

pytestmark = pytest.mark.django_db
BELOW, WELL = 1, 2
LONG, SHORT = 31_000, 29_000


@pytest.fixture
def cast(kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def model(cast: Cast) -> AIModel:
    """Rennes and Reims serve it; it must have both."""
    serve_model(cast.rennes)
    serve_model(cast.reims)
    model = Deployment.objects.all()[0].version.model
    set_minimum(by=OPERATOR, model=model, minimum={"servers": 2, "sites": 2})
    return model


def view(model: AIModel, servers: int, since_ms: int = LONG) -> LoadView:
    minimum = MinimumLoad(
        servers=servers,
        sites=servers,
        least_servers=2,
        least_sites=2,
        is_met=servers >= 2,
        sheds=False,
        since_ms=since_ms,
    )
    load = ModelLoad(in_flight=0, waiting=0, available_servers=servers, minimum=minimum)
    return LoadView(servers={}, models={str(model.pk): load})


def step(*views: LoadView) -> None:
    """Do what the clerk does once a second."""
    follow(views, timezone.now())


def addresses(*people: User) -> list[str]:
    return sorted(person.email for person in people)


def test_an_episode_is_noted_with_its_beginning_and_told_once(cast: Cast, model: AIModel) -> None:
    before = timezone.now()

    for _ in range(3):
        step(view(model, BELOW))

    alarm = MinimumServiceAlarm.objects.get()
    assert before - timedelta(seconds=32) < alarm.began_at < before - timedelta(seconds=30)
    assert (alarm.servers, alarm.sites, alarm.ended_at) == (1, 1, None)
    assert recipients() == addresses(cast.admin, cast.rennes_dsi, cast.reims_dsi)


def test_each_is_told_in_their_language(cast: Cast, model: AIModel) -> None:
    User.objects.filter(pk=cast.admin.pk).update(language=Language.ENGLISH)
    User.objects.filter(pk=cast.rennes_dsi.pk).update(language=Language.FRENCH)

    step(view(model, BELOW))

    by_reader = {letter.to[0]: letter for letter in deliver()}
    english, french = by_reader[cast.admin.email], by_reader[cast.rennes_dsi.email]
    assert "below its minimum service" in english.subject
    assert "Servers: 1 of 2" in english.body
    assert "service minimum" in french.subject
    assert "Serveurs\N{NO-BREAK SPACE}: 1 sur 2" in french.body
    assert f"/catalogue/{model.slug}/" in english.body


def test_an_end_is_told_once_to_those_who_heard_of_the_beginning(
    cast: Cast, model: AIModel
) -> None:
    step(view(model, BELOW))
    deliver()

    for _ in range(3):
        step(view(model, WELL))

    alarm = MinimumServiceAlarm.objects.get()
    assert alarm.ended_at is not None
    letters = deliver()
    assert sorted(letter.to[0] for letter in letters) == addresses(
        cast.admin, cast.rennes_dsi, cast.reims_dsi
    )
    assert all("again" in each.subject or "retrouvé" in each.subject for each in letters)


def test_a_blip_raises_nothing_and_a_short_return_ends_nothing(model: AIModel) -> None:
    step(view(model, BELOW, SHORT))
    assert not MinimumServiceAlarm.objects.exists()

    step(view(model, BELOW))
    step(view(model, WELL, SHORT))

    assert MinimumServiceAlarm.objects.get().ended_at is None


def test_how_long_a_blip_may_be_is_a_setting(model: AIModel, settings: Settings) -> None:
    settings.MINIMUM_ALARM_SECONDS = 60

    step(view(model, BELOW))

    assert not MinimumServiceAlarm.objects.exists()


def test_of_several_routers_one_raises_the_alarm_and_all_end_it(model: AIModel) -> None:
    step(view(model, WELL), view(model, BELOW))
    alarm = MinimumServiceAlarm.objects.get()

    step(view(model, WELL), view(model, BELOW, SHORT))
    alarm.refresh_from_db()
    assert alarm.ended_at is None

    step(view(model, WELL), view(model, WELL))
    alarm.refresh_from_db()
    assert alarm.ended_at is not None


def test_without_a_router_nothing_is_known(model: AIModel) -> None:
    step(view(model, BELOW))

    step()
    step(LoadView(servers={}, models={}))

    assert MinimumServiceAlarm.objects.get().ended_at is None


def test_the_fewest_that_were_seen_are_kept(model: AIModel) -> None:
    for servers in (1, 0, 1):
        step(view(model, servers))

    alarm = MinimumServiceAlarm.objects.get()
    assert (alarm.servers, alarm.sites) == (0, 0)


def test_a_model_that_is_critical_no_more_ends_its_episode(model: AIModel) -> None:
    step(view(model, BELOW))

    set_minimum(by=OPERATOR, model=model, minimum=GIVEN_UP)
    step(view(model, BELOW))

    assert MinimumServiceAlarm.objects.get().ended_at is not None


def test_another_episode_is_another_alarm(model: AIModel) -> None:
    for servers in (BELOW, WELL, BELOW):
        step(view(model, servers))

    assert MinimumServiceAlarm.objects.count() == 2
    assert MinimumServiceAlarm.objects.open().count() == 1


class Killed(BaseException):
    """The process ends here."""


def test_killed_in_the_middle_nothing_is_noted_and_everybody_is_told_once_later(
    cast: Cast, model: AIModel
) -> None:
    told, real = iter([True, True]), post.post

    def until_killed(*arguments: Any, **named: Any) -> bool:
        if next(told, None) is None:
            raise Killed
        return real(*arguments, **named)

    with mock.patch.object(post, "post", until_killed), pytest.raises(Killed):
        step(view(model, BELOW))
    assert not MinimumServiceAlarm.objects.exists()
    assert recipients() == []

    step(view(model, BELOW))

    assert recipients() == addresses(cast.admin, cast.rennes_dsi, cast.reims_dsi)


def test_what_could_not_be_told_for_an_hour_is_no_news_any_more(model: AIModel) -> None:
    step(view(model, BELOW))

    until = {mail.until for mail in Mail.objects.all()}
    Mail.objects.update(until=timezone.now())

    assert all(each and each <= timezone.now() + NEWS for each in until)
    assert recipients() == []
    assert not Mail.objects.exists()


def test_who_has_not_heard_of_the_beginning_hears_nothing_of_the_end(
    cast: Cast, model: AIModel
) -> None:
    step(view(model, BELOW))
    Mail.objects.filter(person=cast.admin).update(next_try_at=timezone.now() + timedelta(minutes=2))
    assert recipients() == addresses(cast.rennes_dsi, cast.reims_dsi)

    step(view(model, WELL))

    assert recipients() == addresses(cast.rennes_dsi, cast.reims_dsi)
    assert not Mail.objects.exists()
    alarm = MinimumServiceAlarm.objects.get()
    assert set(alarm.told_fall) == set(alarm.told_return) == {cast.rennes_dsi.pk, cast.reims_dsi.pk}


def test_who_left_meanwhile_hears_nothing_of_the_end(cast: Cast, model: AIModel) -> None:
    step(view(model, BELOW))
    deliver()
    User.objects.filter(pk=cast.reims_dsi.pk).update(is_active=False)

    step(view(model, WELL))

    assert recipients() == addresses(cast.admin, cast.rennes_dsi)
