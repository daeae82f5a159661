"""From trial to the end, on the pages and behind them: what is needed, when, and what two tabs do."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from federation.catalogue.models import AIModel, Alias, StageChange
from federation.catalogue.operations.aliases import add_alias, end_alias, remove_alias
from federation.catalogue.operations.life import (
    deprecate_model,
    put_into_production,
    restore_model,
    retire_model,
)
from federation.catalogue.operations.minimum import Minimum, set_minimum
from federation.catalogue.operations.registering import register_model
from federation.catalogue.readiness import points_of
from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, Deployment
from federation.people.models import User
from routing.core.enums import LifecycleStage
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, Cast, make_model, serve_model
from tests.support.lifecycle import bring_the_day, deprecate, in_days, pass_checks, retire
from tests.support.pages import signed_in_as


def on_trial(model: AIModel) -> AIModel:
    AIModel.objects.filter(pk=model.pk).update(stage=LifecycleStage.STAGING)
    return AIModel.objects.get(pk=model.pk)


def test_a_model_goes_into_production_once_a_server_in_service_has_passed_its_checks(
    cast: Cast, deployment: Deployment, model: AIModel
) -> None:
    tried, admin = on_trial(model), signed_in_as(cast.admin)
    address = f"/lifecycle/models/{model.pk}/production/"

    for state in (None, RunState.FAILED):
        if state:
            pass_checks(deployment.server, state)
        admin.post(address)
        tried.refresh_from_db()
        assert tried.stage == LifecycleStage.STAGING
    pass_checks(deployment.server)
    admin.post(address)

    tried.refresh_from_db()
    assert tried.stage == LifecycleStage.PRODUCTION


def test_the_checks_of_a_servers_other_model_are_no_matter_of_this_one(
    cast: Cast, deployment: Deployment, model: AIModel
) -> None:
    other = serve_model(cast.rennes, "another-7b", url=deployment.server.base_url)
    for looked_at, state in ((deployment, RunState.PASSED), (other, RunState.FAILED)):
        run = pass_checks(deployment.server, state)
        ConformityRun.objects.filter(pk=run.pk).update(deployment=looked_at)

    report = next(point for point in points_of(model) if point.links)

    assert report.is_met
    assert report.links == ((deployment.server.name, f"/servers/{deployment.server_id}/"),)
    page = signed_in_as(cast.admin).get(f"/servers/{deployment.server_id}/").content.decode()
    assert "another-7b" in page
    assert page.count("<option") >= 2


def test_what_is_missing_is_told_point_by_point(cast: Cast) -> None:
    bare = register_model(by=OPERATOR, slug="bare-7b", stage=LifecycleStage.STAGING)

    with pytest.raises(ValidationError) as refusal:
        put_into_production(by=cast.admin, model=bare)

    missing = [point.text for point in points_of(bare) if point.is_needed and not point.is_met]
    assert len(missing) == 3
    assert refusal.value.messages == missing


@pytest.mark.parametrize("days", [-1, 0, 732])
def test_an_end_lies_ahead_and_not_beyond_two_years(model: AIModel, days: int) -> None:
    with pytest.raises(ValidationError) as refusal:
        deprecate(model, days=days)

    assert list(refusal.value.message_dict) == ["retires_on"]


def test_a_successor_is_another_model_in_production(model: AIModel, successor: AIModel) -> None:
    leaving = deprecate(make_model("leaving-7b"))
    for wrong in (model, leaving, make_model("tried-7b", stage=LifecycleStage.STAGING)):
        with pytest.raises(ValidationError) as refusal:
            deprecate(model, successor=wrong)
        assert list(refusal.value.message_dict) == ["successor"]

    deprecate(model, successor=successor)


def test_a_near_end_is_confirmed_first(cast: Cast, model: AIModel) -> None:
    address, admin = f"/lifecycle/models/{model.pk}/deprecation/", signed_in_as(cast.admin)
    near = {"retires_on": in_days(10).isoformat(), "seen": 0}

    asked = admin.post(address, near)
    assert list(asked.context["form"].errors) == ["hurried"]
    assert 'name="hurried"' in asked.content.decode()
    assert 'name="hurried"' not in admin.get(address).content.decode()
    done = admin.post(address, near | {"hurried": "on"})

    model.refresh_from_db()
    assert done.status_code == 302
    assert model.retires_on == in_days(10)


def test_of_two_tabs_that_change_an_end_the_second_is_told(cast: Cast, model: AIModel) -> None:
    deprecate(model)
    address, admin = f"/lifecycle/models/{model.pk}/deprecation/", signed_in_as(cast.admin)
    seen = admin.get(address).context["form"]["seen"].value()

    first = admin.post(address, {"retires_on": in_days(100).isoformat(), "seen": seen})
    second = admin.post(address, {"retires_on": in_days(200).isoformat(), "seen": seen})

    model.refresh_from_db()
    assert (first.status_code, second.status_code) == (302, 200)
    assert model.retires_on == in_days(100)


@pytest.mark.parametrize("days", [200, 10], ids=["far", "near, hence confirmed first"])
def test_of_two_tabs_that_change_an_alias_s_end_the_second_is_told(
    cast: Cast, model: AIModel, days: int
) -> None:
    alias = add_alias(by=OPERATOR, model=model, name="mistral-small")
    address, admin = f"/lifecycle/aliases/{alias.pk}/", signed_in_as(cast.admin)
    seen = admin.get(address).context["seen"]
    in_the_second = {"sunset": in_days(days).isoformat(), "seen": seen}

    first = admin.post(address, {"sunset": in_days(100).isoformat(), "seen": seen})
    second = admin.post(address, in_the_second)
    once_more = {**in_the_second, "seen": second.context["seen"], "hurried": "on"}
    told = admin.post(address, once_more, headers={"accept-language": "fr"})

    alias.refresh_from_db()
    assert (first.status_code, second.status_code, told.status_code) == (302, 200, 200)
    assert "entre-temps" in told.content.decode()
    assert alias.sunset == in_days(100)


def test_a_model_is_not_retired_before_its_day(cast: Cast, model: AIModel) -> None:
    deprecate(model)
    with pytest.raises(ValidationError) as refusal:
        retire_model(by=cast.admin, model=model)
    assert refusal.value.code == "not_yet"

    retire_model(by=cast.admin, model=bring_the_day(model))

    model.refresh_from_db()
    assert model.stage == LifecycleStage.RETIRED


def test_a_model_that_stays_has_no_end_any_more(
    cast: Cast, model: AIModel, successor: AIModel
) -> None:
    deprecate(model, successor=successor)
    admin = signed_in_as(cast.admin)

    admin.post(f"/lifecycle/models/{model.pk}/keep/", {"reason": "Encore utile"})

    model.refresh_from_db()
    assert model.stage == LifecycleStage.PRODUCTION
    assert (model.deprecated_at, model.retires_on, model.successor) == (None, None, None)


def test_the_history_of_a_model_is_kept_as_it_was_written(model: AIModel) -> None:
    step = model.stage_changes.get()

    for change in (
        lambda: StageChange.objects.filter(pk=step.pk).update(after="retired"),
        lambda: StageChange.objects.filter(pk=step.pk).delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_everybody_reads_a_models_history_and_only_the_federation_who_decided(
    cast: Cast, model: AIModel
) -> None:
    deprecate_model(by=cast.admin, model=model, retires_on=in_days(90))
    User.objects.filter(pk=cast.admin.pk).update(name="Anne Le Goff")
    address = f"/catalogue/{model.slug}/"

    for reader, sees_names in ((cast.orleans_user, False), (cast.auditor, True)):
        page = signed_in_as(reader).get(address).content.decode()
        assert 'id="life"' in page
        assert ("Anne Le Goff" in page) == sees_names, reader


@pytest.mark.parametrize("path", ["", "vote/", "adopt/", "deprecation/", "keep/", "retirement/"])
def test_the_pages_of_a_life_are_the_federations(cast: Cast, model: AIModel, path: str) -> None:
    address = f"/lifecycle/models/{model.pk}/{path}"

    for name, person in cast.people().items():
        allowed = {"admin", "auditor"} if path == "" else {"admin"}
        assert signed_in_as(person).get(address).status_code == (200 if name in allowed else 403), (
            name
        )


# Aliases


def test_the_end_of_an_alias_names_who_follows_without_taking_it_for_the_model(cast: Cast) -> None:
    model, successor = make_model("old-7b"), make_model("new-7b")
    alias = add_alias(by=OPERATOR, model=model, name="seven")
    admin, address = signed_in_as(cast.admin), f"/lifecycle/aliases/{alias.pk}/"
    assert "old-7b, le modèle lui-même" in admin.get(address).content.decode()

    AIModel.objects.filter(pk=model.pk).update(
        stage=LifecycleStage.DEPRECATED, retires_on=in_days(90), successor=successor
    )

    page = admin.get(address).content.decode()
    assert "new-7b, qui succède au modèle" in page
    assert "le modèle lui-même" not in page


def test_an_alias_is_given_ended_and_taken_away_and_its_name_is_free_for_its_model(
    cast: Cast, model: AIModel, successor: AIModel
) -> None:
    admin, address = signed_in_as(cast.admin), f"/lifecycle/models/{model.pk}/aliases/"
    admin.post(address, {"name": "mistral-small"})
    alias = Alias.objects.get()
    end: dict[str, Any] = {"sunset": in_days(60).isoformat(), "successor": str(successor.pk)}
    admin.post(f"/lifecycle/aliases/{alias.pk}/", end)
    alias.refresh_from_db()
    assert (alias.sunset, alias.successor) == (in_days(60), successor)
    assert alias.announced_at is not None

    admin.post(f"/lifecycle/aliases/{alias.pk}/remove/")

    with pytest.raises(ValidationError):
        remove_alias(by=cast.admin, alias=alias)
    with pytest.raises(ValidationError):
        add_alias(by=cast.admin, model=successor, name="Mistral-SMALL")
    add_alias(by=cast.admin, model=model, name="Mistral-SMALL")
    assert Alias.objects.in_force().get().model == model


@pytest.mark.parametrize("name", ["Mistral-Small-3.2-24B", "avec espace", "é", "-x", "x" * 129, ""])
def test_a_name_that_is_taken_or_odd_is_refused_beside_it(
    cast: Cast, model: AIModel, name: str
) -> None:
    page = signed_in_as(cast.admin).post(f"/lifecycle/models/{model.pk}/aliases/", {"name": name})

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not Alias.objects.exists()


def test_an_end_that_has_passed_may_stand_while_its_successor_changes(
    cast: Cast, model: AIModel, successor: AIModel
) -> None:
    alias = add_alias(by=OPERATOR, model=model, name="old")
    Alias.objects.update(sunset=in_days(-3), announced_at=timezone.now() - timedelta(days=90))
    alias.refresh_from_db()

    ended = end_alias(by=cast.admin, alias=alias, sunset=alias.sunset, successor=successor)

    assert ended.successor == successor


def test_the_end_of_an_alias_without_a_successor_leads_to_its_own_model(
    cast: Cast, model: AIModel
) -> None:
    alias = add_alias(by=OPERATOR, model=model, name="old")

    ended = end_alias(by=cast.admin, alias=alias, sunset=in_days(60), successor=model)

    assert (ended.successor, ended.instead) == (None, model)
    page = signed_in_as(cast.admin).get(f"/lifecycle/aliases/{alias.pk}/")
    assert f"{model.display_name}, " in page.content.decode()


def test_what_others_are_led_to_is_not_deprecated(
    cast: Cast, model: AIModel, successor: AIModel
) -> None:
    alias = add_alias(by=OPERATOR, model=model, name="old")
    end_alias(by=OPERATOR, alias=alias, sunset=in_days(60), successor=successor)
    with pytest.raises(ValidationError, match="old"):
        deprecate(successor)
    end_alias(by=OPERATOR, alias=alias, sunset=in_days(60))
    deprecate(model, successor=successor)
    with pytest.raises(ValidationError, match=model.display_name):
        deprecate(successor)

    restore_model(by=OPERATOR, model=model, reason="still needed")

    assert deprecate(successor).stage == LifecycleStage.DEPRECATED


def test_the_page_of_an_end_warns_of_a_critical_model(cast: Cast, model: AIModel) -> None:
    admin, address = signed_in_as(cast.admin), f"/lifecycle/models/{model.pk}/deprecation/"
    assert "est critique" not in admin.get(address).content.decode()

    set_minimum(by=OPERATOR, model=model, minimum=Minimum(servers=1, sites=1))

    assert "Ce modèle est critique" in admin.get(address).content.decode()


def test_pages_name_the_last_day_of_a_deprecated_model_and_the_first_on_which_it_is_refused(
    cast: Cast, model: AIModel
) -> None:
    AIModel.objects.filter(pk=deprecate(model).pk).update(retires_on=date(2030, 3, 1))

    for address in (f"/lifecycle/models/{model.pk}/", f"/catalogue/{model.slug}/"):
        shown = signed_in_as(cast.admin).get(address).content.decode()
        assert re.search(r"jusqu’au [^;]*28.février[^;]* inclus.; à partir du [^;]*1", shown), (
            address
        )


@pytest.mark.django_db(transaction=True)
def test_two_models_do_not_follow_each_other_when_deprecated_at_once() -> None:
    one, other, refused = make_model("one-7b"), make_model("other-7b"), []

    def act(model: AIModel, successor: AIModel) -> None:
        try:
            deprecate(model, successor=successor)
        except Exception as refusal:  # noqa: BLE001  # looked at below
            refused.append(refusal)

    at_once([lambda: act(one, other), lambda: act(other, one)])

    assert [type(refusal) for refusal in refused] == [ValidationError]
    assert AIModel.objects.filter(stage=LifecycleStage.DEPRECATED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_model_that_is_deprecated_does_not_become_a_fallback_at_the_same_moment() -> None:
    critical, fallback, refused = make_model("critical-7b"), make_model("other-7b"), []
    minimum = Minimum(servers=1, sites=1, fallback=fallback)

    def act(write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as refusal:  # noqa: BLE001  # looked at below
            refused.append(refusal)

    at_once(
        [
            lambda: act(lambda: deprecate(fallback)),
            lambda: act(lambda: set_minimum(by=OPERATOR, model=critical, minimum=minimum)),
        ]
    )

    assert [type(refusal) for refusal in refused] == [ValidationError]


# The calendar


def test_the_calendar_is_everybodys_and_shows_what_ends_and_has_ended(
    cast: Cast, model: AIModel, successor: AIModel
) -> None:
    deprecate(model, successor=successor)
    gone = make_model("gone-7b")
    retire(gone)
    add_alias(by=OPERATOR, model=successor, name="llama", sunset=in_days(30))
    make_model("secret-7b", stage=LifecycleStage.PROPOSED)

    page = Client().get("/lifecycle/")

    assert page.status_code == 200
    assert [each.name for each in page.context["to_come"]] == ["llama", model.slug]
    assert [each.name for each in page.context["past"]] == ["gone-7b"]
    assert "secret-7b" not in page.content.decode()
