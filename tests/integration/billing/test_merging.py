"""One institution becomes a part of another: not one amount is lost, whatever had happened before."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import transaction
from django_q.models import Schedule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import tasks
from billing.budgeting.spending import wrong_budgets
from billing.enums import OWN_ACCOUNTS, BudgetWindow, RequestState, TransferReason
from billing.ledger.balances import balances, findings
from billing.models import Account, Budget, BudgetGrant, Holder, Transfer, UsageCharge
from billing.operations import entries
from billing.operations.budgets import set_budget
from billing.operations.ledger import grant, reverse
from billing.operations.merging import merge_institutions
from billing.operations.months import close_month, draft_month
from billing.operations.requests import ask_for_more
from billing.records import intake
from billing.records.rollups import LEVELS, wrong_sums
from federation.access.models import ApiKey, Application
from federation.fleet.models import InferenceServer
from federation.journal.models import AuditEvent
from federation.members.enums import MembershipState
from federation.members.models import Institution
from federation.people.enums import Role
from routing.core.enums import BudgetUnit
from tests.integration.billing.conftest import used
from tests.integration.billing.market import Market
from tests.support.factories import OPERATOR, make_application, make_key, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return Market()


def by_kind(*institutions: Institution) -> dict[str, int]:
    """What these have together."""
    own = Account.objects.filter(institution__in=institutions)
    kinds = dict(own.values_list("code", "kind"))
    found = dict.fromkeys([kind.value for kind in OWN_ACCOUNTS], 0)
    for code, nano in balances().items():
        if code in kinds:
            found[kinds[code]] += nano
    return found


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.sets(st.integers(0, 300), max_size=25),
    after=st.sets(st.integers(301, 600), max_size=10),
    granted=st.integers(0, 10**10),
)
def test_a_merger_keeps_every_sum(
    market: Market, before: set[int], after: set[int], granted: int
) -> None:
    """I16, and again once requests of the old institution have come late."""
    old, new = market.reims, market.rennes
    with transaction.atomic():
        if granted:
            grant(by=OPERATOR, institution=old, amount_nano=granted, reason="hosting")
        for batch in (before, after):
            intake.store([market.request(n) for n in batch])
            whole, charges = by_kind(old, new), list(UsageCharge.objects.order_by("pk").values())
            theirs = (str(old.pk), str(new.pk))
            others = {code: n for code, n in balances().items() if not code.endswith(theirs)}

            merge_institutions(by=OPERATOR, old=old, new=new)

            assert by_kind(old, new) == whole
            assert set(by_kind(old).values()) == {0}
            assert sum(balances().values()) == 0
            assert findings() == []
            assert list(UsageCharge.objects.order_by("pk").values()) == charges
            assert {level: wrong_sums(level) for level in LEVELS} == dict.fromkeys(LEVELS, 0)
            assert {code: balances()[code] for code in others} == others
        transfers = Transfer.objects.count()
        assert merge_institutions(by=OPERATOR, old=old, new=new) == []
        assert Transfer.objects.count() == transfers
        transaction.set_rollback(True)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.sets(st.integers(0, 300), max_size=15),
    late=st.lists(st.sets(st.integers(301, 900), max_size=8), max_size=3),
)
def test_what_comes_late_moves_at_night_to_who_goes_on_at_last(
    market: Market, before: set[int], late: list[set[int]]
) -> None:
    """Reims is a part of Rennes, which is a part of Orléans: what Reims still gets is moved there, once."""
    all_three = market.reims, market.rennes, market.orleans
    with transaction.atomic():
        intake.store([market.request(n) for n in before])
        merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)
        merge_institutions(by=OPERATOR, old=market.rennes, new=market.orleans)
        for batch in late:
            intake.store([market.request(n) for n in batch])
            whole = by_kind(*all_three)

            tasks.follow_mergers()

            assert by_kind(*all_three) == whole
            assert set(by_kind(market.reims, market.rennes).values()) == {0}
            assert findings() == []
            rows = Transfer.objects.count(), AuditEvent.objects.count()
            tasks.follow_mergers()
            assert (Transfer.objects.count(), AuditEvent.objects.count()) == rows
        transaction.set_rollback(True)


def test_the_worker_is_told_to_follow_mergers_every_night() -> None:
    scheduled = Schedule.objects.get(func="billing.tasks.follow_mergers")
    assert (scheduled.schedule_type, scheduled.repeats) == (Schedule.DAILY, -1)


def test_a_part_of_a_part_is_merged_again_with_who_goes_on_alone(market: Market) -> None:
    merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)
    merge_institutions(by=OPERATOR, old=market.rennes, new=market.orleans)
    intake.store([market.request(n) for n in range(60)])

    with pytest.raises(ValidationError):
        merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)
    assert merge_institutions(by=OPERATOR, old=market.reims, new=market.orleans)

    market.reims.refresh_from_db()
    assert market.reims.successor == market.rennes  # whose part it was is not rewritten
    assert set(by_kind(market.reims).values()) == {0}


def test_what_works_goes_on_under_the_new_name(market: Market) -> None:
    old, new = market.reims, market.rennes
    person = make_user("reims_dsi", Role.MEMBER_DSI, institution=old)
    key, _text = make_key(make_application(old, owner=person, name="atelier"))
    make_application(new, name="atelier")
    server = InferenceServer.objects.get(site__institution=old)

    call_command("merge_institutions", "reims", "rennes")

    old.refresh_from_db()
    assert old.successor == new
    assert old.memberships.get().state == MembershipState.LEFT
    moved = ApiKey.objects.get(pk=key.pk)
    assert (moved.application.institution, moved.application.name) == (new, "atelier (reims)")
    assert moved.is_usable
    assert InferenceServer.objects.get(pk=server.pk).site.institution == new
    person = type(person).objects.get(pk=person.pk)
    assert person.institution_ids(Role.MEMBER_DSI) == {old.pk, new.pk}
    assert Application.objects.filter(institution=old).count() == 0


def test_what_is_asked_after_it_is_the_new_ones(market: Market) -> None:
    """Its servers answer for the new institution: what they answer to its people costs nothing any more."""
    old, new = market.reims, market.rennes
    merge_institutions(by=OPERATOR, old=old, new=new)

    intake.store([market.asked(new, market.served[1], market.turn + timedelta(hours=1))])

    assert not Transfer.objects.exists()
    assert UsageCharge.objects.get().serving_institution_id == new.pk


def test_a_month_with_a_merger_is_closed_as_its_statements_say(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "paris_today", lambda: date(2026, 3, 20))
    intake.store([market.request(n) for n in range(60)])
    moved = merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)
    assert {transfer.booked_month for transfer in moved} == {date(2026, 3, 1)}

    draft_month(by=OPERATOR, month=date(2026, 3, 1))
    close_month(by=OPERATOR, month=date(2026, 3, 1))

    assert findings() == []


def test_a_merger_is_not_reversed(market: Market) -> None:
    intake.store([market.request(n) for n in range(60)])
    moved = merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)

    with pytest.raises(ValidationError) as refusal:
        reverse(by=OPERATOR, transfer=moved[0], reason="a slip")

    assert refusal.value.code == "is_merger"
    assert not Transfer.objects.filter(reason=TransferReason.REVERSAL).exists()


def a_budget(owner: Holder | Institution, most: int = 100) -> Budget:
    return set_budget(
        by=OPERATOR, owner=owner, unit=BudgetUnit.REQUESTS, most=most, window=BudgetWindow.LIFE
    )


def test_budgets_of_people_go_on_bounding_their_keys(market: Market) -> None:
    old, new = market.reims, market.rennes
    one, both = (make_user(name, Role.USER, institution=old) for name in ("one", "both"))
    application = make_application(old, owner=one)
    key, _text = make_key(application)
    goes_on, ends = a_budget(Holder.of(one, old)), a_budget(Holder.of(both, old))
    stays = a_budget(Holder.of(both, new), most=7)

    merge_institutions(by=OPERATOR, old=old, new=new)

    application.refresh_from_db()
    assert list(Budget.objects.bounding(application)) == [goes_on]
    assert set(Budget.objects.in_force()) == {goes_on, stays}
    assert not Budget.objects.in_force().filter(pk=ends.pk).exists()
    key.refresh_from_db()
    intake.store([used(key, market.served[0])])
    assert BudgetGrant.objects.get(budget=goes_on).spent == 1
    assert wrong_budgets() == 0


def test_what_was_asked_of_a_budget_that_ends_waits_for_nobody(market: Market) -> None:
    finance = make_user("finance", Role.MEMBER_FINANCE, institution=market.reims)
    budget = a_budget(market.reims)
    asked = ask_for_more(by=finance, budget=budget, wanted=200, reason="a course")

    merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)

    asked.refresh_from_db()
    assert asked.state == RequestState.WITHDRAWN


@pytest.mark.parametrize(("old", "new"), [("rennes", "rennes"), ("rennes", "outside")])
def test_a_merger_that_is_none_is_refused(market: Market, old: str, new: str) -> None:
    Institution.objects.create(slug="outside", name="Outside", short_name="Outside")
    with pytest.raises(ValidationError):
        merge_institutions(
            by=OPERATOR,
            old=Institution.objects.get(slug=old),
            new=Institution.objects.get(slug=new),
        )


def test_nobody_is_a_part_of_two(market: Market) -> None:
    merge_institutions(by=OPERATOR, old=market.reims, new=market.rennes)

    for old, new in ((market.reims, market.orleans), (market.orleans, market.reims)):
        with pytest.raises(ValidationError):
            merge_institutions(by=OPERATOR, old=old, new=new)
