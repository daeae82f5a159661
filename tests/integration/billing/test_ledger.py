"""What requests cost, and who owes it to whom: exact for every history, and never changed."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from importlib import import_module
from io import BytesIO
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pypdf import PdfReader

from billing.enums import AccountKind, PeriodState, PriceKind
from billing.ledger.accounts import months
from billing.ledger.balances import balances, findings
from billing.models import (
    AccountingPeriod,
    AccountMonth,
    FeeVersion,
    PriceVersion,
    Statement,
    Transfer,
    UsageCharge,
    UsageDay,
    UsageRecord,
)
from billing.operations.entries import month_to_book
from billing.operations.ledger import grant, reverse, reverse_request
from billing.operations.months import close_month, draft_month
from billing.operations.prices import Units, set_fee, set_price, withdraw_fee, withdraw_price
from billing.periods import paris_today
from billing.records import intake
from billing.statements import files
from billing.statements.document import of_statement
from billing.statements.statement import draft_of
from federation.journal.actors import CommandActor
from federation.members.models import Institution
from federation.people.enums import Role
from routing.core.accounting import Closed
from routing.core.enums import RequestStatus
from routing.core.ids import uuid7
from tests.integration.billing.market import HISTORY, Market, price_from
from tests.integration.billing.test_lock_order import PATIENCE_SECONDS, begin
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, make_cast, make_institution, make_user, serve_model

pytestmark = pytest.mark.django_db
CLOSED = {
    "state": PeriodState.CLOSED,
    "closed_at": timezone.now(),
    "statements_hash": "0",
}
SUMMED = ("account", "month", "received_nano", "given_nano", "own_nano")
MARCH = date(2026, 3, 1)
THIS_MONTH = paris_today().replace(day=1)


@pytest.fixture(autouse=True)
def _reasons_in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
def serving(transactional_db: None) -> Market:
    """A market that other connections see."""
    return Market()


def store(requests: Sequence[Closed]) -> None:
    intake.store(requests)


def owed(institution: Institution) -> int:
    return -balances().get(f"consumer:{institution.pk}", 0)


def earned(institution: Institution) -> int:
    return balances().get(f"host:{institution.pk}", 0)


def test_what_another_serves_is_owed_to_it_less_the_fee(market: Market) -> None:
    store([market.asked(market.rennes, market.served[1], prompt_tokens=1000, cached_tokens=300,
                        completion_tokens=50)])  # fmt: skip

    cost = 700 * 100 + 300 * 7 + 50 * 333
    record = UsageRecord.objects.get()
    assert (record.cost_nano, record.fee_nano) == (cost, cost * 333 // 10_000)
    assert owed(market.rennes) == cost
    assert earned(market.reims) == cost - record.fee_nano
    assert balances()["fee"] == record.fee_nano
    assert record.booked_month == date(2026, 3, 1)


def test_what_one_serves_oneself_is_counted_and_not_transferred(market: Market) -> None:
    store([market.asked(market.rennes, market.served[0])])

    assert UsageRecord.objects.get().cost_nano > 0
    assert UsageCharge.objects.get().cost_nano > 0
    assert not Transfer.objects.exists()


def test_an_institutions_own_fee_comes_before_the_general_one(market: Market) -> None:
    store([market.asked(market.orleans, market.served[0])])

    assert balances()["fee"] == 0
    assert owed(market.orleans) == earned(market.rennes) > 0


@pytest.mark.parametrize(
    ("status", "http_status", "counts"),
    [
        (RequestStatus.OK, 200, True),
        (RequestStatus.ABANDONED, 200, True),
        (RequestStatus.INTERRUPTED, 200, True),
        (RequestStatus.INTERRUPTED, 0, False),
        (RequestStatus.ABANDONED, 0, False),
        (RequestStatus.SERVER_ERROR, 502, False),
        (RequestStatus.CLIENT_ERROR, 400, False),
        (RequestStatus.REFUSED, 429, False),
    ],
)
def test_what_reached_the_client_counts(
    market: Market, status: RequestStatus, http_status: int, *, counts: bool
) -> None:
    store([market.asked(market.orleans, market.served[0], status=status, http_status=http_status)])

    assert (UsageRecord.objects.get().booked_month is not None) is counts
    assert UsageCharge.objects.exists() is counts
    assert Transfer.objects.exists() is counts


def test_embeddings_have_their_own_price(market: Market) -> None:
    price_from(HISTORY - timedelta(hours=1), market.served[0], embedding_nano=3)
    store([market.asked(market.orleans, market.served[0], endpoint="embeddings", prompt_tokens=80)])

    assert UsageRecord.objects.get().cost_nano == 240
    assert UsageCharge.objects.get().embedding_tokens == 80


def test_a_model_without_a_price_is_counted_and_costs_nothing(market: Market) -> None:
    other = serve_model(market.rennes, "unpriced")
    store([market.asked(market.orleans, other)])

    assert UsageCharge.objects.get().price_id is None
    assert not Transfer.objects.exists()


def test_an_institution_that_nobody_knows_owes_in_suspense(market: Market) -> None:
    stranger = Institution(pk=UUID(int=404))
    store([market.asked(stranger, market.served[0])])

    assert balances()["suspense"] == -UsageRecord.objects.get().cost_nano
    assert any("not in the register" in finding for finding in findings())


def test_requests_of_before_the_accounts_are_not_charged(market: Market) -> None:
    intake.store([market.asked(market.orleans, market.served[0])], charged=False)

    record = UsageRecord.objects.get()
    assert (record.cost_nano, record.booked_month) == (0, None)
    assert not Transfer.objects.exists()
    assert not UsageCharge.objects.exists()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(st.integers(0, 60), max_size=15), min_size=1, max_size=6))
def test_every_history_is_exact(market: Market, batches: list[list[int]]) -> None:
    """I1–I5, I10, I11: replays and any order change nothing; dues are earnings and fees; prices are of their time."""
    known = {n: market.request(n) for batch in batches for n in batch}
    with transaction.atomic():
        for batch in batches:
            store([known[n] for n in batch])
        assert findings() == []
        assert sum(balances().values()) == 0
        assert outcome() == expected(market, list(known.values()))
        before = Transfer.objects.count()
        store(list(known.values())[::-1])
        assert Transfer.objects.count() == before
        transaction.set_rollback(True)


def outcome() -> dict[str, int]:
    return {code: balance for code, balance in balances().items() if balance}


def expected(market: Market, requests: Sequence[Closed]) -> dict[str, int]:
    """The same by hand, one request after the other."""
    found: dict[str, int] = defaultdict(int)
    hosts = {str(served.server_id): served.server.institution for served in market.served}
    prices = list(PriceVersion.objects.order_by("valid_from"))
    for request in requests:
        served = request.status in {"ok", "abandoned", "interrupted"}
        if not served or request.http_status != 200:
            continue
        at = datetime.fromtimestamp(request.finished_at, UTC)
        price = [p for p in prices if str(p.model_id) == request.model_id and p.valid_from <= at][
            -1
        ]
        cached = min(request.cached_tokens, request.prompt_tokens)
        if request.opened.endpoint == "embeddings":
            cost = 0
        else:
            cached_nano = price.prompt_nano if price.cached_nano is None else price.cached_nano
            cost = (
                (request.prompt_tokens - cached) * price.prompt_nano
                + cached * cached_nano
                + request.completion_tokens * price.completion_nano
            )
        cost += request.images * (price.image_nano or 0)
        cost += rounded_half_up(request.audio_ms * (price.audio_second_nano or 0), 1000)
        host, asking = str(hosts[str(request.server_id)].pk), request.opened.institution_id
        if host == asking or not cost:
            continue
        points = 0 if asking == str(market.orleans.pk) else (500 if at >= market.turn else 333)
        fee = cost * points // 10_000
        found[f"consumer:{asking}"] -= cost
        found[f"host:{host}"] += cost - fee
        found["fee"] += fee
    return {code: balance for code, balance in found.items() if balance}


def rounded_half_up(amount: int, divisor: int) -> int:
    return int((Decimal(amount) / divisor).quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("audio_ms", "cost"),
    [(1000, 77), (1, 0), (6, 0), (7, 1), (19, 1), (20, 2), (60_500, 4659), (-5, 0), (2**40, None)],
)
def test_a_request_is_heard_by_the_millisecond_and_rounded_once(
    market: Market, audio_ms: int, cost: int | None
) -> None:
    """7 ms at 77 a second are 0.539, 6 are 0.462; 60.5 s are 4658.5."""
    later = market.turn + timedelta(days=1)
    facts: dict[str, Any] = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}
    heard = market.asked(market.orleans, market.served[0], later, audio_ms=audio_ms, **facts)
    store([heard])

    record, charge = UsageRecord.objects.get(), UsageCharge.objects.get()
    kept = min(max(audio_ms, 0), 2**31 - 1)
    assert record.cost_nano == rounded_half_up(kept * 77, 1000)
    assert cost is None or record.cost_nano == cost
    assert (record.audio_ms, charge.audio_ms, charge.cost_nano) == (kept, kept, record.cost_nano)
    assert owed(market.orleans) == record.cost_nano


def test_images_have_their_own_price(market: Market) -> None:
    later = market.turn + timedelta(days=1)
    facts: dict[str, Any] = {"prompt_tokens": 10, "cached_tokens": 0, "completion_tokens": 0}
    store([market.asked(market.orleans, market.served[0], later, images=3, **facts)])

    assert UsageRecord.objects.get().cost_nano == 3 * 90_000 + 170
    assert (UsageCharge.objects.get().images, UsageDay.objects.get().images) == (3, 3)


def test_a_new_price_changes_nothing_that_is_past(market: Market) -> None:
    store([market.asked(market.orleans, market.served[0])])
    before = outcome()

    set_price(by=OPERATOR, model=market.served[0].version.model, units=Units(prompt_nano=9))

    assert outcome() == before


def test_what_comes_late_is_booked_in_the_month_that_is_open(market: Market) -> None:
    AccountingPeriod.objects.create(month=date(2026, 3, 1), **CLOSED)
    store([market.asked(market.orleans, market.served[0])])

    charge = UsageCharge.objects.get()
    assert (charge.origin_month, charge.booked_month) == (date(2026, 3, 1), date(2026, 4, 1))
    assert Transfer.objects.filter(booked_month=date(2026, 4, 1)).exists()
    assert UsageDay.objects.get().since == HISTORY.date()


def test_a_clock_that_runs_ahead_books_in_no_month_to_come(market: Market) -> None:
    ahead = timezone.now() + timedelta(days=100)
    store([market.asked(market.orleans, market.served[0], ahead)])

    assert UsageRecord.objects.get().booked_month == THIS_MONTH


@pytest.mark.parametrize("change", ["UPDATE billing_transfer SET amount_nano = 1",
                                    "DELETE FROM billing_transfer"])  # fmt: skip
def test_a_transfer_is_never_changed(market: Market, change: str) -> None:
    store([market.asked(market.orleans, market.served[0])])

    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.parametrize("change", ["UPDATE billing_priceversion SET prompt_nano = 1",
                                    "DELETE FROM billing_priceversion"])  # fmt: skip
def test_a_price_that_has_begun_is_never_changed(market: Market, change: str) -> None:
    with pytest.raises(IntegrityError, match="never changed"), connection.cursor() as cursor:
        cursor.execute(change)


def test_reversing_twice_is_reversing_once(market: Market) -> None:
    one, other = (market.asked(market.orleans, market.served[n]) for n in (0, 1))
    store([one, other])
    record = UsageRecord.objects.get(pk=one.opened.id)

    first = reverse_request(by=OPERATOR, request=record, reason="answered nonsense")
    again = reverse_request(by=OPERATOR, request=record, reason="again")

    assert first == again
    assert earned(market.rennes) == 0
    assert owed(market.orleans) == earned(market.reims) > 0
    assert sum(balances().values()) == 0


def test_a_request_of_the_batch_between_others_does_not_hold_a_transfer(market: Market) -> None:
    store([market.asked(asking, market.served[0]) for asking in (market.orleans, market.reims)])
    request = UsageRecord.objects.get(asking_institution_id=market.orleans.pk)
    reverse_request(by=OPERATOR, request=request, reason="nonsense")

    for transfer in Transfer.objects.filter(debit__institution=market.reims):
        reverse(by=OPERATOR, transfer=transfer, reason="a slip")

    assert outcome() == {}


def test_a_request_to_an_unknown_server_takes_nothing_back_of_who_was_served_there(
    market: Market,
) -> None:
    """What Rennes owes in suspense and what Reims owes Rennes are of one batch; both name Rennes and the month."""
    nobodys = market.asked(market.rennes, market.served[1], server_id=str(uuid7()))
    store([nobodys, market.asked(market.reims, market.served[0])])
    request = UsageRecord.objects.get(pk=nobodys.opened.id)
    due = owed(market.reims), earned(market.rennes)

    reverse_request(by=OPERATOR, request=request, reason="nonsense")

    assert (owed(market.rennes), owed(market.reims), earned(market.rennes)) == (0, *due)
    for transfer in Transfer.objects.filter(debit__institution=market.reims):
        reverse(by=OPERATOR, transfer=transfer, reason="a slip")
    assert outcome() == {}


def test_a_grant_is_reversed_once_and_a_reversal_never(market: Market) -> None:
    given_ = grant(by=OPERATOR, institution=market.rennes, amount_nano=5, reason="code")
    back = reverse(by=OPERATOR, transfer=given_, reason="twice entered")

    assert reverse(by=OPERATOR, transfer=given_, reason="again") == back
    assert set(outcome().values()) == set()
    with pytest.raises(ValidationError, match="reversal is not reversed"):
        reverse(by=OPERATOR, transfer=back, reason="no")


@pytest.mark.parametrize("amount", [0, -1, 10**9 * 10_000_001])
def test_a_grant_is_of_a_possible_amount(market: Market, amount: int) -> None:
    with pytest.raises(ValidationError, match="at most ten million"):
        grant(by=OPERATOR, institution=market.rennes, amount_nano=amount, reason="code")
    assert outcome() == {}


def test_only_the_federations_finance_keeps_the_accounts() -> None:
    cast = make_cast()
    model = serve_model(cast.rennes).version.model
    set_price(by=make_user("fin", Role.FINANCE), model=model, units=Units(prompt_nano=1))

    for person in (cast.rennes_dsi, cast.rennes_user, make_user("aud", Role.AUDITOR)):
        with pytest.raises(PermissionDenied):
            set_price(by=person, model=model, units=Units(prompt_nano=2))
        with pytest.raises(PermissionDenied):
            set_fee(by=person, basis_points=1)
        with pytest.raises(PermissionDenied):
            grant(by=person, institution=cast.rennes, amount_nano=1, reason="mine")


@pytest.mark.parametrize(
    ("units", "shift", "why"),
    [
        (Units(prompt_nano=-1), timedelta(days=1), "is_possible|violated"),
        (Units(prompt_nano=10**9 + 1), timedelta(days=1), "is_possible|violated"),
        (Units(), timedelta(days=1), "at least one unit"),
        (Units(prompt_nano=1), timedelta(days=-1), "past stays"),
        (Units(prompt_nano=1), timedelta(0), "past stays"),
        (Units(prompt_nano=1), timedelta(days=800), "two years"),
    ],
)
def test_a_price_that_cannot_be_is_refused(units: Units, shift: timedelta, why: str) -> None:
    model = serve_model(make_institution("rennes")).version.model

    with pytest.raises(ValidationError, match=why):
        set_price(by=OPERATOR, model=model, units=units, valid_from=timezone.now() + shift)
    assert not PriceVersion.objects.exists()


def test_a_price_is_withdrawn_until_it_begins(market: Market) -> None:
    model = market.served[0].version.model
    price = set_price(by=OPERATOR, model=model, units=Units(prompt_nano=2), kind=PriceKind.FINAL)
    withdraw_price(by=OPERATOR, price=price)
    begun = model.prices.first()
    assert begun is not None

    assert not PriceVersion.objects.filter(pk=price.pk).exists()
    with pytest.raises(ValidationError, match="in force, or was"):
        withdraw_price(by=OPERATOR, price=begun)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_charged_by_a_fee_that_begins_while_it_is_withdrawn(serving: Market) -> None:
    soon = timezone.now() + timedelta(seconds=0.5)
    fee = FeeVersion.objects.create(basis_points=9_000, valid_from=soon)
    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            withdraw_fee(by=OPERATOR, fee=fee)
            time.sleep(0.6)
            asked = serving.asked(serving.reims, serving.served[0], timezone.now())
            storing = begin(threads, partial(store, [asked]), waiting=1)
        storing.result(PATIENCE_SECONDS)

    record = UsageRecord.objects.get()
    assert record.fee_nano == record.cost_nano * 500 // 10_000


def test_a_clock_ahead_charges_by_no_price_to_come(market: Market) -> None:
    """And the month goes on when that price is taken back."""
    soon, model = timezone.now() + timedelta(days=1), market.served[0].version.model
    price = set_price(by=OPERATOR, model=model, units=Units(prompt_nano=999_999), valid_from=soon)
    set_fee(by=OPERATOR, basis_points=9_999, institution=market.orleans, valid_from=soon)

    store([market.asked(market.orleans, market.served[0], soon + timedelta(days=1))])
    withdraw_price(by=OPERATOR, price=price)

    record = UsageRecord.objects.get()
    begun = model.prices.at(timezone.now()).get()
    assert (record.price_id, record.fee_nano) == (begun.pk, 0)
    assert record.booked_month == THIS_MONTH
    assert [line.unit_nano for line in draft_of(market.orleans, THIS_MONTH).lines]
    assert not findings()


def test_a_price_that_something_was_charged_by_is_not_withdrawn(market: Market) -> None:
    """As of a database of before, or of one whose clock was ahead."""
    model = market.served[0].version.model
    price = set_price(by=OPERATOR, model=model, units=Units(prompt_nano=2))
    store([market.asked(market.orleans, market.served[0])])
    for rows in (UsageRecord.objects, UsageCharge.objects):
        rows.update(price_id=price.pk)

    with pytest.raises(ValidationError, match="charged by it"):
        withdraw_price(by=OPERATOR, price=price)

    assert PriceVersion.objects.filter(pk=price.pk).exists()


def test_a_charge_whose_price_is_gone_stands_in_its_statement_and_is_named(market: Market) -> None:
    store([market.asked(market.orleans, market.served[0])])
    gone = uuid7()
    for rows in (UsageRecord.objects, UsageCharge.objects):
        rows.update(price_id=gone)

    (line,) = draft_of(market.orleans, MARCH).lines

    assert line.exact_nano == UsageRecord.objects.get().cost_nano
    assert (line.label, line.unit) == ("used, at a price that is not known", None)
    named = ["1 charges name a price that is not there: their statements tell amounts only"]
    assert findings() == named
    draft_month(by=OPERATOR, month=MARCH)
    close_month(by=OPERATOR, month=MARCH)
    document = of_statement(Statement.objects.get(institution=market.orleans))
    assert document.lines == (line,)
    (page,) = PdfReader(BytesIO(files.pdf(document, "en"))).pages
    assert "at a price that is not known" in " ".join(page.extract_text().split())
    assert findings() == named


def test_what_ended_before_it_came_is_charged_as_of_its_arrival(market: Market) -> None:
    """A clock that was set back meanwhile gives nothing away."""
    long_ago = datetime(2012, 1, 5, tzinfo=UTC).timestamp()
    right = market.asked(market.orleans, market.served[0])

    store([replace(right, finished_at=long_ago)])

    record = UsageRecord.objects.get()
    assert record.finished_at == record.received_at == HISTORY
    assert record.booked_month == date(2026, 3, 1)
    assert record.cost_nano == owed(market.orleans) > 0
    assert set(UsageDay.objects.values_list("since", flat=True)) == {HISTORY.date()}
    assert not findings()


def test_what_was_free_by_a_clock_that_was_wrong_from_the_start_is_named(market: Market) -> None:
    store([market.asked(market.orleans, market.served[0], datetime(2012, 1, 5, tzinfo=UTC))])
    other = serve_model(market.rennes, "free-until-now")
    store([market.asked(market.orleans, other, timezone.now())])
    set_price(by=OPERATOR, model=other.version.model, units=Units(prompt_nano=2))

    assert findings() == ["1 usage records are without a price, by a clock that was wrong"]


def test_what_is_booked_now_lies_in_the_first_month_that_is_not_closed() -> None:
    assert month_to_book() == THIS_MONTH
    AccountingPeriod.objects.create(month=THIS_MONTH, **CLOSED)
    assert month_to_book() > THIS_MONTH


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_charge_exactly() -> None:
    market = Market()
    requests = [market.request(n) for n in range(120)]
    troubles: list[Exception] = []

    def write(part: Sequence[Closed]) -> None:
        try:
            for first in range(0, len(part), 7):
                intake.store(part[first : first + 7])
        except Exception as error:  # noqa: BLE001  # told by the test
            troubles.append(error)
        finally:
            connection.close()

    parts = (requests[:60], requests[60:], requests[::-1], requests[::2])
    writers = [Thread(target=write, args=(part,)) for part in parts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert troubles == []
    assert findings() == []
    assert outcome() == expected(market, requests)


@pytest.mark.django_db(transaction=True)
def test_requests_grants_and_reversals_at_the_same_time_are_all_summed() -> None:
    market = Market()
    early = [market.asked(market.orleans, served) for served in market.served * 3]
    store(early)
    records = list(UsageRecord.objects.all())
    late = [market.request(n) for n in range(60)]

    def arrive() -> None:
        for request in late:
            store([request])

    def take_back() -> None:
        for record in records:
            reverse_request(by=OPERATOR, request=record, reason="nonsense")

    def give() -> None:
        for institution in (market.rennes, market.reims, market.orleans) * 3:
            reverse(
                by=OPERATOR,
                transfer=grant(by=OPERATOR, institution=institution, amount_nano=7, reason="code"),
                reason="a slip",
            )

    at_once([arrive, take_back, give, arrive])

    assert findings() == []
    assert AccountMonth.objects.balances() == {
        code: nano for code, nano in balances().items() if code in summed_accounts()
    }


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000))
@pytest.mark.django_db(transaction=True)
def test_reversers_at_the_same_time_take_each_thing_back_once(
    transactional_db: None, serving: Market, seed: int
) -> None:
    """I6: requests, and transfers with all that they paid for, by three at once, each in an order of its own."""
    draw = random.Random(seed)
    known = set(Transfer.objects.values_list("pk", flat=True))
    for _batch in range(2):
        store([serving.request(draw.randrange(10**6)) for _ in range(8)])
    paid = list(Transfer.objects.exclude(pk__in=known))
    records = list(UsageRecord.objects.filter(posting_id__in={each.posting_id for each in paid}))
    transfers = draw.sample(paid, len(paid) // 2)
    requests = draw.sample(records, len(records) // 2)

    def reverser() -> None:
        acts: list[Callable[..., object]] = [partial(reverse, transfer=each) for each in transfers]
        acts += [partial(reverse_request, request=each) for each in requests]
        draw.shuffle(acts)
        for act in acts:
            with suppress_reversed():
                act(by=OPERATOR, reason="nonsense")

    at_once([reverser] * 3)

    for transfer in paid:
        assert taken_back_once(transfer, records) or transfer not in transfers
    for record in requests:
        of = [each for each in paid if part_of(record, each)]
        keys = [f"reversal:{each.reason}:{record.pk}" for each in of]
        assert Transfer.objects.filter(Q(reverses__in=of) | Q(key__in=keys)).exists()
    assert findings() == []
    before = balances()
    reverser()
    assert balances() == before


def taken_back_once(transfer: Transfer, records: Sequence[UsageRecord]) -> bool:
    """Return whether something of it was: either all, or requests that it paid for, each by its own part."""
    parts = {
        f"reversal:{transfer.reason}:{each.pk}": part_of(each, transfer)
        for each in records
        if part_of(each, transfer)
    }
    back = Transfer.objects.filter(Q(reverses=transfer) | Q(key__in=parts))
    assert sum(parts.values()) == transfer.amount_nano
    assert len(back) <= 1 or all(each.reverses_id is None for each in back)
    for each in back:
        assert (each.debit_id, each.credit_id) == (transfer.credit_id, transfer.debit_id)
        assert each.amount_nano == parts.get(each.key, transfer.amount_nano)
    return bool(back)


def part_of(record: UsageRecord, transfer: Transfer) -> int:
    """What of a transfer a request is: nothing, when the transfer paid for others."""
    sides = (record.asking_institution_id, record.serving_institution_id, record.booked_month)
    if transfer.posting_id != record.posting_id or not transfer.key.endswith(
        ":".join(map(str, sides))
    ):
        return 0
    is_fee = transfer.reason == "fee"
    return record.fee_nano if is_fee else record.cost_nano - record.fee_nano


@contextmanager
def suppress_reversed() -> Iterator[None]:
    """What another has taken back already is refused."""
    try:
        yield
    except ValidationError as refusal:
        if refusal.code != "reversed":
            raise


def summed_accounts() -> set[str]:
    return set(AccountMonth.objects.values_list("account_id", flat=True))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_accountmonth SET received_nano = received_nano + 1",
        "UPDATE billing_accountmonth SET own_nano = own_nano + 1",
        "DELETE FROM billing_accountmonth WHERE given_nano > 0",
        "UPDATE billing_accountmonth SET month = '2026-05-01'",
    ],
)
def test_a_sum_that_is_not_its_transfers_is_found(market: Market, change: str) -> None:
    store([market.asked(market.orleans, served) for served in market.served])
    assert findings() == []

    with connection.cursor() as cursor:
        cursor.execute(change)

    assert any("months are not the sum" in finding for finding in findings())


def test_sums_of_before_are_filled_in_from_transfers_and_charges(market: Market) -> None:
    store([market.request(n) for n in range(40)])
    store([market.asked(Institution(pk=UUID(int=404)), market.served[0])])
    grant(by=OPERATOR, institution=market.reims, amount_nano=11, reason="code")
    before = list(AccountMonth.objects.order_by("account", "month").values(*SUMMED))
    AccountMonth.objects.all().delete()

    with connection.cursor() as cursor:
        cursor.execute(import_module("billing.migrations.0021_accounts_by_month").FILLED)

    assert list(AccountMonth.objects.order_by("account", "month").values(*SUMMED)) == before


def test_a_month_in_which_nothing_cost_anything_is_one_of_the_accounts(market: Market) -> None:
    unpriced = serve_model(market.rennes, "unpriced")
    store([market.asked(market.orleans, unpriced)])

    for who in (market.orleans, market.rennes):
        reader = make_user(f"dsi_{who.slug}", Role.MEMBER_DSI, institution=who)
        assert months(reader) == [date(2026, 3, 1)]
    assert months(make_user("dsi_reims", Role.MEMBER_DSI, institution=market.reims)) == []


def test_the_actor_of_a_command_keeps_accounts() -> None:
    actor = CommandActor("set_price")
    rennes = make_institution("rennes")

    transfer = grant(by=actor, institution=rennes, amount_nano=7, reason="hosting")

    assert transfer.made_by is None
    assert balances()[f"{AccountKind.ALLOCATION.value}:{rennes.pk}"] == 7
    assert Transfer.objects.aggregate(total=Sum("amount_nano"))["total"] == 7
