"""An IT department finds all keys of its institution and revokes several at a time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from federation.access.models import ApiKey
from federation.people.enums import Role
from tests.support.factories import (
    Cast,
    make_application,
    make_key,
    make_user,
)
from tests.support.pages import signed_in_as


def test_an_it_department_finds_its_institution_s_keys_and_revokes_several(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")
    first, second, third = (make_key(application, name=name)[0] for name in ("one", "two", "three"))
    foreign, _text = make_key(make_application(cast.reims, cast.reims_dsi))
    browser = signed_in_as(cast.rennes_dsi)

    listed = browser.get("/keys/institutions/", follow=True)
    ticked = [str(each.pk) for each in (first, second, foreign)] + ["no id"]
    page = browser.post("/keys/institutions/rennes/", {"key": ticked, "reason": "audit"})

    assert listed.redirect_chain == [("/keys/institutions/rennes/", 302)]
    assert all(each.prefix in listed.content.decode() for each in (first, second, third))
    assert foreign.prefix not in listed.content.decode()
    assert page.status_code == 302
    usable = set(ApiKey.objects.usable())
    assert usable == {third, foreign}


@pytest.mark.parametrize("form", [{"reason": ""}, {"reason": "audit"}], ids=["no reason", "no key"])
def test_nothing_is_revoked_without_a_reason_or_without_keys(
    cast: Cast, key: ApiKey, form: dict[str, str]
) -> None:
    ticked = {"key": str(key.pk)} if not form["reason"] else {}

    page = signed_in_as(cast.rennes_dsi).post("/keys/institutions/rennes/", form | ticked)

    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode() or "invalid-feedback" in page.content.decode()
    assert ApiKey.objects.get().is_usable


def test_each_narrowing_shows_what_it_says(cast: Cast) -> None:
    application, now = make_application(cast.rennes, cast.rennes_user, "moodle"), timezone.now()
    names = ("fresh", "forgotten", "ending", "ended")
    made = {name: make_key(application, name=name)[0] for name in names}
    of = {name: ApiKey.objects.filter(pk=key.pk) for name, key in made.items()}
    of["fresh"].update(last_used_on=now.date())
    of["forgotten"].update(
        created_at=now - timedelta(days=400), last_used_on=now.date() - timedelta(days=100)
    )
    of["ending"].update(expires_at=now + timedelta(days=5))
    of["ended"].update(revoked_at=now, revoked_reason="x")
    browser = signed_in_as(cast.rennes_dsi)

    def shown(**query: str) -> set[str]:
        page = browser.get("/keys/institutions/rennes/", query).content.decode()
        return {name for name, key in made.items() if key.prefix in page}

    assert shown() == {"fresh", "forgotten", "ending"}
    assert shown(state="unused") == {"forgotten"}
    assert shown(state="ending") == {"ending"}
    assert shown(state="ended") == {"ended"}
    assert shown(text="MOOD") == {"fresh", "forgotten", "ending"}
    assert shown(text="forgo") == {"forgotten"}
    assert shown(text=cast.rennes_user.email) == {"fresh", "forgotten", "ending"}
    assert shown(text="%") == set()
    assert shown(state="nonsense") == {"fresh", "forgotten", "ending"}


def test_who_oversees_nothing_has_no_such_page_and_finance_only_reads(
    cast: Cast, key: ApiKey
) -> None:
    finance = make_user("finance", Role.MEMBER_FINANCE, cast.rennes)
    page = "/keys/institutions/rennes/"

    assert signed_in_as(cast.rennes_user).get("/keys/institutions/").status_code == 403
    assert signed_in_as(cast.rennes_user).get(page).status_code == 404
    assert signed_in_as(cast.reims_dsi).get(page).status_code == 404
    assert "Révoquer les clés" not in signed_in_as(finance).get(page).content.decode()
    refused = signed_in_as(finance).post(page, {"key": str(key.pk), "reason": "x"})
    assert refused.status_code == 403
    assert ApiKey.objects.get().is_usable
