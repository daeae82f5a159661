"""A line is contested and answered: drafts are put right in place, closed statements by credit notes alone."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.enums import AccountKind, ContestState, LineKind
from billing.ledger.balances import balances, findings
from billing.models import (
    Acceptance,
    AccountingPeriod,
    Contest,
    Note,
    Statement,
    Transfer,
    UsageRecord,
)
from billing.operations.contests import (
    Remedy,
    accept_statement,
    contest_line,
    reject_contest,
    uphold_contest,
    withdraw_contest,
)
from billing.operations.ledger import grant, reverse, reverse_request
from billing.operations.months import close_month, draft_month
from billing.operations.returned import left_of
from billing.periods import paris_today
from billing.records import intake
from billing.statements import standing
from billing.statements.document import of_note, of_statement
from billing.statements.standing import TACIT_DAYS, standing_of
from billing.statements.statement import NANO_PER_CENT, draft_of, kept, keys_of
from dashboards.decisions import waiting_for
from federation.journal import operations as journal
from federation.members.models import Institution
from federation.people import operations as people
from federation.people.enums import Role
from federation.people.models import Mail, User
from tests.integration.billing.market import HISTORY, Market, price_from
from tests.integration.billing.test_lock_order import PATIENCE_SECONDS, begin
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, make_institution, make_user

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)
THIS_MONTH = paris_today().replace(day=1)


@pytest.fixture(autouse=True)
def _reasons_in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def market() -> Market:
    found = Market()
    fill(found)
    return found


@pytest.fixture
def dsi(market: Market) -> User:
    return make_user("dsi", Role.MEMBER_FINANCE, institution=market.orleans)


def fill(market: Market) -> None:
    """Orléans used 12.34 € at Rennes's, in requests of 10 cents and one of 4."""
    requests = [
        market.asked(
            market.orleans,
            market.served[0],
            prompt_tokens=tokens,
            cached_tokens=0,
            completion_tokens=0,
        )
        for tokens in (*[1_000_000] * 5, 400_000)
    ]
    intake.store(requests)


def draft() -> None:
    draft_month(by=OPERATOR, month=MARCH)


def close() -> None:
    draft()
    close_month(by=OPERATOR, month=MARCH)


def contest(by: object, institution: Institution, position: int = 0) -> Contest:
    row = Statement.objects.filter(institution=institution, period_id=MARCH).first()
    lines = (kept(row) if row else draft_of(institution, MARCH)).lines
    return contest_line(
        by=by,  # type: ignore[arg-type]
        institution=institution,
        month=MARCH,
        line_key=keys_of(lines)[position],
        reason="we were not there",
    )


def balance(kind: AccountKind, institution: Institution) -> int:
    return balances().get(f"{kind.value}:{institution.pk}", 0)


def test_contests_of_one_line_bring_back_no_more_than_the_line(market: Market, dsi: User) -> None:
    draft()

    def uphold(cents: int) -> None:
        remedy = Remedy(amount_nano=cents * NANO_PER_CENT, other=market.rennes)
        made = Contest.objects.waiting().first() or contest(dsi, market.orleans)
        uphold_contest(by=OPERATOR, contest=made, answer="counted twice", remedy=remedy)

    uphold(50)
    with pytest.raises(ValidationError, match="at most what the line says"):
        uphold(5)
    uphold(4)

    assert balance(AccountKind.CONSUMER, market.orleans) == 0


def by_a_request() -> Remedy:
    return Remedy(request=UsageRecord.objects.filter(prompt_tokens=1_000_000).first())


def by_a_transfer() -> Remedy:
    return Remedy(transfer=Transfer.objects.get(reason="usage"))


@pytest.mark.parametrize("settle", [draft, close])
@pytest.mark.parametrize(("first", "left"), [(by_a_request, 44), (by_a_transfer, 0)])
def test_what_a_contest_has_taken_back_is_a_part_of_what_comes_back(
    market: Market, dsi: User, settle: Callable[[], None], first: Callable[[], Remedy], left: int
) -> None:
    settle()
    uphold_contest(by=OPERATOR, contest=contest(dsi, market.orleans), answer="y", remedy=first())
    again = contest(dsi, market.orleans)

    remedy = Remedy(amount_nano=left * NANO_PER_CENT + 1, other=market.rennes)
    with pytest.raises(ValidationError, match="at most what the line says"):
        uphold_contest(by=OPERATOR, contest=again, answer="y", remedy=remedy)
    if left:
        remedy = Remedy(amount_nano=left * NANO_PER_CENT, other=market.rennes)
        uphold_contest(by=OPERATOR, contest=again, answer="y", remedy=remedy)

    assert balance(AccountKind.CONSUMER, market.orleans) == 0
    assert findings() == []


@pytest.mark.parametrize("settle", [draft, close])
@pytest.mark.parametrize("then", [by_a_request, by_a_transfer])
def test_what_an_amount_has_brought_back_is_not_taken_back_again(
    market: Market, dsi: User, settle: Callable[[], None], then: Callable[[], Remedy]
) -> None:
    settle()
    most = Remedy(amount_nano=45 * NANO_PER_CENT, other=market.rennes)
    uphold_contest(by=OPERATOR, contest=contest(dsi, market.orleans), answer="y", remedy=most)
    again, before = contest(dsi, market.orleans), balances()

    with pytest.raises(ValidationError, match="more than the line says"):
        uphold_contest(by=OPERATOR, contest=again, answer="y", remedy=then())

    assert balances() == before
    reverse(by=OPERATOR, transfer=Transfer.objects.get(reason="correction"), reason="better whole")
    uphold_contest(by=OPERATOR, contest=again, answer="y", remedy=then())
    assert findings() == []


def test_each_line_gets_back_its_own_part_of_a_request(market: Market) -> None:
    """Reims pays a fee to Rennes's: what was read, written and heard of one request of two are its lines' parts."""
    later = market.turn + timedelta(hours=1)
    facts: dict[str, Any] = {
        "prompt_tokens": 90,
        "cached_tokens": 40,
        "completion_tokens": 7,
        "images": 1,
    }
    one, other = (
        market.asked(market.reims, market.served[0], later, audio_ms=ms, **facts)
        for ms in (1501, 77)
    )
    intake.store([one, other])
    close()
    lines = kept(Statement.objects.get(institution=market.reims)).lines
    keys = keys_of(lines)
    record = UsageRecord.objects.get(pk=one.opened.id)
    reverse_request(by=OPERATOR, request=record, reason="nonsense")

    left = left_of(market.reims, MARCH, keys)

    back = {line.unit: line.exact_nano - left[key] for line, key in zip(lines, keys, strict=True)}
    assert back == {
        "prompt": 50 * 17,
        "cached": 40 * 17,
        "completion": 7 * 1001,
        "image": 90_000,
        "audio": 116,
    }
    assert sum(back.values()) == record.cost_nano
    host = kept(Statement.objects.get(institution=market.rennes)).lines
    fee = next(n for n, line in enumerate(host) if line.kind == LineKind.FEE)
    key = keys_of(host)[fee]
    assert -host[fee].exact_nano - left_of(market.rennes, MARCH, [key])[key] == record.fee_nano > 0


def test_a_fee_alone_that_is_taken_back_is_a_part_of_the_line(market: Market) -> None:
    intake.store([market.asked(market.reims, market.served[0], prompt_tokens=5000)])
    close()
    lines = kept(Statement.objects.get(institution=market.reims)).lines
    fee = Transfer.objects.get(reason="fee")

    reverse(by=OPERATOR, transfer=fee, reason="an institution of research")

    left = left_of(market.reims, MARCH, keys_of(lines))
    back = sum(line.exact_nano for line in lines) - sum(left.values())
    assert 0 <= back - fee.amount_nano < len(lines)  # each is rounded up
    usage = Transfer.objects.get(posting_id=fee.posting_id, reason="usage")
    reverse(by=OPERATOR, transfer=usage, reason="and the rest")
    assert set(left_of(market.reims, MARCH, keys_of(lines)).values()) == {0}


def test_what_is_contested_in_a_draft_is_put_right_in_the_draft(market: Market, dsi: User) -> None:
    draft()
    made = contest(dsi, market.orleans)

    uphold_contest(
        by=OPERATOR,
        contest=made,
        answer="counted twice",
        remedy=Remedy(amount_nano=20 * NANO_PER_CENT, other=market.rennes),
    )

    assert Transfer.objects.get(reason="correction").booked_month == MARCH
    assert not Note.objects.exists()
    close_month(by=OPERATOR, month=MARCH)
    statement = Statement.objects.get(institution=market.orleans)
    assert (statement.used_cents, statement.net_cents) == (34, -34)
    assert Statement.objects.get(institution=market.rennes).served_cents == 34
    assert findings() == []


def test_a_closed_statement_stays_and_both_get_a_credit_note(market: Market, dsi: User) -> None:
    close()
    before = {row.pk: of_statement(row) for row in Statement.objects.all()}
    made = contest(dsi, market.orleans)

    record = UsageRecord.objects.filter(prompt_tokens=1_000_000).first()
    assert record is not None
    uphold_contest(by=OPERATOR, contest=made, answer="nonsense", remedy=Remedy(request=record))

    assert {row.pk: of_statement(row) for row in Statement.objects.all()} == before
    consumer, host = (Note.objects.get(institution=who) for who in (market.orleans, market.rennes))
    assert (consumer.used_cents, consumer.net_cents) == (-10, 10)
    assert (host.served_cents, host.net_cents) == (-10, -10)
    document = of_note(consumer)
    assert document.refers_to is not None
    statement = Statement.objects.get(institution=market.orleans)
    assert document.refers_to.number == statement.number
    assert document.refers_to.lines_hash == statement.lines_hash
    assert consumer.contest == made
    assert balance(AccountKind.CONSUMER, market.orleans) == -44 * NANO_PER_CENT
    assert draft_of(market.orleans, THIS_MONTH).lines == ()
    assert findings() == []


def test_what_is_corrected_twice_of_a_cent_adds_up(market: Market) -> None:
    small = [
        market.asked(market.orleans, market.served[0], prompt_tokens=60_000, cached_tokens=0)
        for _n in range(4)
    ]
    intake.store(small)
    close()

    for request in small:
        record = UsageRecord.objects.get(pk=request.opened.id)
        reverse_request(by=OPERATOR, request=record, reason="nonsense")

    cents = [note.used_cents for note in Note.objects.filter(institution=market.orleans)]
    exact = sum(UsageRecord.objects.get(pk=each.opened.id).cost_nano for each in small)
    assert len(cents) == 4
    assert abs(sum(cents) * NANO_PER_CENT + exact) * 2 <= NANO_PER_CENT
    assert min(cents) < 0
    assert findings() == []


def test_what_a_grant_paid_goes_back_to_it_once_nothing_else_was_paid(market: Market) -> None:
    grant(by=OPERATOR, institution=market.orleans, amount_nano=50 * NANO_PER_CENT, reason="code")
    close()
    assert Statement.objects.get(institution=market.orleans).granted_cents == 50

    for record in UsageRecord.objects.filter(prompt_tokens=1_000_000)[:2]:
        reverse_request(by=OPERATOR, request=record, reason="nonsense")

    notes = list(Note.objects.filter(institution=market.orleans).order_by("number"))
    assert [note.granted_cents for note in notes] == [-6, -10]
    assert [note.net_cents for note in notes] == [4, 0]
    assert balance(AccountKind.ALLOCATION, market.orleans) == 16 * NANO_PER_CENT
    assert findings() == []


@pytest.mark.parametrize("kind", ["rounding", "grant_used", "grant_back"])
def test_what_follows_from_a_document_is_not_reversed_by_itself(market: Market, kind: str) -> None:
    """I4, I9: the ledger says what statements and credit notes do, and what is owed is what others earn."""
    grant(by=OPERATOR, institution=market.orleans, amount_nano=50 * NANO_PER_CENT, reason="code")
    intake.store([market.asked(market.orleans, market.served[0], prompt_tokens=7)])
    close()
    record = UsageRecord.objects.filter(prompt_tokens=1_000_000)[0]
    reverse_request(by=OPERATOR, request=record, reason="nonsense")
    before = balances(), Note.objects.count()
    made = Transfer.objects.filter(reason=kind)
    assert made

    for transfer in made:
        with pytest.raises(ValidationError, match="take back what") as refusal:
            reverse(by=OPERATOR, transfer=transfer, reason="a slip")
        assert refusal.value.code == f"is_{kind}"

    assert (balances(), Note.objects.count()) == before
    assert findings() == []


def test_a_line_is_contested_once_until_it_is_answered(market: Market, dsi: User) -> None:
    draft()
    made = contest(dsi, market.orleans)
    with pytest.raises(ValidationError, match="contested already"):
        contest(dsi, market.orleans)

    withdraw_contest(by=dsi, contest=made)

    assert contest(dsi, market.orleans).pk != made.pk


def test_a_line_is_found_again_in_a_draft_that_has_grown(market: Market, dsi: User) -> None:
    draft()
    before = keys_of(draft_of(market.orleans, MARCH).lines)
    fill(market)

    assert keys_of(draft_of(market.orleans, MARCH).lines) == before


def test_what_comes_late_at_an_older_price_is_another_line(market: Market, dsi: User) -> None:
    """A token of the prompt costs the same at both: nothing but their order tells these lines apart."""
    served = market.served[0]
    for days, completion_nano in ((5, 1), (2, 2)):
        begun = HISTORY - timedelta(days=days)
        price_from(begun, served, prompt_nano=50, completion_nano=completion_nano)
    of_prompts: dict[str, Any] = {"cached_tokens": 0, "completion_tokens": 0}

    def ask(at: datetime, tokens: int) -> None:
        intake.store([
            market.asked(market.orleans, served, at, prompt_tokens=tokens, **of_prompts)
        ])  # fmt: skip

    ask(HISTORY, 2_000_000)
    draft()
    made = contest(dsi, market.orleans, 1)
    assert made.exact_nano == 2_000_000 * 50

    ask(HISTORY - timedelta(days=3), 100_000_000)

    assert left_of(market.orleans, MARCH, [made.line_key]) == {made.line_key: made.exact_nano}


def test_only_its_own_finance_speaks_for_an_institution(market: Market, dsi: User) -> None:
    draft()
    fin = make_user("fin", Role.FINANCE)
    for person in (
        fin,
        make_user("other", Role.MEMBER_FINANCE, institution=market.rennes),
        make_user("user", Role.USER, institution=market.orleans),
    ):
        with pytest.raises(PermissionDenied):
            contest(person, market.orleans)
        with pytest.raises(PermissionDenied):
            accept_statement(by=person, institution=market.orleans, month=MARCH, lines_hash="")
    made = contest(dsi, market.orleans)
    with pytest.raises(PermissionDenied):
        reject_contest(by=dsi, contest=made, answer="no")
    with pytest.raises(PermissionDenied):
        uphold_contest(by=dsi, contest=made, answer="yes", remedy=Remedy(amount_nano=1))
    reject_contest(by=fin, contest=made, answer="it is right")


@pytest.mark.parametrize(
    "remedy",
    [
        Remedy(),
        Remedy(amount_nano=-1),
        Remedy(amount_nano=54 * NANO_PER_CENT + 1),
        Remedy(amount_nano=2**70),
    ],
)
def test_an_amount_is_no_more_than_the_line(market: Market, dsi: User, remedy: Remedy) -> None:
    close()
    made = contest(dsi, market.orleans)

    with pytest.raises(ValidationError, match=r"at most what the line says: €0\.54 of it is left"):
        uphold_contest(by=OPERATOR, contest=made, answer="yes", remedy=remedy)

    assert Contest.objects.get().state == ContestState.OPEN
    assert not Transfer.objects.filter(reason="correction").exists()


def test_of_a_line_that_is_gone_a_request_is_taken_back(market: Market, dsi: User) -> None:
    """In a draft a line names the institution as it is called now; contested was the old one."""
    draft()
    made = contest(dsi, market.orleans)
    Institution.objects.filter(pk=market.rennes.pk).update(name="Rennes et Nantes")

    with pytest.raises(ValidationError, match="not in the statement any more, so no amount"):
        uphold_contest(by=OPERATOR, contest=made, answer="yes", remedy=Remedy(amount_nano=1))
    uphold_contest(by=OPERATOR, contest=made, answer="yes", remedy=by_a_request())

    assert balance(AccountKind.CONSUMER, market.orleans) == -44 * NANO_PER_CENT


def test_a_remedy_is_of_the_statement_that_is_contested(market: Market, dsi: User) -> None:
    intake.store([market.asked(market.reims, market.served[0])])
    close()
    made = contest(dsi, market.orleans)
    strange = UsageRecord.objects.get(asking_institution_id=market.reims.pk)
    moved = Transfer.objects.get(posting_id=strange.posting_id, reason="usage")
    with pytest.raises(ValidationError, match="not one of this statement"):
        uphold_contest(by=OPERATOR, contest=made, answer="y", remedy=Remedy(request=strange))
    with pytest.raises(ValidationError, match="not one of this statement"):
        uphold_contest(by=OPERATOR, contest=made, answer="y", remedy=Remedy(transfer=moved))
    with pytest.raises(ValidationError, match="no statement of this month"):
        uphold_contest(
            by=OPERATOR,
            contest=made,
            answer="y",
            remedy=Remedy(amount_nano=1, other=make_institution("nantes")),
        )


def test_who_bears_it_may_be_the_federation(market: Market) -> None:
    close()
    host = make_user("host", Role.MEMBER_DSI, institution=market.rennes)
    made = contest(host, market.rennes)

    uphold_contest(
        by=OPERATOR, contest=made, answer="lost", remedy=Remedy(amount_nano=3 * NANO_PER_CENT)
    )

    note = Note.objects.get()
    assert (note.institution, note.served_cents, note.net_cents) == (market.rennes, 3, 3)
    assert [line.kind for line in note.lines.all()] == [LineKind.CORRECTION_SERVED]
    assert balances()["fee"] == -3 * NANO_PER_CENT
    assert findings() == []


def test_a_credit_note_that_was_wrong_is_corrected_by_another(market: Market, dsi: User) -> None:
    close()
    made = contest(dsi, market.orleans)
    remedy = Remedy(amount_nano=20 * NANO_PER_CENT, other=market.rennes)
    uphold_contest(by=OPERATOR, contest=made, answer="yes", remedy=remedy)

    reverse(by=OPERATOR, transfer=Transfer.objects.get(reason="correction"), reason="too much")

    notes = Note.objects.filter(institution=market.orleans).order_by("number")
    assert [note.used_cents for note in notes] == [-20, 20]
    assert {note.statement for note in notes} == {Statement.objects.get(institution=market.orleans)}
    assert balance(AccountKind.CONSUMER, market.orleans) == -54 * NANO_PER_CENT
    assert findings() == []


def test_a_batch_is_not_taken_back_when_one_of_its_requests_is(market: Market) -> None:
    record = UsageRecord.objects.first()
    assert record is not None
    reverse_request(by=OPERATOR, request=record, reason="nonsense")

    with pytest.raises(ValidationError, match="one by one"):
        reverse(by=OPERATOR, transfer=Transfer.objects.get(reason="usage"), reason="all")


def test_a_statement_is_accepted_as_it_was_read(market: Market, dsi: User) -> None:
    draft()
    seen = draft_of(market.orleans, MARCH)
    fill(market)
    with pytest.raises(ValidationError, match="changed meanwhile"):
        accept(dsi, market, seen.lines_hash)

    whole = draft_of(market.orleans, MARCH)
    for _again in range(2):
        accept(dsi, market, whole.lines_hash)

    assert Acceptance.objects.get().accepted_by == dsi
    close_month(by=OPERATOR, month=MARCH)
    period = AccountingPeriod.objects.get(month=MARCH)
    assert standing_of(period, whole).is_final
    with pytest.raises(ValidationError, match="accepted already"):
        contest(dsi, market.orleans)


def test_a_closed_statement_waits_for_its_institution(
    market: Market, dsi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the first page, until it is accepted, or time has passed."""

    def waiting(user: User) -> list[tuple[str, int]]:
        return [(each.address, each.number) for each in waiting_for(user)]

    draft()
    assert waiting(dsi) == []
    close_month(by=OPERATOR, month=MARCH)
    other = make_user("other", Role.MEMBER_FINANCE, institution=market.reims)
    assert waiting(dsi) == [("/accounts/months/", 1)]
    assert waiting(other) == []

    with monkeypatch.context() as patched:
        patched.setattr(standing, "TACIT_DAYS", 0)
        assert waiting(dsi) == []
    accept(dsi, market, Statement.objects.get(institution=market.orleans).lines_hash)
    assert waiting(dsi) == []


def accept(by: User, market: Market, lines_hash: str) -> Acceptance:
    return accept_statement(by=by, institution=market.orleans, month=MARCH, lines_hash=lines_hash)


def test_silence_accepts_after_thirty_days_unless_a_line_waits(market: Market, dsi: User) -> None:
    close()
    draft_ = draft_of(market.orleans, MARCH)
    period = AccountingPeriod.objects.get(month=MARCH)
    contested = contest(dsi, market.orleans)
    period.closed_at = timezone.now() - timedelta(days=TACIT_DAYS)

    assert not standing_of(period, draft_).is_tacit
    reject_contest(by=OPERATOR, contest=contested, answer="it is right")
    assert standing_of(period, draft_).is_tacit
    period.closed_at = timezone.now() - timedelta(days=TACIT_DAYS - 1)
    assert not standing_of(period, draft_).is_tacit


def test_an_open_month_is_not_contested_yet(market: Market, dsi: User) -> None:
    with pytest.raises(ValidationError, match="not in draft yet"):
        contest(dsi, market.orleans)


def test_who_is_concerned_is_told(market: Market, dsi: User) -> None:
    fin = make_user("fin", Role.FINANCE)
    close()
    Mail.objects.all().delete()
    made = contest(dsi, market.orleans)
    assert {mail.person for mail in Mail.objects.all()} == {fin}
    Mail.objects.all().delete()

    remedy = Remedy(amount_nano=20 * NANO_PER_CENT, other=market.rennes)
    uphold_contest(by=fin, contest=made, answer="yes", remedy=remedy)

    assert [mail.person for mail in Mail.objects.all()] == [dsi, dsi]  # the answer, and the note


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_note SET used_cents = 0, net_cents = served_cents + granted_cents",
        "DELETE FROM billing_noteline",
        "UPDATE billing_acceptance SET lines_hash = ''",
    ],
)
def test_documents_are_never_changed(market: Market, dsi: User, change: str) -> None:
    close()
    record = UsageRecord.objects.first()
    assert record is not None
    reverse_request(by=OPERATOR, request=record, reason="nonsense")
    accept(dsi, market, Statement.objects.get(institution=market.orleans).lines_hash)

    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000))
def test_closed_months_stay_whatever_is_corrected(market: Market, seed: int) -> None:
    """I7, I8: statements keep their hash, corrections are booked in the first open month, numbers have no gap."""
    draw = random.Random(seed)
    with transaction.atomic():
        intake.store([market.request(draw.randrange(200)) for _ in range(30)])
        close()
        before = {row.pk: of_statement(row) for row in Statement.objects.all()}
        charged = UsageRecord.objects.exclude(posting_id=None).order_by("pk")
        for record in draw.sample(list(charged), min(5, charged.count())):
            reverse_request(by=OPERATOR, request=record, reason="nonsense")

        assert {row.pk: of_statement(row) for row in Statement.objects.all()} == before
        reversals = Transfer.objects.filter(reason="reversal")
        assert set(reversals.values_list("booked_month", flat=True)) <= {THIS_MONTH}
        assert findings() == []
        assert sum(balances().values()) == 0
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_two_answers_at_once_make_one_correction(transactional_db: None) -> None:
    market = Market()
    fill(market)
    close()
    made = contest(OPERATOR, market.orleans)
    refused: list[str] = []

    def answer() -> None:
        try:
            remedy = Remedy(amount_nano=20 * NANO_PER_CENT, other=market.rennes)
            uphold_contest(by=OPERATOR, contest=made, answer="yes", remedy=remedy)
        except ValidationError as error:
            refused.append(str(error.code))

    at_once([answer, answer])

    assert refused == ["forbidden_transition"]
    assert Note.objects.count() == 2
    assert Transfer.objects.filter(reason="correction").count() == 1
    assert findings() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("settle", [draft, close])
def test_an_answer_knows_what_is_taken_back_while_it_waits_for_the_books(
    transactional_db: None, settle: Callable[[], None]
) -> None:
    market = Market()
    fill(market)
    settle()
    made = contest(OPERATOR, market.orleans)
    whole = Remedy(amount_nano=54 * NANO_PER_CENT, other=market.rennes)
    uphold = partial(uphold_contest, by=OPERATOR, contest=made, answer="all of it", remedy=whole)
    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            request = UsageRecord.objects.filter(prompt_tokens=1_000_000).first()
            assert request is not None
            reverse_request(by=OPERATOR, request=request, reason="answered nonsense")
            answering = begin(threads, uphold, waiting=1)
        with pytest.raises(ValidationError):
            answering.result(PATIENCE_SECONDS)

    assert left_of(market.orleans, MARCH, [made.line_key]) == {made.line_key: 44 * NANO_PER_CENT}
    assert findings() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_accepted_at_this_moment_is_not_contested(transactional_db: None) -> None:
    market = Market()
    fill(market)
    close()
    seen = Statement.objects.get(institution=market.orleans).lines_hash
    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            accept_statement(by=OPERATOR, institution=market.orleans, month=MARCH, lines_hash=seen)
            contesting = begin(threads, partial(contest, OPERATOR, market.orleans), waiting=1)
        with pytest.raises(ValidationError):
            contesting.result(PATIENCE_SECONDS)

    assert not Contest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_answer_does_not_wait_for_who_closes_the_account_of_a_reader(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers has the journal before the letters, which name the account that the other holds."""
    market = Market()
    fill(market)
    reader = make_user("dsi", Role.MEMBER_FINANCE, institution=market.orleans)
    close()
    made = contest(reader, market.orleans)
    answering: list[Future[None]] = []

    def answer() -> None:
        try:
            reject_contest(by=OPERATOR, contest=made, answer="you were")
        finally:
            connection.close()

    with ThreadPoolExecutor() as threads:

        def answer_meanwhile(**said: Any) -> None:
            answering.append(threads.submit(answer))
            wait(answering, timeout=2)
            journal.record(**said)

        monkeypatch.setattr(people, "record", answer_meanwhile)
        people.close_account(by=OPERATOR, user=reader)
        answering[0].result(PATIENCE_SECONDS)

    made.refresh_from_db()
    assert made.state == ContestState.REJECTED


@pytest.mark.django_db(transaction=True)
def test_statements_of_before_get_numbers_without_gaps(transactional_db: None) -> None:
    fill(Market())
    close()
    migration = import_module("billing.migrations.0016_documents")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_statement DISABLE TRIGGER statements_stay")
        cursor.execute("UPDATE billing_statement SET number = left(md5(id::text), 16)")
        cursor.execute("ALTER TABLE billing_statement ENABLE TRIGGER statements_stay")
        cursor.execute("DELETE FROM billing_documentseries")

        with transaction.atomic():
            cursor.execute(migration.NUMBERS)

    year = paris_today().year
    numbers = Statement.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [f"{year}-00001", f"{year}-00002"]
    assert findings() == []
