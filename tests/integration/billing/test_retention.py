"""What is forgotten, when, and that not one sum changes with it."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing import tasks
from billing.budgeting.spending import wrong_budgets
from billing.enums import BudgetWindow, PeriodState
from billing.ledger import balances
from billing.management.commands import anonymise as command
from billing.models import (
    AccountingPeriod,
    BudgetHour,
    Transfer,
    UsageCharge,
    UsageDay,
    UsageHour,
    UsageMonth,
    UsageRecord,
)
from billing.operations.budgets import set_budget
from billing.operations.retention import anonymise
from billing.periods import Period
from billing.records import intake
from billing.records.retention import forgets_before
from billing.records.rollups import LEVELS, SUMS, wrong_sums
from billing.usage.asked import Asked
from billing.usage.queries import totals
from federation.access.models import ApiKey
from federation.journal.models import AuditEvent
from federation.members.operations.leaving import forget_people, forget_person
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import close_account
from routing.core.accounting import Closed
from routing.core.enums import BudgetUnit
from tests.integration.billing.conftest import Use, used
from tests.integration.billing.market import HISTORY, Market
from tests.integration.billing.test_rollups import request as around_new_year
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_cast,
    make_key,
    make_user,
    serve_model,
)
from tests.support.records import NOBODY

pytestmark = pytest.mark.django_db
DUE = date(2028, 3, 1)
APPLICATION = UUID(int=77)


def close(month: date, at: datetime) -> None:
    """As time alone can have it."""
    AccountingPeriod.objects.create(
        month=month, state=PeriodState.CLOSED, closed_at=at, statements_hash="0" * 64
    )


def after(hours: int) -> Callable[[], bool]:
    """What ends a run after so many of them."""
    run = iter(range(1, hours))
    return lambda: next(run, None) is None


def asked(n: int) -> Closed:
    """The nth of many around New Year's Eve, of an application that is not numbered like a key."""
    request = around_new_year(n)
    facts = {"application_id": str(APPLICATION), "client_request_id": f"mine-{n}"}
    return replace(request, opened=replace(request.opened, **facts))


def told() -> list[Any]:
    """Everything that sums, charges, ledger and records tell, without keys."""
    sums: list[Any] = []
    for level in LEVELS:
        found: Counter[tuple[Any, ...]] = Counter()
        nameless = [name for name in ("since", *level.KEY) if name != "key_id"]
        for row in level._default_manager.all():
            of = tuple(getattr(row, name) for name in nameless)
            for name in SUMS:
                found[*of, name] += getattr(row, name)
        sums.append(+found)
    kept = [
        f.name for f in UsageRecord._meta.fields if f.name not in ("key_id", "client_request_id")
    ]
    sums.append(sorted(UsageRecord.objects.values_list(*kept), key=str))
    sums.append(sorted(UsageCharge.objects.values_list(), key=str))
    sums.append(sorted(Transfer.objects.values_list("key", "amount_nano")))
    return [*sums, balances.balances(), balances.findings()]


def assert_whole() -> None:
    assert {level: wrong_sums(level) for level in LEVELS} == dict.fromkeys(LEVELS, 0)
    assert wrong_budgets() == 0


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requests=st.sets(st.integers(0, 200), max_size=25),
    late=st.sets(st.integers(201, 260), max_size=4),
    pieces=st.integers(1, 30),
)
def test_forgetting_keys_changes_no_sum(requests: set[int], late: set[int], pieces: int) -> None:
    """I15, at every step of runs that are ended early; what arrives late is forgotten by the next."""
    with transaction.atomic():
        intake.store([asked(n) for n in requests])
        close(date(2026, 12, 1), datetime(2027, 1, 5, tzinfo=UTC))
        for batch in (set[int](), late):
            intake.store([asked(n) for n in batch])
            before = told()
            done = anonymise(by=OPERATOR, today=DUE, is_over=after(pieces))
            assert told() == before
            assert_whole()
            while not done.is_all:
                done = anonymise(by=OPERATOR, today=DUE, is_over=after(pieces))
                assert_whole()
            assert told() == before
        old = UsageRecord.objects.filter(finished_at__lt=datetime(2026, 12, 31, 23, tzinfo=UTC))
        told_of = ("key_id", "client_request_id")
        assert set(old.values_list(*told_of)) <= {(APPLICATION, "")}
        newer = UsageRecord.objects.exclude(pk__in=old.values("pk"))
        assert not newer.filter(key_id=APPLICATION).exists()
        assert not newer.filter(client_request_id="").exists()
        transaction.set_rollback(True)


def test_costs_and_charges_stay_what_they_were() -> None:
    market = Market()
    requests = [market.request(n) for n in range(60)]
    intake.store(requests)
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))
    before, found = (
        told(),
        balances.findings(),
    )  # a month that time alone has closed has no statements

    done = anonymise(by=OPERATOR, today=DUE)

    assert (done.requests, done.is_all) == (60, True)
    assert told() == before
    assert balances.findings() == found
    intake.store(requests)  # a replay of what is forgotten brings no key back
    assert told() == before
    assert not UsageHour.objects.exclude(key_id=NOBODY["application"]).exists()


@pytest.mark.parametrize(
    ("closed", "today", "before"),
    [
        (date(2026, 4, 30), date(2027, 4, 30), None),
        (date(2026, 4, 30), date(2027, 5, 1), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (date(2026, 5, 1), date(2027, 5, 31), None),
    ],
)
def test_a_month_is_forgotten_twelve_whole_months_after_its_closing(
    closed: date, today: date, before: datetime | None
) -> None:
    close(date(2026, 3, 1), datetime(closed.year, closed.month, closed.day, 12, tzinfo=UTC))

    assert forgets_before(today, 12) == before


def test_a_month_that_is_not_closed_is_not_forgotten(use: Use) -> None:
    record = use(at=HISTORY)

    assert anonymise(by=OPERATOR, today=DUE).requests == 0
    assert UsageRecord.objects.get().key_id == record.key_id


def test_a_record_far_from_its_id_is_forgotten_as_well() -> None:
    """A clock that was wrong: the id lies in another year than the end."""
    (request,) = [used(at=datetime(2023, 1, 1, tzinfo=UTC), finished_at=HISTORY.timestamp())]
    intake.store([request])
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))

    assert anonymise(by=OPERATOR, today=DUE).requests == 1
    assert str(UsageRecord.objects.get().key_id) == NOBODY["application"]
    assert_whole()


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    return make_key(make_application(cast.rennes, owner=cast.rennes_user))[0]


def test_a_budget_of_a_key_keeps_what_was_used_of_it(cast: Cast, key: ApiKey) -> None:
    budget = set_budget(
        by=OPERATOR, owner=key, most=10**6, unit=BudgetUnit.TOKENS, window=BudgetWindow.LIFE
    )
    type(budget).objects.filter(pk=budget.pk).update(created_at=HISTORY - timedelta(days=400))
    served = serve_model(cast.reims)
    moments = [HISTORY, HISTORY + timedelta(hours=5), HISTORY + timedelta(days=31)]
    intake.store([used(key, served, at=at) for at in moments])
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))

    for _twice in range(2):
        anonymise(by=OPERATOR, today=DUE)
        assert wrong_budgets() == 0
        assert sorted(BudgetHour.objects.values_list("spent", flat=True)) == [150, 300]


def test_a_budget_of_a_key_is_not_folded_ahead_of_what_is_forgotten(
    cast: Cast, key: ApiKey
) -> None:
    budget = set_budget(
        by=OPERATOR, owner=key, most=10**6, unit=BudgetUnit.TOKENS, window=BudgetWindow.LIFE
    )
    type(budget).objects.filter(pk=budget.pk).update(created_at=HISTORY - timedelta(days=400))
    served = serve_model(cast.reims)
    moments = [HISTORY, HISTORY + timedelta(hours=5), HISTORY + timedelta(days=31)]
    intake.store([used(key, served, at=at) for at in moments])
    for month in (3, 4):
        close(date(2026, month, 1), datetime(2026, month + 1, 5, tzinfo=UTC))

    for _hour in range(4):
        anonymise(by=OPERATOR, today=DUE, is_over=lambda: True)
        assert wrong_budgets() == 0

    assert sorted(BudgetHour.objects.values_list("spent", flat=True)) == [150, 300]


def test_whoever_owns_the_application_still_sees_what_it_used(cast: Cast, key: ApiKey) -> None:
    intake.store([used(key, serve_model(cast.reims), at=HISTORY)])
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))
    period = Period(date(2026, 1, 1), date(2026, 12, 31))
    whole = Asked(cast.rennes_user, period)
    of_it = Asked(cast.rennes_user, period, application=key.application_id)
    mine = [totals(whole), totals(of_it)]
    assert mine[0].counts.requests == 1

    anonymise(by=OPERATOR, today=DUE)

    asked_anew = [
        dataclasses.replace(asked) for asked in (whole, of_it)
    ]  # who sees what is looked up anew
    assert [totals(asked) for asked in asked_anew] == mine
    assert totals(Asked(cast.rennes_user, period, key=key.pk)).counts.requests == 0
    assert totals(Asked(make_user("nobody"), period)).counts.requests == 0


def test_who_has_left_is_forgotten_and_their_institutions_sums_stay(
    cast: Cast, key: ApiKey
) -> None:
    intake.store([used(key, serve_model(cast.reims), at=HISTORY)])
    before, gone = told(), cast.rennes_user
    EmailAddress.objects.get_or_create(user=gone, email=gone.email)
    close_account(by=OPERATOR, user=gone)
    closing = AuditEvent.objects.filter(verb="people.close_account").latest("seq").at
    at = timezone.localdate(closing)
    assert forget_people(by=OPERATOR, today=at, months=12) == 0

    later = date(at.year + 1, at.month, 1) + timedelta(days=32)
    assert [forget_people(by=OPERATOR, today=later, months=12) for _twice in range(2)] == [1, 0]

    known = User.objects.get(pk=gone.pk)
    assert (known.name, known.has_usable_password()) == ("–", False)
    assert known.email == f"{known.pseudonym.hex}@forgotten.invalid"
    assert not EmailAddress.objects.filter(user=gone).exists()
    assert told() == before
    assert ApiKey.objects.get(pk=key.pk).application.owner == known


def test_nobody_is_forgotten_who_is_still_there(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="Fermez d’abord le compte"):
        forget_person(by=OPERATOR, user=cast.rennes_user)
    with pytest.raises(PermissionDenied):
        anonymise(by=cast.rennes_dsi, today=DUE)
    assert make_user("fin", Role.FINANCE).is_active


def test_the_worker_forgets_for_two_minutes_and_goes_on_behind_what_else_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each run here is over at once, and does an hour all the same."""
    monkeypatch.setattr(tasks, "FORGETTING", timedelta())
    monkeypatch.setattr(tasks, "paris_today", lambda: DUE)
    intake.store([used(at=HISTORY + timedelta(hours=n)) for n in range(3)])
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))
    left = []
    for _run in range(4):
        OrmQ.objects.all().delete()
        tasks.forget_what_is_due()
        named = UsageRecord.objects.exclude(key_id=NOBODY["application"]).count()
        left.append((named, [row.task["func"] for row in OrmQ.objects.all()]))

    again = ["billing.tasks.forget_what_is_due"]
    assert left == [(2, again), (1, again), (0, []), (0, [])]
    assert_whole()


def test_the_command_forgets_all_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "paris_today", lambda: DUE)
    intake.store([used(at=HISTORY + timedelta(hours=n)) for n in range(3)])
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))

    call_command("anonymise")

    assert "3 requests of 3 hours" in capsys.readouterr().out
    assert not UsageRecord.objects.exclude(key_id=NOBODY["application"]).exists()


def test_the_worker_is_told_to_do_it_at_night_and_a_command_does_it(
    use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    use(at=HISTORY)
    close(date(2026, 3, 1), datetime(2026, 4, 5, tzinfo=UTC))
    scheduled = Schedule.objects.filter(func="billing.tasks.forget_what_is_due")
    assert [row.schedule_type for row in scheduled] == ["D"]

    import_string("billing.tasks.forget_what_is_due")()
    call_command("anonymise")

    assert "people are forgotten" in capsys.readouterr().out
    assert UsageMonth.objects.count() == UsageDay.objects.count() == 1
