"""Months are drafted, closed in their order, and then stand: whatever comes later, or at the same moment."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from billing.enums import AccountKind, LineUnit, PeriodState
from billing.ledger.balances import balances, findings, is_charged
from billing.ledger.posting import SERVED
from billing.models import (
    AccountingPeriod,
    Statement,
    StatementLine,
    Transfer,
    UsageCharge,
    UsageRecord,
)
from billing.operations import months
from billing.operations.ledger import grant, reverse, reverse_request
from billing.operations.merging import merge_institutions, move_what_came_late
from billing.operations.months import close_month, draft_month
from billing.periods import paris_today
from billing.records import intake
from billing.statements.statement import NANO_PER_CENT, Draft, draft_of, drafts, kept, rounded
from federation.people.enums import Role
from tests.integration.billing.market import HISTORY, Market, price_from
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, make_user

pytestmark = pytest.mark.django_db
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
THIS_MONTH = paris_today().replace(day=1)


@pytest.fixture(autouse=True)
def _reasons_in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def market() -> Market:
    return Market()


def close(month: date) -> AccountingPeriod:
    draft_month(by=OPERATOR, month=month)
    return close_month(by=OPERATOR, month=month)


def filled(market: Market, count: int = 60) -> None:
    intake.store([market.request(n) for n in range(count)])


def balance_of(kind: AccountKind, statement: Statement) -> int:
    return balances().get(f"{kind.value}:{statement.institution_id}", 0)


@pytest.mark.parametrize(
    ("nano", "cents"),
    [(0, 0), (4_999_999, 0), (5_000_000, 1), (-4_999_999, 0), (-5_000_000, -1), (15_000_000, 2)],
)
def test_halves_are_rounded_away_from_nothing(nano: int, cents: int) -> None:
    assert rounded(nano) == cents


def test_a_closed_statement_is_the_draft_and_the_ledger_says_the_same(market: Market) -> None:
    filled(market)
    before = {draft.institution: draft for draft in drafts(MARCH)}

    close(MARCH)

    assert {each.institution for each in Statement.objects.all()} == set(before)
    for statement in Statement.objects.all():
        assert kept(statement) == before[statement.institution]
        assert statement.lines_hash == kept(statement).lines_hash
        assert balance_of(AccountKind.CONSUMER, statement) == -statement.used_cents * NANO_PER_CENT
        assert balance_of(AccountKind.HOST, statement) == statement.served_cents * NANO_PER_CENT
    assert sum(balances().values()) == 0
    assert findings() == []


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), late=st.lists(st.integers(100, 160), max_size=20))
def test_every_month_is_exact_and_stays_so(market: Market, seed: int, late: list[int]) -> None:
    """I7, I8, I9: rounding is within half a cent a line; closed stays; what is late lies in the next month."""
    draw = random.Random(seed)
    with transaction.atomic():
        intake.store([market.request(draw.randrange(100)) for _ in range(40)])
        period = close(MARCH)
        closed, march = [kept(statement) for statement in Statement.objects.all()], booked_in(MARCH)
        for line in StatementLine.objects.all():
            assert abs(line.cents * NANO_PER_CENT - line.exact_nano) * 2 <= NANO_PER_CENT
        for told in (line for draft in closed for line in draft.lines if line.unit):
            roundings = 40 if told.unit == LineUnit.AUDIO else 0
            assert abs(told.exact_nano - told.units * told.unit_nano) * 2 <= roundings
        charged = sum(
            charge.cost_nano
            for charge in UsageCharge.objects.filter(booked_month=MARCH)
            if charge.asking_institution_id != charge.serving_institution_id
        )
        owed = sum(
            line.exact_nano for draft in closed for line in draft.lines if line.kind == "used"
        )
        assert owed == charged

        intake.store([market.request(n) for n in late])
        assert close_month(by=OPERATOR, month=MARCH).statements_hash == period.statements_hash
        assert [kept(statement) for statement in Statement.objects.all()] == closed
        assert booked_in(MARCH) == march
        assert findings() == []
        origins = UsageCharge.objects.filter(booked_month=APRIL).values_list("origin_month")
        assert set(origins) == ({(MARCH,)} if charged_of(market, late) else set())
        transaction.set_rollback(True)


def booked_in(month: date) -> tuple[list[object], list[object]]:
    """All that says what a month's statements are made from, and what was moved in it."""
    transfers = Transfer.objects.filter(booked_month=month).order_by("pk")
    charges = UsageCharge.objects.filter(booked_month=month).order_by("pk")
    return [*transfers.values()], [*charges.values()]


def charged_of(market: Market, late: list[int]) -> int:
    """How many of these count."""
    requests = (market.request(n) for n in late)
    return sum(each.http_status == 200 and each.status in SERVED for each in requests)


def test_what_comes_late_names_its_month_in_the_next_statement(market: Market) -> None:
    intake.store([market.asked(market.orleans, market.served[0])])
    close(MARCH)
    later = HISTORY + timedelta(hours=1)
    intake.store([market.asked(market.orleans, market.served[0], later)])

    lines = draft_of(market.orleans, APRIL).lines

    assert {line.origin_month for line in lines} == {MARCH}


def test_a_grant_pays_before_the_institution_does(market: Market) -> None:
    big = market.asked(
        market.orleans,
        market.served[0],
        prompt_tokens=1_000_000,
        cached_tokens=0,
        completion_tokens=0,
    )
    intake.store([big])  # 10 cents
    grant(by=OPERATOR, institution=market.orleans, amount_nano=6 * NANO_PER_CENT, reason="code")

    close(MARCH)

    statement = Statement.objects.get(institution=market.orleans)
    assert (statement.used_cents, statement.granted_cents, statement.net_cents) == (10, 6, -4)
    assert balance_of(AccountKind.CONSUMER, statement) == -4 * NANO_PER_CENT
    assert balance_of(AccountKind.ALLOCATION, statement) == 0


def test_a_grant_that_is_used_up_is_not_taken_back(market: Market) -> None:
    used = market.asked(
        market.orleans,
        market.served[0],
        prompt_tokens=1_000_000,
        cached_tokens=0,
        completion_tokens=0,
    )
    intake.store([used])  # 10 cents
    institution = market.orleans
    first, second = (
        grant(
            by=OPERATOR, institution=institution, amount_nano=cents * NANO_PER_CENT, reason="code"
        )
        for cents in (12, 8)
    )
    close(MARCH)
    before = balances()

    with pytest.raises(ValidationError, match=r"€0\.02 is used up") as refusal:
        reverse(by=OPERATOR, transfer=first, reason="a slip")

    assert (refusal.value.code, balances()) == ("used_up", before)
    reverse(by=OPERATOR, transfer=second, reason="a slip")
    with pytest.raises(ValidationError, match=r"€0\.10 is used up"):
        reverse(by=OPERATOR, transfer=first, reason="a slip")
    assert balance_of(AccountKind.ALLOCATION, Statement.objects.get(institution=institution)) > 0


def test_what_an_heir_has_left_of_a_grant_is_taken_back(market: Market) -> None:
    given_ = grant(by=OPERATOR, institution=market.reims, amount_nano=7, reason="code")
    merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)

    reverse(by=OPERATOR, transfer=given_, reason="a slip")
    move_what_came_late(by=OPERATOR)

    assert set(balances().values()) == {0}
    again = grant(by=OPERATOR, institution=market.rennes, amount_nano=7, reason="code")
    reverse(by=OPERATOR, transfer=again, reason="a slip")


def test_a_correction_stands_in_its_month_while_that_is_not_closed(market: Market) -> None:
    intake.store([market.asked(market.orleans, market.served[0])])
    draft_month(by=OPERATOR, month=MARCH)
    record = UsageRecord.objects.get()
    reverse_request(by=OPERATOR, request=record, reason="nonsense")

    consumer, host = (draft_of(who, MARCH) for who in (market.orleans, market.rennes))

    assert sum(line.exact_nano for line in consumer.lines) == 0
    assert consumer.lines[-1].exact_nano == host.lines[-1].exact_nano == -record.cost_nano
    close_month(by=OPERATOR, month=MARCH)
    assert findings() == []


def test_a_month_that_is_not_over_is_not_drafted(market: Market) -> None:
    with pytest.raises(ValidationError, match="not over"):
        draft_month(by=OPERATOR, month=paris_today().replace(day=1))
    with pytest.raises(ValidationError, match="first day"):
        draft_month(by=OPERATOR, month=date(2026, 3, 2))


def test_a_month_is_closed_from_its_draft_and_in_its_order(market: Market) -> None:
    filled(market)
    intake.store([market.asked(market.orleans, market.served[0], datetime(2026, 2, 3, tzinfo=UTC))])
    with pytest.raises(ValidationError):
        close_month(by=OPERATOR, month=MARCH)
    draft_month(by=OPERATOR, month=MARCH)

    with pytest.raises(ValidationError, match="in their order"):
        close_month(by=OPERATOR, month=MARCH)

    close(date(2026, 2, 1))
    close(MARCH)
    assert set(AccountingPeriod.objects.values_list("state", flat=True)) == {PeriodState.CLOSED}


QUANTITIES = (
    *("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "embedding_tokens"),
    *("cost_nano", "fee_nano", "audio_ms", "images"),
)


@pytest.mark.parametrize("column", QUANTITIES)
def test_a_month_whose_charges_are_not_its_requests_is_not_closed(
    market: Market, column: str
) -> None:
    filled(market)
    draft_month(by=OPERATOR, month=MARCH)
    charge = UsageCharge.objects.filter(**{f"{column}__gt": 0})[0]
    UsageCharge.objects.filter(pk=charge.pk).update(**{column: F(column) + 1})

    assert "2 charges are not the sum of their records" in findings()
    with pytest.raises(ValidationError, match="check_usage tells what differs"):
        close_month(by=OPERATOR, month=MARCH)
    assert not Statement.objects.exists()

    UsageCharge.objects.filter(pk=charge.pk).update(**{column: F(column) - 1})
    close_month(by=OPERATOR, month=MARCH)


def test_a_month_is_compared_once_with_the_requests_of_its_time(
    market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    filled(market)
    with django_assert_num_queries(2):  # which months its charges name, and the sums
        assert is_charged(MARCH)


def test_a_charge_that_is_missing_or_too_many_holds_the_closing_up(market: Market) -> None:
    filled(market)
    draft_month(by=OPERATOR, month=MARCH)
    charge = UsageCharge.objects.all()[0]
    UsageCharge.objects.filter(pk=charge.pk).delete()
    with pytest.raises(ValidationError, match="check_usage"):
        close_month(by=OPERATOR, month=MARCH)

    charge.save(force_insert=True)
    charge.pk, charge.origin_month = None, date(2025, 3, 1)
    charge.save(force_insert=True)
    with pytest.raises(ValidationError, match="check_usage"):
        close_month(by=OPERATOR, month=MARCH)


@pytest.mark.parametrize("year", [2001, 2025, 2150])
def test_a_clock_that_was_wrong_does_not_hold_the_closing_up(
    market: Market, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    """Behind or ahead: it is booked in the month in which it came."""
    close(date(2026, 2, 1))
    wrong = datetime(year, 5, 1, tzinfo=UTC)
    price_from(datetime(2000, 1, 1, tzinfo=UTC), market.served[0])
    intake.store([
        market.asked(market.orleans, market.served[0]),
        market.asked(market.orleans, market.served[0], timezone.now(), finished_at=wrong.timestamp()),
    ])  # fmt: skip
    booked = UsageRecord.objects.latest("received_at").booked_month
    assert booked is not None
    monkeypatch.setattr(months, "paris_today", lambda: THIS_MONTH + timedelta(days=32))

    for month in sorted({MARCH, booked}):
        close(month)

    assert findings() == []


def test_the_month_of_a_clock_that_was_never_set_is_closed_like_others(market: Market) -> None:
    """No other month could be closed before it."""
    price_from(datetime(2000, 1, 1, tzinfo=UTC), market.served[0])
    never_set = market.asked(market.orleans, market.served[0], datetime(2000, 1, 1, tzinfo=UTC))
    intake.store([never_set, market.asked(market.orleans, market.served[0])])
    reverse_request(
        by=OPERATOR,
        request=UsageRecord.objects.get(pk=never_set.opened.id),
        reason="a clock that was wrong",
    )

    for month in (date(2000, 1, 1), MARCH):
        close(month)

    assert findings() == []


def test_only_the_federations_finance_closes(market: Market) -> None:
    for person in (make_user("aud", Role.AUDITOR), make_user("nobody")):
        with pytest.raises(PermissionDenied):
            draft_month(by=person, month=MARCH)
        with pytest.raises(PermissionDenied):
            close_month(by=person, month=MARCH)
    draft_month(by=make_user("fin", Role.FINANCE), month=MARCH)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_statement SET used_cents = used_cents + 1, net_cents = net_cents - 1",
        "DELETE FROM billing_statementline",
        "UPDATE billing_statementline SET cents = 0",
        "UPDATE billing_accountingperiod SET state = 'open', closed_at = NULL, statements_hash = ''",
        "DELETE FROM billing_accountingperiod",
    ],
)
def test_what_is_closed_is_never_changed(market: Market, change: str) -> None:
    filled(market, 20)
    close(MARCH)

    with (
        pytest.raises(IntegrityError, match=r"append-only|stays closed"),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


def test_a_close_that_breaks_off_leaves_nothing(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(market)
    draft_month(by=OPERATOR, month=MARCH)
    before = balances()
    _break_off_at_the_second_statement(monkeypatch)

    with pytest.raises(OperationalError), transaction.atomic():
        close_month(by=OPERATOR, month=MARCH)

    assert not Statement.objects.exists()
    assert balances() == before
    monkeypatch.undo()
    close_month(by=OPERATOR, month=MARCH)
    assert findings() == []


def _break_off_at_the_second_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = Draft.lines_hash, list[str]()

    def lines_hash(draft: Draft) -> str:
        made.append("")
        if len(made) == 2:
            raise OperationalError("the database goes away")
        found: Callable[[Draft], str] = real.fget  # type: ignore[attr-defined]
        return found(draft)

    monkeypatch.setattr(Draft, "lines_hash", property(lines_hash))


@pytest.mark.django_db(transaction=True)
def test_two_closings_and_late_requests_at_once_make_one(transactional_db: None) -> None:
    market = Market()
    filled(market, 40)
    draft_month(by=OPERATOR, month=MARCH)
    late = [market.request(n) for n in range(40, 80)]

    def arrive() -> None:
        for request in late:
            intake.store([request])

    def finish() -> None:
        close_month(by=OPERATOR, month=MARCH)

    at_once([finish, arrive, finish])

    assert AccountingPeriod.objects.get().state == PeriodState.CLOSED
    assert findings() == []
    for statement in Statement.objects.all():
        consumer = {MARCH: 0} | month_of(statement, AccountKind.CONSUMER)
        assert consumer[MARCH] == -statement.used_cents * NANO_PER_CENT
        host = {MARCH: 0} | month_of(statement, AccountKind.HOST)
        assert host[MARCH] == statement.served_cents * NANO_PER_CENT


def month_of(statement: Statement, kind: AccountKind) -> dict[date, int]:
    code = f"{kind.value}:{statement.institution_id}"
    return {MARCH: balances(month=MARCH).get(code, 0)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("step", "written"), [("next_number", 0), ("settle", 1), ("next_number", 2), ("record", 3)]
)
def test_a_killed_connection_closes_nothing(
    monkeypatch: pytest.MonkeyPatch, step: str, written: int
) -> None:
    """Whether no statement is written yet, some, or all."""
    market = Market()
    filled(market, 40)
    draft_month(by=OPERATOR, month=MARCH)
    before, real, killed = balances(), getattr(months, step), list[int]()

    def die(*args: object, **facts: object) -> object:
        if Statement.objects.count() == written:
            killed.append(StatementLine.objects.count())
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(*args, **facts)

    monkeypatch.setattr(months, step, die)
    with pytest.raises(OperationalError):
        close_month(by=OPERATOR, month=MARCH)
    connection.close()
    monkeypatch.undo()

    assert len(killed) == 1
    assert bool(killed[0]) == bool(written)
    assert not Statement.objects.exists()
    assert not StatementLine.objects.exists()
    assert balances() == before
    close_month(by=OPERATOR, month=MARCH)
    assert findings() == []
