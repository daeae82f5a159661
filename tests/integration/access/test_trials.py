"""A model on trial is asked by the keys that were named for it: by whom, and by no way around."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from federation.access.keyring import replace_key
from federation.access.models import ApiKey, Trial
from federation.access.offer import usable_models
from federation.access.operations import change_key, issue_key
from federation.access.trials import end_trial, name_for_trial
from federation.catalogue.models import AIModel
from routing.bridge.table import build_principals
from routing.core.enums import LifecycleStage
from routing.core.table import Principal
from tests.support.factories import (
    Cast,
    make_application,
    make_key,
    make_model,
    serve_model,
)
from tests.support.pages import signed_in_as


@pytest.fixture
def tried(cast: Cast) -> AIModel:
    """On trial, and served by Rennes."""
    model = make_model("tried-8b", stage=LifecycleStage.STAGING)
    serve_model(cast.rennes, model.slug)
    return model


def principal(key: ApiKey) -> Principal:
    found = build_principals(1).by_digest
    return next(each for each in found.values() if each.key_id == str(key.pk))


def test_a_user_binds_no_key_to_a_model_on_trial(cast: Cast, key: ApiKey, tried: AIModel) -> None:
    page = signed_in_as(cast.rennes_user).get("/keys/new/")
    assert "tried-8b" not in page.content.decode()

    for by in (cast.rennes_user, cast.rennes_dsi, cast.admin):
        for act in (
            lambda by: issue_key(by=by, application=key.application, name="sly", models=[tried]),
            lambda by: change_key(by=by, key=key, models=[tried]),
        ):
            with pytest.raises(ValidationError) as refusal:
                act(by)
            assert list(refusal.value.message_dict) == ["models"]


def test_who_hosts_a_model_names_keys_of_its_own_and_the_federation_any(
    cast: Cast, key: ApiKey, tried: AIModel
) -> None:
    others, _text = make_key(make_application(cast.orleans, cast.orleans_user))

    for by in (cast.rennes_user, cast.reims_dsi, cast.auditor):
        with pytest.raises(PermissionDenied):
            name_for_trial(by=by, model=tried, key=key)
    with pytest.raises(PermissionDenied):
        name_for_trial(by=cast.rennes_dsi, model=tried, key=others)
    name_for_trial(by=cast.rennes_dsi, model=tried, key=key)
    name_for_trial(by=cast.admin, model=tried, key=others)

    assert Trial.objects.in_force().count() == 2


def test_a_named_key_keeps_all_it_had_and_its_place_is_taken_with_the_trial(
    cast: Cast, key: ApiKey, tried: AIModel
) -> None:
    name_for_trial(by=cast.admin, model=tried, key=key)
    new, _secret = replace_key(
        by=cast.rennes_user, key=key, old_until=timezone.now() + timedelta(days=1)
    )

    for each in (key, new):
        known = principal(each)
        assert known.models is None
        assert known.trials == (str(tried.pk),)
    assert [model.slug for model in usable_models(new)] == ["tried-8b"]


def test_a_key_bound_to_other_models_may_ask_the_tried_one_besides(
    cast: Cast, tried: AIModel
) -> None:
    other = serve_model(cast.rennes, "other-7b").version.model
    bound, _text = make_key(make_application(cast.rennes, cast.rennes_user), models=[other])

    name_for_trial(by=cast.admin, model=tried, key=bound)

    assert {model.slug for model in usable_models(bound)} == {"other-7b", "tried-8b"}


def test_what_was_named_holds_on_in_production(cast: Cast, tried: AIModel) -> None:
    other = make_model("other-7b")
    bound, _text = make_key(make_application(cast.rennes, cast.rennes_user), models=[other])
    name_for_trial(by=cast.admin, model=tried, key=bound)

    another, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    AIModel.objects.filter(pk=tried.pk).update(stage=LifecycleStage.PRODUCTION)

    assert str(tried.pk) in principal(bound).trials
    with pytest.raises(ValidationError):
        name_for_trial(by=cast.admin, model=tried, key=another)


def test_the_page_names_a_key_and_takes_it_off(cast: Cast, key: ApiKey, tried: AIModel) -> None:
    dsi, address = signed_in_as(cast.rennes_dsi), f"/keys/trials/{tried.pk}/"
    others, _text = make_key(make_application(cast.orleans, cast.orleans_user))

    assert [row.pk for row in dsi.get(address).context["found"]] == [key.pk]
    assert dsi.post(address, {"key": str(others.pk)}).status_code == 404
    dsi.post(address, {"key": "nonsense"})
    dsi.post(address, {"key": str(key.pk)})
    trial = Trial.objects.get()
    assert (trial.key, trial.named_by) == (key, cast.rennes_dsi)
    dsi.post(f"{address}{trial.pk}/end/")

    assert not Trial.objects.in_force().exists()
    assert principal(key).trials == ()


def test_the_page_is_for_the_federation_and_for_who_hosts_the_model(
    cast: Cast, tried: AIModel
) -> None:
    readers = {"admin", "auditor", "rennes_dsi"}

    for name, person in cast.people().items():
        status = signed_in_as(person).get(f"/keys/trials/{tried.pk}/").status_code
        assert status == (200 if name in readers else 403), name


def test_a_trial_is_ended_once(cast: Cast, key: ApiKey, tried: AIModel) -> None:
    trial = name_for_trial(by=cast.admin, model=tried, key=key)
    end_trial(by=cast.admin, trial=trial)

    with pytest.raises(ValidationError):
        end_trial(by=cast.admin, trial=trial)
    name_for_trial(by=cast.admin, model=tried, key=key)
