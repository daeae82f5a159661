"""Budgets on pages: set, changed and ended by whom they concern, and nothing of others."""

from typing import Any

import pytest

from billing.models import Budget
from billing.records import intake
from tests.integration.billing.conftest import used
from tests.integration.billing.test_budgets import a_budget, a_key, cast
from tests.support.factories import Cast, make_application
from tests.support.pages import plain_static, signed_in_as

__all__ = ["cast", "plain_static"]
pytestmark = pytest.mark.django_db


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_who_manages_an_application_sets_changes_and_ends_its_budget_on_pages(
    cast: Cast, plain_static: None
) -> None:
    application = make_application(cast.orleans, owner=cast.orleans_user, name="essais")
    key = a_key(application)
    browser = signed_in_as(cast.orleans_user)
    asked = {
        "owner": f"application:{application.pk}",
        "amount": "12.50",
        "unit": "nano-euros",
        "window": "month",
        "kind": "hard",
        "name": "cours de février",
    }

    page = browser.post("/budgets/new/", asked, follow=True)

    budget = Budget.objects.get()
    assert (budget.most, budget.scope_id, budget.set_by) == (
        12_500_000_000,
        application.pk,
        cast.orleans_user,
    )
    assert "12,50" in text_of(page)
    assert "cours de février" in text_of(browser.get("/budgets/"))
    browser.post(f"/budgets/{budget.pk}/", {"amount": "20", "kind": "soft", "name": ""})
    budget.refresh_from_db()
    assert (budget.most, budget.hard) == (20_000_000_000, False)
    browser.post(f"/budgets/{budget.pk}/end/")
    budget.refresh_from_db()
    assert budget.ended_at is not None
    assert key.application_id == application.pk


def test_a_page_asks_again_when_a_budget_is_used_up_already(cast: Cast, plain_static: None) -> None:
    application = make_application(cast.orleans, owner=cast.orleans_user)
    key = a_key(application)
    intake.store([used(key) for _ in range(3)])
    browser = signed_in_as(cast.orleans_user)
    asked = {
        "owner": f"key:{key.pk}",
        "amount": "2",
        "unit": "requests",
        "window": "year",
        "kind": "hard",
        "name": "",
    }

    page = browser.post("/budgets/new/", asked)
    assert "knowingly" in page.content.decode()
    assert not Budget.objects.exists()
    browser.post("/budgets/new/", {**asked, "knowingly": "on"})

    assert Budget.objects.get().most == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "1.5"},
        {"amount": "1e30"},
        {"amount": "NaN"},
        {"owner": "federation:00000000-0000-0000-0000-000000000000"},
        {"owner": "key:nonsense"},
        {"unit": "kilos"},
        {"window": "hour"},
        {"kind": "other"},
    ],
)
def test_what_cannot_be_is_told_and_not_set(
    cast: Cast, plain_static: None, fields: dict[str, str]
) -> None:
    application = make_application(cast.orleans, owner=cast.orleans_user)
    asked = {
        "owner": f"application:{application.pk}",
        "amount": "5",
        "unit": "requests",
        "window": "month",
        "kind": "hard",
        "name": "",
    }

    page = signed_in_as(cast.orleans_user).post("/budgets/new/", {**asked, **fields})

    assert page.status_code == 200
    assert "1E-9" not in str(page.context["form"].errors)
    assert not Budget.objects.exists()


def test_a_budget_of_others_is_not_there(cast: Cast, plain_static: None) -> None:
    budget = a_budget(a_key(make_application(cast.orleans, owner=cast.orleans_user)))
    browser = signed_in_as(cast.rennes_user)

    assert browser.get(f"/budgets/{budget.pk}/").status_code == 404
    assert browser.post(f"/budgets/{budget.pk}/end/").status_code == 404
    assert str(budget.pk) not in browser.get("/budgets/").content.decode()
