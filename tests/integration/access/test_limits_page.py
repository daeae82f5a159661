"""The page of a key's limits: who sees and sets which, and what is written when they are set."""

import pytest
from django.test import Client

from federation.access.models import ApiKey, Limit
from federation.access.operations import set_limit
from federation.journal.models import AuditEvent
from routing.core.enums import Measure
from tests.support.factories import OPERATOR, Cast, make_application, make_key
from tests.support.pages import signed_in_as


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    """A key of the user in Rennes."""
    return make_key(make_application(cast.rennes, cast.rennes_user, "carnet"), name="portable")[0]


def address(key: ApiKey) -> str:
    return f"/keys/{key.pk}/limits/"


def limits() -> dict[str, int]:
    return {f"{row.owner} {row.measure}": row.most for row in Limit.objects.in_force()}


@pytest.mark.parametrize(
    ("who", "buttons"),
    [("rennes_user", 1), ("rennes_dsi", 2), ("admin", 3), ("auditor", 0)],
)
def test_each_level_is_set_from_one_above(cast: Cast, key: ApiKey, who: str, buttons: int) -> None:
    set_limit(by=OPERATOR, owner=cast.rennes, measure=Measure.AT_ONCE, most=4321)

    page = signed_in_as(cast.people()[who]).get(address(key)).content.decode()

    assert page.count('<button class="btn btn-primary"') == buttons
    assert "4321" in page.replace(",", "").replace("\u202f", "").replace("\xa0", "")


@pytest.mark.parametrize("who", ["reims_dsi", "orleans_user", "intruder"])
def test_others_see_nothing(cast: Cast, key: ApiKey, who: str) -> None:
    browser = signed_in_as(cast.people()[who])

    assert browser.get(address(key)).status_code == 404
    assert browser.post(address(key), {"of": "key", "key-requests-per-day": "5"}).status_code == 404
    assert browser.get(f"/usage/limits/{key.pk}/").status_code == 404
    assert not Limit.objects.exists()


def test_a_user_limits_an_own_key_and_lifts_it_again(cast: Cast, key: ApiKey) -> None:
    browser = signed_in_as(cast.rennes_user)
    before = AuditEvent.objects.count()

    browser.post(address(key), {"of": "key", "key-requests-per-minute": "30", "key-threshold": "0"})
    key.refresh_from_db()
    assert (limits(), key.threshold) == ({"portable requests-per-minute": 30}, 0)

    browser.post(address(key), {"of": "key", "key-requests-per-minute": "30", "key-threshold": "0"})
    assert AuditEvent.objects.count() == before + 2, "the same again is no act"

    browser.post(address(key), {"of": "key"})
    key.refresh_from_db()
    assert (limits(), key.threshold) == ({}, None)


@pytest.mark.parametrize("of", ["application", "institution"])
def test_a_user_lifts_no_limit_from_above(cast: Cast, key: ApiKey, of: str) -> None:
    owner = key.application if of == "application" else cast.rennes
    set_limit(by=OPERATOR, owner=owner, measure=Measure.AT_ONCE, most=1)

    answer = signed_in_as(cast.rennes_user).post(address(key), {"of": of})

    assert answer.status_code == 403
    assert len(limits()) == 1


@pytest.mark.parametrize("number", ["0", "-1", "many", "9" * 30])
def test_what_is_no_limit_is_refused_at_its_field(cast: Cast, key: ApiKey, number: str) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(
        address(key), {"of": "application", "application-tokens-per-day": number}
    )

    assert answer.status_code == 200
    assert "id_application-tokens-per-day" in answer.content.decode()
    assert answer.context["changed"].errors.keys() == {"tokens-per-day"}
    assert limits() == {}


def test_a_form_made_before_somebody_else_saved_is_refused(cast: Cast, key: ApiKey) -> None:
    browser = signed_in_as(cast.admin)
    page = browser.get(address(key))
    (seen,) = (
        form["seen"].value() for form, _ in page.context["forms"] if form.owner == cast.rennes
    )
    sent = {"of": "institution", "institution-seen": seen}

    browser.post(address(key), sent | {"institution-requests-per-minute": "2"})
    answer = browser.post(address(key), sent | {"institution-requests-per-day": "1000"})

    assert answer.context["changed"].has_error("__all__", "changed_meanwhile")
    assert limits() == {f"{cast.rennes} requests-per-minute": 2}


def test_a_form_of_nothing_known_changes_nothing(cast: Cast, key: ApiKey) -> None:
    assert signed_in_as(cast.admin).post(address(key), {"of": "planet"}).status_code == 200
    assert limits() == {}


def test_a_visitor_signs_in_first(cast: Cast, key: ApiKey) -> None:
    assert Client().get(address(key)).status_code == 302
