"""Critical models on pages: who declares them, what everybody reads, and what is said before an act."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import escape

from dashboards.live import Shown, event_of
from federation.catalogue.models import AIModel, MinimumService
from federation.catalogue.operations.minimum import end_alarm, open_alarm, set_minimum
from federation.fleet.models import Deployment
from federation.fleet.operations.servers import change_server_state
from federation.journal.models import AuditEvent
from federation.people.models import User
from routing.core.enums import LifecycleStage, ServerState
from routing.dispatch.frames import Load
from routing.dispatch.messages import LoadView, MinimumLoad, ModelLoad
from tests.support.factories import OPERATOR, Cast, make_model
from tests.support.lifecycle import deprecate, retire
from tests.support.load_feed import LoadFeed
from tests.support.pages import signed_in_as

GIVEN: dict[str, Any] = {"servers": 2, "sites": 2, "protected_class": 3, "fallback": "", "seen": 0}
ENGLISH = {"accept-language": "en"}
NO_LOAD = ModelLoad(in_flight=0, waiting=0, available_servers=0)
BELOW = "is below its minimum service"


@pytest.fixture
def model(at_rennes: Deployment, at_reims: Deployment) -> AIModel:
    """Rennes and Reims serve it."""
    return at_rennes.version.model


@pytest.fixture
def critical(model: AIModel) -> AIModel:
    set_minimum(by=OPERATOR, model=model, minimum={"servers": 2, "sites": 2})
    return model


def page(user: User, address: str) -> tuple[int, str]:
    answer = signed_in_as(user).get(address, headers=ENGLISH)
    return answer.status_code, answer.content.decode()


def post(user: User, model: AIModel, **changes: Any) -> tuple[int, str]:
    """Send the form; return the status and the page that follows."""
    form = {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}
    answer = signed_in_as(user).post(f"/minimum/{model.slug}/", form, follow=True, headers=ENGLISH)
    return answer.status_code, answer.content.decode()


def minimum(model: AIModel) -> MinimumService:
    return MinimumService.objects.current_of(model)


def standing(servers: int) -> ModelLoad:
    now = MinimumLoad(
        servers=servers,
        sites=servers,
        least_servers=2,
        least_sites=2,
        is_met=servers >= 2,
        sheds=servers < 2,
        since_ms=5000,
    )
    return ModelLoad(in_flight=0, waiting=0, available_servers=servers, minimum=now)


# To declare


def test_administrators_change_it_auditors_read_it_and_nobody_else_comes_in(
    cast: Cast, model: AIModel
) -> None:
    address = f"/minimum/{model.slug}/"
    seen = {name: page(user, address)[0] for name, user in cast.people().items()}

    assert {name for name, status in seen.items() if status == 200} == {"admin", "auditor"}
    assert 'name="servers"' in page(cast.admin, address)[1]
    assert 'name="servers"' not in page(cast.auditor, address)[1]
    for name, user in cast.people().items():
        if name != "admin":
            assert post(user, model)[0] == 403
    assert not MinimumService.objects.exists()


def test_a_minimum_is_put_in_force_kept_in_versions_and_told_by_the_journal(
    cast: Cast, model: AIModel
) -> None:
    other = make_model("mistral-nemo")

    status, text = post(cast.admin, model, fallback=str(other.pk), protected_class=4)

    assert status == 200
    assert "Version 1 is in force within a second." in text
    row = minimum(model)
    assert (row.number, row.servers, row.sites, row.protected_class) == (1, 2, 2, 4)
    assert (row.fallback, row.set_by) == (other, cast.admin)
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert event.verb == "catalogue.set_minimum"
    assert event.diff["fallback"] == [None, str(other.pk)]


def test_the_same_again_changes_nothing(cast: Cast, critical: AIModel) -> None:
    _status, text = post(cast.admin, critical, seen=1)

    assert "nothing was changed" in text
    assert minimum(critical).number == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"servers": 0}, "greater than or equal to 1"),
        ({"servers": 101}, "less than or equal to 100"),
        ({"servers": "two"}, "Enter a whole number"),
        ({"sites": 3}, "There cannot be more sites than servers."),
        ({"protected_class": 6}, "not one of the available choices"),
        ({"fallback": "nonsense"}, "is not a valid UUID"),
    ],
    ids=["none", "too many", "a word", "more sites", "no class", "no model"],
)
def test_what_cannot_be_is_refused_with_the_reason_and_nothing_is_written(
    cast: Cast, model: AIModel, changes: dict[str, Any], reason: str
) -> None:
    status, text = post(cast.admin, model, **changes)

    assert status == 200
    assert reason in text
    assert not MinimumService.objects.exists()


def test_a_model_is_never_its_own_fallback_at_any_number_of_steps(
    cast: Cast, model: AIModel
) -> None:
    second, third = make_model("mistral-nemo"), make_model("llama-3.1-8b")
    set_minimum(by=OPERATOR, model=second, minimum={"servers": 1, "sites": 1, "fallback": model})
    set_minimum(by=OPERATOR, model=third, minimum={"servers": 1, "sites": 1, "fallback": second})

    for fallback in (model, second, third):
        _status, text = post(cast.admin, model, fallback=str(fallback.pk))
        assert "This could not be accepted" in text
    assert minimum(model).number == 0


def test_a_fallback_is_a_model_in_production(cast: Cast, model: AIModel) -> None:
    retired = retire(make_model("old-one"))

    assert "not one of the available" in post(cast.admin, model, fallback=str(retired.pk))[1]
    with pytest.raises(ValidationError):
        set_minimum(
            by=OPERATOR, model=model, minimum={"servers": 1, "sites": 1, "fallback": retired}
        )


def test_a_fallback_does_not_leave_while_it_is_one(cast: Cast, model: AIModel) -> None:
    fallback = make_model("steady")
    set_minimum(by=OPERATOR, model=model, minimum={"servers": 1, "sites": 1, "fallback": fallback})
    with pytest.raises(ValidationError, match=str(model)):
        deprecate(fallback)

    set_minimum(by=OPERATOR, model=model, minimum={"fallback": None})

    assert deprecate(fallback).stage == LifecycleStage.DEPRECATED


def test_two_tabs_do_not_undo_each_other(cast: Cast, model: AIModel) -> None:
    post(cast.admin, model)

    _status, text = post(cast.admin, model, servers=5, seen=0)

    assert "Somebody else has changed these settings meanwhile" in text
    assert minimum(model).servers == 2


def test_a_minimum_is_given_up_and_the_history_stays(cast: Cast, critical: AIModel) -> None:
    _status, text = post(cast.admin, critical, act="give_up", seen=1)

    assert "no longer critical" in text
    assert not minimum(critical).is_critical
    assert "no minimum" in text
    assert not MinimumService.objects.in_force().exists()


def test_a_retired_model_becomes_critical_no_more(cast: Cast, model: AIModel) -> None:
    retire(model)

    with pytest.raises(ValidationError, match=r"retired|retiré"):
        set_minimum(by=cast.admin, model=model, minimum={"servers": 1, "sites": 1})


def test_episodes_are_shown_with_how_long_they_lasted(cast: Cast, critical: AIModel) -> None:
    now = timezone.now()
    began = now - timedelta(minutes=12)
    least = minimum(critical)
    alarm = open_alarm(by=OPERATOR, minimum=least, began_at=began, servers=1, sites=1)
    end_alarm(by=OPERATOR, alarm=alarm, ended_at=now)
    open_alarm(by=OPERATOR, minimum=least, began_at=now, servers=0, sites=0)

    _status, text = page(cast.auditor, f"/minimum/{critical.slug}/")

    assert "12\xa0minutes" in text
    assert "not over" in text


# To read


def test_everybody_reads_what_a_critical_model_must_have(cast: Cast, critical: AIModel) -> None:
    other = make_model("mistral-nemo")
    set_minimum(by=OPERATOR, model=critical, minimum={"fallback": other})

    _status, text = page(cast.orleans_user, f"/catalogue/{critical.slug}/")
    assert "at least 2 healthy servers" in text
    assert f"/catalogue/{other.slug}/" in text
    assert f"/minimum/{critical.slug}/" not in text
    assert f"/minimum/{critical.slug}/" in page(cast.auditor, f"/catalogue/{critical.slug}/")[1]
    assert "It is the fallback of" in page(cast.orleans_user, f"/catalogue/{other.slug}/")[1]
    assert page(cast.orleans_user, "/catalogue/")[1].count(">critical</span>") == 1


def alert_is_shown(text: str, model: AIModel) -> bool:
    """Say whether a page shows the alert now; True needs it to be there, and not hidden."""
    marker = f'data-live-if="models/{model.pk}/minimum/missing"'
    assert marker in text
    return "hidden" not in text.partition(marker)[2].partition(">")[0]


@pytest.mark.parametrize(("servers", "shown"), [(2, False), (1, True), (0, True)])
def test_pages_say_at_once_that_a_model_is_below(
    cast: Cast, critical: AIModel, feed: LoadFeed, servers: int, shown: bool
) -> None:
    feed.tell(models={critical.pk: standing(servers)})

    for address in ("/", "/servers/", f"/catalogue/{critical.slug}/"):
        assert alert_is_shown(page(cast.admin, address)[1], critical) is shown
    assert alert_is_shown(page(cast.reims_dsi, "/")[1], critical) is shown


def test_the_home_of_others_is_left_in_peace(cast: Cast, critical: AIModel, feed: LoadFeed) -> None:
    feed.tell(models={critical.pk: standing(1)})

    for user in (cast.orleans_user, cast.rennes_user, cast.intruder):
        assert BELOW not in page(user, "/")[1]


def test_the_live_feed_tells_what_is_missing() -> None:
    loads = {"a": standing(1), "b": standing(2), "c": NO_LOAD}
    load = Load(
        incarnation="r1",
        versions={},
        view=LoadView(servers={}, models=loads),
        open_requests=0,
        spool_bytes=0,
    )

    told = json.loads(event_of(load, Shown(frozenset(), frozenset("abc")))[6:])["models"]

    assert told["a"]["minimum"] == {"servers": 1, "sites": 1, "missing": 1}
    assert told["b"]["minimum"]["missing"] is None
    assert told["c"]["minimum"] is None


# Before an act


def test_before_a_server_leaves_its_page_says_what_it_would_break(
    cast: Cast, critical: AIModel, at_rennes: Deployment
) -> None:
    address = f"/servers/{at_rennes.server.pk}/affected/"

    _status, text = page(cast.rennes_dsi, address)

    assert "would be left below its minimum service" in text
    assert "Without this server it has 1 of 2 servers" in " ".join(text.split())
    for step in ("drain", "calendar"):
        assert address in page(cast.rennes_dsi, f"/servers/{at_rennes.server.pk}/{step}/")[1]


def test_nothing_is_said_where_enough_is_left(
    cast: Cast, critical: AIModel, at_rennes: Deployment
) -> None:
    set_minimum(by=OPERATOR, model=critical, minimum={"servers": 1, "sites": 1})
    address = f"/servers/{at_rennes.server.pk}/affected/"
    assert "minimum service" not in page(cast.rennes_dsi, address)[1]

    change_server_state(by=OPERATOR, server=at_rennes.server, state=ServerState.DRAINING)
    set_minimum(by=OPERATOR, model=critical, minimum={"servers": 2, "sites": 2})

    assert "minimum service" not in page(cast.rennes_dsi, address)[1]


def test_a_name_is_written_as_text(cast: Cast, critical: AIModel, feed: LoadFeed) -> None:
    name = "<b>Mistral</b>"
    AIModel.objects.filter(pk=critical.pk).update(display_name=name)
    feed.tell(models={critical.pk: standing(1)})

    for address in ("/", f"/minimum/{critical.slug}/", f"/catalogue/{critical.slug}/"):
        text = page(cast.admin, address)[1]
        assert name not in text
        assert escape(name) in text
