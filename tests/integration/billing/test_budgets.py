"""Budgets in the accounts: counted with the records, set by whom it concerns, told of once."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.budgeting.alerts import tell_of_thresholds
from billing.budgeting.standing import Shown, spent_before, spent_now
from billing.budgeting.windows import window_end, window_start
from billing.enums import BudgetWindow
from billing.models import (
    THRESHOLDS,
    Budget,
    BudgetAlert,
    BudgetGrant,
    BudgetHour,
    Owner,
    PriceVersion,
    prices,
)
from billing.operations.budgets import change_budget, end_budget, set_budget
from billing.operations.prices import Units
from billing.records import intake
from billing.records.checks import findings
from federation.access.models import ApiKey, Application
from federation.people.enums import Role
from federation.people.models import Mail
from routing.bridge.table import build_names
from routing.core.enums import BudgetUnit, RequestStatus
from routing.core.pricing import FREE, Accounted, Price, counted
from tests.integration.billing.conftest import used
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_key,
    make_user,
    serve_model,
)
from tests.support.kept import Kept

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


def a_key(application: Application) -> ApiKey:
    return make_key(application)[0]


def a_budget(owner: Owner = None, **facts: Any) -> Budget:
    known: dict[str, Any] = {
        "by": OPERATOR,
        "owner": owner,
        "unit": BudgetUnit.REQUESTS,
        "most": 100,
        "window": BudgetWindow.MONTH,
    }
    return set_budget(**known | facts)


def a_price(model: Any, **units: int) -> PriceVersion:
    """A price that has been in force for long: operations set those to come only."""
    return PriceVersion.objects.create(
        model=model,
        valid_from=timezone.now() - timedelta(days=400),
        **Units(**units),  # type: ignore[typeddict-item]
    )


def spent(budget: Budget) -> int:
    grant = BudgetGrant.objects.get(budget=budget)
    assert grant.spent == sum(budget.hours.values_list("spent", flat=True))
    return grant.spent


def test_a_request_counts_for_every_budget_whose_it_is_and_no_other(cast: Cast) -> None:
    deployment = serve_model(cast.rennes, "llama")
    key = a_key(make_application(cast.orleans))
    other = a_key(make_application(cast.reims))
    owners = (key, key.application, cast.orleans, deployment.version.model, None)
    mine = [a_budget(owner) for owner in owners]
    others = [a_budget(other), a_budget(other.application), a_budget(cast.reims)]

    intake.store([used(key, deployment), used(key, deployment)])

    assert [spent(budget) for budget in mine] == [2] * 5
    assert [spent(budget) for budget in others] == [0] * 3


def test_money_is_what_is_billed_and_not_what_ones_own_server_answers(cast: Cast) -> None:
    deployment = serve_model(cast.rennes, "llama")
    a_price(deployment.version.model, prompt_nano=3, completion_nano=7)
    guest = a_key(make_application(cast.orleans))
    owner = a_key(make_application(cast.rennes))
    budgets = [
        a_budget(each, unit=BudgetUnit.NANO_EUROS, most=10**9)
        for each in (cast.orleans, cast.rennes)
    ]

    intake.store([used(guest, deployment), used(owner, deployment)])

    assert [spent(budget) for budget in budgets] == [100 * 3 + 50 * 7, 0]


def test_what_was_used_before_a_budget_was_set_counts_in_its_window(cast: Cast) -> None:
    key = a_key(make_application(cast.orleans))
    long_ago = timezone.now() - timedelta(days=100)
    intake.store([used(key), used(key, at=long_ago, finished_at=long_ago.timestamp())])

    budgets = [a_budget(key, window=window) for window in BudgetWindow]

    for budget in budgets:
        expected = {
            BudgetWindow.LIFE: 2,
            BudgetWindow.YEAR: 1 + (long_ago.year == timezone.now().year),
        }
        window = BudgetWindow(budget.window)
        assert spent_now([budget], timezone.now())[budget.pk] == expected.get(window, 1), window


def test_a_window_that_passes_frees_what_was_used_in_it(cast: Cast) -> None:
    now = datetime(2027, 3, 28, 10, 30, tzinfo=UTC)  # clocks go forward in Paris that night
    budget = a_budget(cast.orleans, window=BudgetWindow.DAY)
    for hour, amount in (
        (datetime(2027, 3, 27, 22, tzinfo=UTC), 5),
        (datetime(2027, 3, 27, 23, tzinfo=UTC), 7),
    ):
        BudgetHour.objects.create(budget=budget, hour=hour, spent=amount)
    BudgetGrant.objects.filter(budget=budget).update(spent=12)

    assert spent_now([budget], now)[budget.pk] == 7
    assert spent_before([budget], now)[budget.pk] == 5


def test_one_that_is_below_what_is_used_is_refused_unless_it_is_meant(cast: Cast) -> None:
    key = a_key(make_application(cast.orleans))
    intake.store([used(key) for _ in range(3)])

    with pytest.raises(ValidationError, match="requêtes") as refused:
        a_budget(key, most=3)
    assert refused.value.code == "below_spent"
    budget = a_budget(key, most=3, knowingly=True)
    change_budget(by=OPERATOR, budget=budget, most=10, hard=True)
    with pytest.raises(ValidationError, match="requêtes"):
        change_budget(by=OPERATOR, budget=budget, most=2, hard=True)


@pytest.mark.parametrize("most", [0, -1, 10**17 + 1])
def test_an_amount_that_cannot_be_is_refused(cast: Cast, most: int) -> None:
    with pytest.raises(ValidationError):
        a_budget(cast.orleans, most=most)


def test_there_is_one_hard_budget_of_each_kind_and_another_when_it_has_ended(cast: Cast) -> None:
    budget = a_budget(cast.orleans)
    with pytest.raises(ValidationError):
        a_budget(cast.orleans)
    a_budget(cast.orleans, hard=False)
    a_budget(cast.orleans, window=BudgetWindow.YEAR)

    end_budget(by=OPERATOR, budget=budget)
    with pytest.raises(ValidationError):
        end_budget(by=OPERATOR, budget=budget)
    intake.store([used(a_key(make_application(cast.orleans)))])

    assert spent(budget) == 0
    assert spent(a_budget(cast.orleans)) == 1


def test_each_level_sets_its_own(cast: Cast) -> None:
    application = make_application(cast.orleans, owner=cast.orleans_user)
    model = serve_model(cast.rennes, "llama").version.model
    accountant = make_user("accountant", Role.MEMBER_FINANCE, cast.orleans)
    finance = make_user("federation-finance", Role.FINANCE)
    rights = {
        cast.orleans_user: (a_key(application), application),
        accountant: (cast.orleans,),
        finance: (model, None),
        cast.intruder: (),
    }
    every = {owner: 0 for owners in rights.values() for owner in owners}
    for person, owners in rights.items():
        for n, owner in enumerate(every):
            may = owner in owners
            if may:
                a_budget(owner, by=person, most=n + 1)
            else:
                with pytest.raises(PermissionDenied):
                    a_budget(owner, by=person)


def test_each_threshold_is_told_of_once_and_of_several_the_highest(cast: Cast) -> None:
    key = a_key(make_application(cast.orleans, owner=cast.orleans_user))
    budget = a_budget(key, most=10)
    now = timezone.now()

    intake.store([used(key) for _ in range(4)])
    assert tell_of_thresholds(now) == 0
    intake.store([used(key) for _ in range(5)])
    assert tell_of_thresholds(now) == 1
    assert tell_of_thresholds(now) == 0
    intake.store([used(key)])
    assert tell_of_thresholds(now) == 1

    told = BudgetAlert.objects.filter(budget=budget).order_by("threshold")
    assert list(told.values_list("threshold", flat=True)) == [50, 80, 95, 100]
    assert Mail.objects.filter(person=cast.orleans_user).count() == 2


def test_thresholds_of_another_amount_are_told_of_anew(cast: Cast) -> None:
    key = a_key(make_application(cast.orleans, owner=cast.orleans_user))
    budget = a_budget(key, most=10)
    now = timezone.now()

    def told_after(most: int, requests: int) -> int:
        if most != budget.most:
            change_budget(by=OPERATOR, budget=budget, most=most, hard=True, knowingly=True)
            budget.refresh_from_db()
        intake.store([used(key) for _ in range(requests)])
        return tell_of_thresholds(now) + tell_of_thresholds(now)

    assert told_after(10, 10) == 1
    assert told_after(20, 0) == 1  # half of the new amount
    assert told_after(20, 10) == 1
    assert told_after(10, 1) == 0  # all of that was told
    assert told_after(20, 1) == 0

    told = BudgetAlert.objects.order_by("most", "threshold").values_list("most", "threshold")
    assert list(told) == [(most, threshold) for most in (10, 20) for threshold in THRESHOLDS]
    assert Mail.objects.filter(person=cast.orleans_user).count() == 3


def test_what_was_told_before_was_told_of_the_present_amount(cast: Cast) -> None:
    budget = a_budget(most=10)
    BudgetAlert.objects.create(budget=budget, since=timezone.now(), threshold=50, most=0)

    with connection.cursor() as cursor:
        cursor.execute(import_module("billing.migrations.0024_alerts_of_an_amount").PRESENT)

    assert BudgetAlert.objects.get().most == 10


def test_the_accounts_find_a_budget_that_is_not_the_sum_of_its_requests(cast: Cast) -> None:
    key = a_key(make_application(cast.orleans))
    budget = a_budget(key)
    intake.store([used(key)])
    wrong = [line for line in findings() if "budget" in line]
    assert wrong == []

    BudgetHour.objects.filter(budget=budget).update(spent=2)

    assert [line for line in findings() if "budget" in line]


TOKENS = st.one_of(st.integers(-5, 300), st.just(2**31 + 7))
ENDS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(list(RequestStatus)),
        "http_status": st.sampled_from([0, 200, 204, 299, 300, 400, 499, 503]),
        "prompt_tokens": TOKENS,
        "cached_tokens": TOKENS,
        "completion_tokens": TOKENS,
        "audio_ms": TOKENS,
        "images": TOKENS,
    }
)
ENDPOINTS = ["chat/completions", "embeddings", "audio/transcriptions"]
UNITS = st.dictionaries(
    st.sampled_from(prices.UNITS),
    st.integers(0, 5000) | st.just(prices.DEAREST_NANO),
    min_size=1,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ends=st.lists(
        st.tuples(ENDS, st.sampled_from(ENDPOINTS), st.booleans()),
        max_size=6,
    ),
    units=UNITS,
)
def test_the_router_counts_what_the_accounts_count(
    cast: Cast, ends: list[tuple[dict[str, Any], str, bool]], units: dict[str, int]
) -> None:
    """Random records, priced and counted by both."""
    with transaction.atomic():
        deployment = serve_model(cast.rennes, "llama")
        a_price(deployment.version.model, **units)
        asking = {True: cast.rennes, False: cast.orleans}
        keys = {own: a_key(make_application(each)) for own, each in asking.items()}
        budgets = {unit: a_budget(unit=unit, most=10**17) for unit in BudgetUnit}
        price = _price_of(str(deployment.version.model_id))
        expected = dict.fromkeys(BudgetUnit, 0)
        for facts, endpoint, is_own in ends:
            record = used(keys[is_own], deployment, **facts)
            asked = msgspec.structs.replace(record.opened, endpoint=endpoint)
            record = msgspec.structs.replace(record, opened=asked)
            intake.store([record])
            for unit in BudgetUnit:
                expected[unit] += counted(_accounted(record), unit, price, is_own=is_own)
        assert {unit: spent(budget) for unit, budget in budgets.items()} == expected
        transaction.set_rollback(True)


def _price_of(model_id: str) -> Price:
    model = build_names(1).names.models.get(model_id)
    return model.price if model else FREE


def _accounted(record: Any) -> Accounted:
    asked = record.opened
    return Accounted(
        id=asked.id,
        key_id=asked.key_id,
        application_id=asked.application_id,
        institution_id=asked.institution_id,
        model_id=record.model_id,
        server_id=record.server_id,
        endpoint=asked.endpoint,
        status=record.status,
        http_status=record.http_status,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        completion_tokens=record.completion_tokens,
        audio_ms=record.audio_ms,
        images=record.images,
        position=(1, 1),
    )


def test_the_federation_has_one_id(cast: Cast) -> None:
    assert a_budget().scope_id == UUID(int=0)


def test_the_end_is_forecast_from_what_was_used_until_now(cast: Cast) -> None:
    budget = a_budget(cast.orleans, window=BudgetWindow.DAY)
    since = datetime(2027, 1, 4, 23, tzinfo=UTC)
    shown = Shown(
        budget, "Orléans", 60, since, since + timedelta(days=1), since + timedelta(hours=12)
    )

    assert (shown.percent, shown.remaining, shown.forecast) == (60, 40, 120)
    assert not shown.is_expected_to_last


def test_a_day_of_25_hours_has_them_in_its_forecast(cast: Cast) -> None:
    now = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)
    since, until = (window(BudgetWindow.DAY, now) for window in (window_start, window_end))
    shown = Shown(a_budget(), "", 98, since, until, now)

    assert shown.forecast == 100
