"""A year's exact costs are shared out: to the cent, once, and then for good."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.enums import AccountKind, LineUnit
from billing.ledger.balances import balances, findings
from billing.models import CostPool, Note, Statement, Transfer, UsageRecord, YearShare
from billing.operations.contests import contest_line
from billing.operations.ledger import grant, reverse, reverse_request
from billing.operations.months import close_month, draft_month
from billing.operations.years import post_true_up, set_cost_pool
from billing.periods import paris_today
from billing.records import intake
from billing.statements.document import of_note
from billing.statements.statement import NANO_PER_CENT, kept, keys_of
from billing.statements.years import Billed, final_prices, settlement_of, split
from federation.members.models import Institution
from federation.people.enums import Role
from tests.integration.billing.market import Market, price_from
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, make_user

pytestmark = pytest.mark.django_db
YEAR = 2025
BEGUN = datetime(YEAR, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _reasons_in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def market() -> Market:
    return make_market()


def make_market() -> Market:
    found = Market()
    for served in found.served:
        price_from(BEGUN - timedelta(days=9), served, prompt_nano=10_000, completion_nano=30_000)
    return found


def use(market: Market, seed: int, count: int = 25) -> None:
    """Anybody asks anybody, all year long."""
    draw = random.Random(seed)
    everybody = [market.rennes, market.reims, market.orleans]
    intake.store([
        market.asked(
            draw.choice(everybody),
            draw.choice(market.served),
            BEGUN + timedelta(hours=draw.randrange(24 * 364)),
            prompt_tokens=draw.randrange(200_000),
            cached_tokens=0,
            completion_tokens=draw.randrange(50_000),
        )
        for _n in range(count)
    ])  # fmt: skip


def close_year() -> None:
    for number in range(1, 13):
        month = date(YEAR, number, 1)
        draft_month(by=OPERATOR, month=month)
        close_month(by=OPERATOR, month=month)


def enter(cents: int) -> CostPool:
    return set_cost_pool(by=OPERATOR, year=YEAR, amount_cents=cents, evidence="accounts of 2025")


def charged(institution: Institution) -> int:
    """What the ledger says an institution owes in all, in nano-euros."""
    return -balances().get(f"{AccountKind.CONSUMER.value}:{institution.pk}", 0)


@given(
    pool=st.integers(0, 10**10),
    used=st.lists(st.integers(0, 10**15), min_size=1, max_size=12),
    served=st.lists(st.integers(-(10**6), 10**15), min_size=12, max_size=12),
)
def test_shares_sum_to_the_costs(pool: int, used: list[int], served: list[int]) -> None:
    """I13, without a ledger: of who used, and of who served with the federation."""
    used[0] += 1
    billed = [
        Billed(Institution(), used_nano=u, billed_cents=u // 9 - 3, served_nano=s)
        for u, s in zip(used, served, strict=False)
    ]

    found = split(pool, billed)

    assert found.final_cents == pool
    assert found.earned_cents + found.federation_cents == pool
    for share in found.shares:
        exact = pool * share.billed.used_nano
        assert abs(share.final_cents * sum(used) - exact) < sum(used)
        assert min(share.final_cents, share.earned_cents) >= 0


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), pool=st.integers(0, 10**8), taken_back=st.integers(0, 4))
def test_final_charges_are_the_costs_exactly(
    market: Market, seed: int, pool: int, taken_back: int
) -> None:
    """I13: in the ledger to the nano-euro, in the documents to the cent, whatever was corrected before."""
    with transaction.atomic():
        use(market, seed)
        grant(by=OPERATOR, institution=market.orleans, amount_nano=7 * NANO_PER_CENT, reason="code")
        close_year()
        for record in UsageRecord.objects.exclude(posting_id=None)[:taken_back]:
            reverse_request(by=OPERATOR, request=record, reason="nonsense")

        post_true_up(by=OPERATOR, pool=enter(pool))

        shares = list(YearShare.objects.select_related("institution"))
        assert sum(share.final_cents for share in shares) == pool
        grants = Transfer.objects.filter(reason__in=("grant_used", "grant_back"))
        paid = sum(
            each.amount_nano if each.credit.kind == AccountKind.CONSUMER else -each.amount_nano
            for each in grants
        )
        owed = sum(charged(share.institution) for share in shares)
        assert owed + paid == pool * NANO_PER_CENT
        for note in Note.objects.filter(kind="true_up"):
            document = of_note(note)
            assert (document.used_cents, document.net_cents) == (note.used_cents, note.net_cents)
        assert findings() == []
        assert sum(balances().values()) == 0
        transaction.set_rollback(True)


def test_what_is_posted_is_what_was_seen(market: Market) -> None:
    use(market, 1)
    close_year()
    pool = enter(123_456)
    seen = settlement_of(pool)

    posted = post_true_up(by=OPERATOR, pool=pool)

    after = settlement_of(posted)
    assert [(s.institution, s.final_cents, s.earned_cents) for s in after.shares] == [
        (s.institution, s.final_cents, s.earned_cents) for s in seen.shares
    ]
    assert after.federation_cents == seen.federation_cents
    prices = final_prices(after, YEAR)
    whole = sum((price.final * price.quantity for price in prices), Decimal()) / 10**6
    assert abs(whole * 100 - 123_456) < 10


def test_it_is_posted_once(market: Market) -> None:
    use(market, 2)
    close_year()
    pool = post_true_up(by=OPERATOR, pool=enter(99_999))
    before = Transfer.objects.count()

    assert post_true_up(by=OPERATOR, pool=pool) == pool
    assert Transfer.objects.count() == before
    with pytest.raises(ValidationError, match="nothing of them changes"):
        enter(1)
    with pytest.raises(ValidationError, match="nothing of that year is corrected"):
        reverse(by=OPERATOR, transfer=Transfer.objects.filter(reason="usage")[0], reason="no")
    with pytest.raises(ValidationError, match="is settled once"):
        reverse(by=OPERATOR, transfer=Transfer.objects.filter(reason="true_up")[0], reason="no")


def test_a_year_is_settled_when_its_months_are_closed_and_nothing_waits(market: Market) -> None:
    use(market, 3)
    pool = enter(1_000)
    with pytest.raises(ValidationError, match="2025-12"):
        post_true_up(by=OPERATOR, pool=pool)
    close_year()
    statement = Statement.objects.filter(institution=market.orleans)[0]
    contest_line(
        by=OPERATOR,
        institution=market.orleans,
        month=statement.period_id,
        line_key=keys_of(kept(statement).lines)[0],
        reason="no",
    )

    with pytest.raises(ValidationError, match="contested"):
        post_true_up(by=OPERATOR, pool=pool)
    assert not YearShare.objects.exists()


def test_costs_that_changed_since_they_were_read_are_not_posted(market: Market) -> None:
    use(market, 4)
    close_year()
    pool = enter(1_000)
    enter(2_000)

    with pytest.raises(ValidationError, match="changed meanwhile"):
        post_true_up(by=OPERATOR, pool=pool, seen_cents=1_000)


@pytest.mark.parametrize("cents", [-1, 10**10 + 1, 2**70])
def test_costs_are_of_a_possible_amount(cents: int) -> None:
    with pytest.raises(ValidationError, match="hundred million"):
        enter(cents)
    with pytest.raises(ValidationError, match="not over yet"):
        set_cost_pool(by=OPERATOR, year=paris_today().year, amount_cents=1, evidence="x")


def test_audio_has_a_final_price_by_the_second(market: Market) -> None:
    served = market.served[0]
    price_from(BEGUN - timedelta(days=8), served, prompt_nano=10_000, audio_second_nano=100_000)
    at = BEGUN + timedelta(days=40)
    intake.store([market.asked(market.orleans, served, at, audio_ms=90_500)])
    close_year()

    prices = {each.unit: each for each in final_prices(settlement_of(enter(10_000)), YEAR)}

    assert prices[LineUnit.AUDIO].quantity == Decimal("90.5")
    assert prices[LineUnit.AUDIO].provisional == 100
    assert prices[LineUnit.PROMPT].provisional == 10


def test_costs_that_nobody_used_anything_for_are_shared_by_nobody(market: Market) -> None:
    close_year()
    with pytest.raises(ValidationError, match="nothing to share"):
        post_true_up(by=OPERATOR, pool=enter(1))


def test_only_the_federations_finance_settles_a_year(market: Market) -> None:
    pool = enter(1)
    for person in (
        make_user("aud", Role.AUDITOR),
        make_user("dsi", Role.MEMBER_DSI, institution=market.rennes),
    ):
        with pytest.raises(PermissionDenied):
            set_cost_pool(by=person, year=YEAR, amount_cents=1, evidence="x")
        with pytest.raises(PermissionDenied):
            post_true_up(by=person, pool=pool)


@pytest.mark.parametrize(
    "change",
    ["UPDATE billing_costpool SET amount_cents = 1", "DELETE FROM billing_yearshare"],
)
def test_a_posted_year_is_never_changed(market: Market, change: str) -> None:
    use(market, 5)
    close_year()
    post_true_up(by=OPERATOR, pool=enter(5_000))

    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_post_one_year(transactional_db: None) -> None:
    market = make_market()
    use(market, 6)
    close_year()
    pool = enter(54_321)
    first = UsageRecord.objects.exclude(posting_id=None)[0]
    refused: list[str] = []

    def post() -> None:
        post_true_up(by=OPERATOR, pool=pool)

    def correct() -> None:
        try:
            reverse_request(by=OPERATOR, request=first, reason="nonsense")
        except ValidationError as error:
            refused.append(str(error.code))

    at_once([post, correct, post])

    assert sum(share.final_cents for share in YearShare.objects.all()) == 54_321
    assert findings() == []
    assert refused in ([], ["settled"])
