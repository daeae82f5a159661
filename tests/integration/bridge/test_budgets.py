"""What the clerk grants of budgets: in the database first, by what is used, anew once a dead router's end is stored."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.budgeting.windows import HOUR
from billing.enums import BudgetWindow
from billing.models import Budget, BudgetGrant, BudgetHour, PriceVersion
from billing.operations.budgets import change_budget, end_budget, set_budget
from federation.access.models import ApiKey
from routing.bridge.budgets import SLICES, Grants, Linked, grant_for, publish_begun_prices
from routing.bridge.models import RoutingChange, SpoolOpen
from routing.bridge.segments import held
from routing.bridge.spool import Drain
from routing.bridge.table import build_names, build_principals
from routing.core.accounting import Closed, Opened
from routing.core.budgets import Budgets
from routing.core.enums import BudgetUnit
from routing.core.ids import uuid7
from routing.core.pricing import Standing, Standings
from routing.core.table import FEDERATION
from routing.dispatch.frames import AskBudgets
from tests.integration.bridge.conftest import Spool
from tests.support.factories import (
    OPERATOR,
    make_application,
    make_institution,
    make_key,
    serve_model,
)
from tests.support.records import closed, opened

pytestmark = pytest.mark.django_db
OLD, NEW = "0190-old", "0191-new"


class Told:
    """A clerk's part, with the router that it speaks to and what it has said."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.heard: list[Standings] = []
        self.linked: Linked | None = Linked("c1", OLD)
        self.begin()

    def begin(self) -> None:
        """Begin again, as a clerk does after `kill -9`."""
        self.grants = Grants(self.heard.append, lambda: self.linked, self.spool.folder)

    def step(self) -> list[Standing]:
        """Make one turn; return what was said in it."""
        self.heard.clear()
        self.grants.step()
        return [each for said in self.heard for each in said.each]

    def need(self, budget: Budget, amount: int) -> Standing:
        self.heard.clear()
        self.grants.hear(AskBudgets(needs={str(budget.pk): amount}))
        self.grants._listen()
        self.grants.step()
        return self.heard[-1].each[-1]

    def drain(self, running: str) -> None:
        drain = Drain(self.spool.folder, lambda: running)
        while drain.step():
            pass


@pytest.fixture
def told(spool: Spool) -> Told:
    return Told(spool)


@pytest.fixture
def key() -> ApiKey:
    return make_key(make_application(make_institution("orleans", is_contributor=False)))[0]


def a_budget(owner: Any, most: int = 80, **facts: Any) -> Budget:
    known: dict[str, Any] = {
        "by": OPERATOR,
        "owner": owner,
        "unit": BudgetUnit.REQUESTS,
        "most": most,
        "window": BudgetWindow.DAY,
    }
    return set_budget(**known | facts)


def ask(key: ApiKey) -> Opened:
    return opened(
        key_id=str(key.pk),
        application_id=str(key.application_id),
        institution_id=str(key.application.institution_id),
    )


def requests(key: ApiKey, count: int) -> list[Closed]:
    return [closed(ask(key)) for _ in range(count)]


def granted(budget: Budget) -> int:
    return BudgetGrant.objects.get(budget=budget).granted


def test_a_router_is_granted_a_slice_and_hears_it_once(told: Told, key: ApiKey) -> None:
    budget = a_budget(key)

    (standing,) = told.step()

    assert (standing.spent, standing.granted, standing.limit) == (0, 80 // SLICES, 80)
    assert granted(budget) == 80 // SLICES
    assert told.step() == []


def test_what_is_asked_for_is_granted_up_to_the_limit(told: Told, key: ApiKey) -> None:
    budget = a_budget(key)
    told.step()

    assert told.need(budget, 33).granted == 33
    assert told.need(budget, 20).granted == 33
    assert told.need(budget, 999).granted == 80


def test_a_grant_is_in_the_database_before_the_router_hears_of_it(told: Told, key: ApiKey) -> None:
    budget = a_budget(key)
    seen: list[int] = []
    told.grants = Grants(
        lambda said: seen.append(granted(budget) - said.each[0].granted),
        lambda: told.linked,
        told.spool.folder,
    )

    told.grants.step()

    assert seen == [0]


def test_a_clerk_that_was_killed_goes_on_from_what_was_granted(told: Told, key: ApiKey) -> None:
    budget = a_budget(key)
    told.need(budget, 50)

    told.begin()
    (standing,) = told.step()

    assert standing.granted == granted(budget) == 50


def test_what_is_stored_is_told_with_the_place_up_to_which_it_is(told: Told, key: ApiKey) -> None:
    budget = a_budget(key)
    path = told.spool.write(OLD, *requests(key, 3))
    told.drain(OLD)

    (standing,) = told.step()

    assert standing.spent == 3
    assert told.heard[-1].position == (1, path.stat().st_size)
    assert standing.granted == 3 + -(-77 // SLICES) == granted(budget)


def test_a_new_router_hears_nothing_before_the_dead_ones_end_is_stored(
    told: Told, key: ApiKey
) -> None:
    budget = a_budget(key)
    told.need(budget, 80)
    begun = ask(key)
    told.spool.write(OLD, *requests(key, 5), begun)
    told.linked = Linked("c2", NEW)
    assert told.step() == []

    told.drain(NEW)
    (standing,) = told.step()

    assert standing.spent == 6, "what was open when it died counts as one, too"
    assert standing.granted == 6 + -(-74 // SLICES) == granted(budget), "nothing stays reserved"
    assert told.heard[-1].position == (0, 0)


def test_what_the_accounts_can_never_take_keeps_nobody_for_ever(
    told: Told, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_budget(key)
    SpoolOpen.objects.create(id=uuid7(), incarnation=OLD, opened=b"nothing that can be read")
    told.linked = Linked("c2", NEW)
    assert told.step() == []

    monkeypatch.setattr("routing.bridge.budgets.OPEN_SECONDS", 0.0)

    assert len(told.step()) == 1


def test_a_dead_routers_segment_that_is_stored_but_held_for_a_backup_is_not_waited_for(
    told: Told, key: ApiKey
) -> None:
    a_budget(key)
    told.spool.write(OLD, *requests(key, 5))
    told.linked = Linked("c2", NEW)
    with held(told.spool.folder):
        told.drain(NEW)
        assert told.spool.files

        (standing,) = told.step()

    assert standing.spent == 5


def test_a_window_that_has_passed_is_granted_again(told: Told, key: ApiKey) -> None:
    budget = a_budget(key, window=BudgetWindow.LAST_DAY)
    for hours, amount in ((30, 70), (2, 60)):
        hour = timezone.now().replace(minute=0, second=0, microsecond=0) - hours * HOUR
        BudgetHour.objects.create(budget=budget, hour=hour, spent=amount)
    BudgetGrant.objects.filter(budget=budget).update(spent=130, granted=130)

    (standing,) = told.step()

    assert (standing.spent, standing.limit) == (130, 150)
    assert standing.renewed_at is not None
    assert 0 < standing.renewed_at - timezone.now().timestamp() <= 3600


def test_one_that_is_lowered_is_told_as_lower(told: Told, key: ApiKey) -> None:
    budget = a_budget(key)
    told.need(budget, 80)

    change_budget(by=OPERATOR, budget=budget, most=10, hard=True)
    (standing,) = told.step()

    assert (standing.granted, standing.limit) == (10, 10)


def test_soft_and_ended_ones_are_none_of_the_routers(told: Told, key: ApiKey) -> None:
    a_budget(key, hard=False)
    end_budget(by=OPERATOR, budget=a_budget(key))

    assert told.step() == []
    assert build_principals(1).budgets == {}


def test_the_router_knows_whose_a_budget_is(key: ApiKey) -> None:
    orleans = key.application.institution
    model = serve_model(make_institution("rennes"), "llama").version.model
    owners = (key, key.application, orleans, model, None)
    budgets = [a_budget(owner) for owner in owners]

    found = build_principals(1).budgets

    ids = [FEDERATION if owner is None else str(owner.pk) for owner in owners]
    assert {owner: each.id for owner, (each,) in found.items()} == {
        owner: str(budget.pk) for owner, budget in zip(ids, budgets, strict=True)
    }
    names = [each.name for (each,) in found.values()]
    assert sorted(names) == sorted(["", key.application.name, str(orleans), str(model), ""])


def test_a_price_that_begins_is_published_in_its_time() -> None:
    model = serve_model(make_institution("rennes"), "llama").version.model
    now = timezone.now()
    PriceVersion.objects.create(model=model, valid_from=now - timedelta(seconds=1), prompt_nano=7)
    RoutingChange.objects.all().delete()

    publish_begun_prices(now - timedelta(seconds=5))

    assert list(RoutingChange.objects.values_list("section", flat=True)) == ["names"]
    assert build_names(1).names.models[str(model.pk)].price.prompt == 7
    RoutingChange.objects.all().delete()
    publish_begun_prices(now)
    assert not RoutingChange.objects.exists()


@pytest.mark.parametrize(
    ("limit", "spent", "before", "need", "expected"),
    [
        (80, 0, 0, 0, 10),
        (80, 79, 0, 0, 80),
        (80, 80, 80, 90, 80),
        (80, 200, 200, 300, 200),
        (80, 0, 40, 0, 40),
        (80, 0, 0, 70, 70),
    ],
)
def test_slices(limit: int, spent: int, before: int, need: int, expected: int) -> None:
    assert grant_for(limit, spent, before, need) == expected


def test_the_routers_and_the_accounts_count_agree_after_any_batch(
    told: Told, key: ApiKey, spool: Spool
) -> None:
    """The router's count of what is not stored yet ends where the accounts' begins."""
    budget = a_budget(key)
    budgets = Budgets()
    budgets.replace(build_principals(1).budgets)
    (purse,) = budgets._purses.values()
    place = 0
    for n in range(1, 6):
        for record in requests(key, n):
            place = spool.write(OLD, record).stat().st_size
            purse.count(1, (1, place))
        if n % 2:
            told.drain(OLD)
        for standing in told.step():
            purse.hear(standing, told.heard[-1].position)
        assert purse.used == n * (n + 1) // 2
    assert BudgetGrant.objects.get(budget=budget).spent == 15
