"""Acts about the accounts: prices, fees, what is granted and taken back. The federation's finance has them too."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone

from billing.enums import (
    BudgetWindow,
    ContestState,
    LineKind,
    PeriodState,
    RequestState,
    VatStatus,
)
from billing.models import (
    AccountingPeriod,
    BudgetRequest,
    Contest,
    CostPool,
    Statement,
    UsageRecord,
)
from billing.operations import (
    budgets,
    contests,
    invoices,
    ledger,
    merging,
    months,
    prices,
    requests,
    retention,
    years,
)
from billing.statements.statement import Draft, draft_of, keys_of
from federation.journal.actors import Actor
from federation.members.models import Institution
from routing.core.enums import BudgetUnit
from tests.integration.federation.acts.who import ADMIN, NOBODY, RENNES_DSI, Acts
from tests.integration.federation.world import World
from tests.support.calls import store_calls


def _reverse_request(world: World, by: Actor) -> object:
    """A request of Rennes's that Reims has answered, at a price that only time can have made."""
    model = world.deployment.version.model
    begun = timezone.now() - timedelta(days=1)
    type(world.price).objects.create(model=model, valid_from=begun, prompt_nano=1)
    at_reims = model.versions.get().deployments.get(server__site__institution=world.cast.reims)
    (call,) = store_calls(world.key, at_reims)
    record = UsageRecord.objects.get(pk=call.opened.id)
    return ledger.reverse_request(by=by, request=record, reason="nonsense")


def _close(world: World, by: Actor) -> object:
    AccountingPeriod.objects.filter(month=date(2024, 12, 1)).update(state=PeriodState.GRACE)
    return months.close_month(by=by, month=date(2024, 12, 1))


def _fall_back(world: World, by: Actor) -> object:
    yesterday = timezone.localdate() - timedelta(days=1)
    rows = BudgetRequest.objects.filter(pk=world.asked.pk)
    rows.update(state=RequestState.RAISED, until=yesterday, before=10**9, granted=2 * 10**9)
    return requests.fall_back(by=by, asked=rows.get())


ADDRESS = {"street": "Rue", "postcode": "35000", "city": "Rennes", "e_address": ""}
NUMBERS = {"vat_number": "", "siret": "19350936100013", "iban": "FR1420041010050500013M02606"}
ISSUER: Any = ADDRESS | NUMBERS | {"name": "Rennes", "bic": "", "days": 30}
BILLED: Any = ADDRESS | {
    "vat_number": "",
    "vat_status": VatStatus.EXEMPT,
    **dict.fromkeys(["service_code", "commitment", "contract"], ""),
}


def _tell(world: World, by: Actor) -> object:
    siret = NUMBERS["siret"]
    return invoices.tell_invoicing(by=by, institution=world.cast.rennes, facts=BILLED, siret=siret)


def _issue(world: World, by: Actor) -> object:
    """Of Orléans, which only a closed month can have made owe something."""
    invoices.set_issuer(by=by, facts=ISSUER)
    orleans, siret = world.cast.orleans, NUMBERS["siret"]
    invoices.tell_invoicing(by=by, institution=orleans, facts=BILLED, siret=siret)
    period = AccountingPeriod.objects.get(month=date(2024, 11, 1))
    sums = {"used_cents": 5, "served_cents": 0, "granted_cents": 0, "net_cents": -5}
    statement = Statement.objects.create(
        period=period, institution=orleans, number="2024-00009", **sums
    )
    statement.lines.create(position=1, kind=LineKind.CORRECTION_USED, exact_nano=5 * 10**7, cents=5)
    return invoices.issue_invoice(by=by, source=statement)


def _merge(world: World, by: Actor) -> object:
    return merging.merge_institutions(by=by, old=world.cast.reims, new=world.cast.rennes)


def _move_late(world: World, by: Actor) -> object:
    """What was granted to Reims lies there when it has become a part of Rennes."""
    Institution.objects.filter(pk=world.cast.reims.pk).update(successor=world.cast.rennes)
    return merging.move_what_came_late(by=by)


def _anonymise(world: World, by: Actor) -> object:
    """Of a month that was closed long ago."""
    store_calls(world.key, world.deployment, at=datetime(2024, 11, 2, tzinfo=UTC))
    return retention.anonymise(by=by, today=date(2030, 1, 1))


RENNES = frozenset({"rennes_dsi"})
"""The institution's own word: not even the federation's administrators have it."""
CONTESTED = date(2024, 12, 1)


def _drafted(world: World) -> Draft:
    """The statement of Rennes that has a line."""
    AccountingPeriod.objects.filter(month=CONTESTED).update(state=PeriodState.GRACE)
    return draft_of(world.cast.rennes, CONTESTED)


def _contest(world: World, by: Actor) -> object:
    (key,) = keys_of(_drafted(world).lines)
    return contests.contest_line(
        by=by, institution=world.cast.rennes, month=CONTESTED, line_key=key, reason="too much"
    )


def _accept(world: World, by: Actor) -> object:
    lines_hash = _drafted(world).lines_hash
    Contest.objects.update(state=ContestState.REJECTED, answered_at=timezone.now())
    return contests.accept_statement(
        by=by, institution=world.cast.rennes, month=CONTESTED, lines_hash=lines_hash
    )


def _settle(world: World, by: Actor) -> object:
    closed = {"state": PeriodState.CLOSED, "closed_at": timezone.now(), "statements_hash": "0"}
    AccountingPeriod.objects.create(month=date(2022, 12, 1), **closed)
    pool = CostPool.objects.create(year=2022, amount_cents=0, evidence="nothing")
    return years.post_true_up(by=by, pool=pool)


ACTS: Acts = {
    "set_issuer": (ADMIN, lambda w, by: invoices.set_issuer(by=by, facts=ISSUER)),
    "tell_invoicing": (RENNES_DSI, _tell),
    "issue_invoice": (ADMIN, _issue),
    "merge_institutions": (ADMIN, _merge),
    "move_what_came_late": (ADMIN, _move_late),
    "anonymise": (ADMIN, _anonymise),
    "set_budget": (
        RENNES_DSI,
        lambda w, by: budgets.set_budget(
            by=by,
            owner=w.cast.rennes,
            unit=BudgetUnit.REQUESTS,
            most=5,
            window=BudgetWindow.DAY,
        ),
    ),
    "change_budget": (
        RENNES_DSI,
        lambda w, by: budgets.change_budget(by=by, budget=w.budget, most=5, hard=True),
    ),
    "end_budget": (RENNES_DSI, lambda w, by: budgets.end_budget(by=by, budget=w.budget)),
    "approve_request": (
        RENNES_DSI,
        lambda w, by: requests.approve_request(by=by, asked=w.asked, granted=w.asked.wanted),
    ),
    "decline_request": (
        RENNES_DSI,
        lambda w, by: requests.decline_request(by=by, asked=w.asked, answer="no"),
    ),
    "withdraw_request": (
        frozenset({"rennes_user"}),
        lambda w, by: requests.withdraw_request(by=by, asked=w.asked),
    ),
    "fall_back": (NOBODY, _fall_back),
    "contest_line": (RENNES, _contest),
    "withdraw_contest": (
        RENNES,
        lambda w, by: contests.withdraw_contest(by=by, contest=w.contest),
    ),
    "accept_statement": (RENNES, _accept),
    "reject_contest": (
        ADMIN,
        lambda w, by: contests.reject_contest(by=by, contest=w.contest, answer="it is right"),
    ),
    "uphold_contest": (
        ADMIN,
        lambda w, by: contests.uphold_contest(
            by=by, contest=w.contest, answer="it is wrong", remedy=contests.Remedy(amount_nano=1)
        ),
    ),
    "set_cost_pool": (
        ADMIN,
        lambda w, by: years.set_cost_pool(by=by, year=2022, amount_cents=1, evidence="approved"),
    ),
    "post_true_up": (ADMIN, _settle),
    "draft_month": (ADMIN, lambda w, by: months.draft_month(by=by, month=date(2024, 12, 1))),
    "close_month": (ADMIN, _close),
    "set_price": (
        ADMIN,
        lambda w, by: prices.set_price(by=by, model=w.model, units=prices.Units(prompt_nano=7)),
    ),
    "withdraw_price": (ADMIN, lambda w, by: prices.withdraw_price(by=by, price=w.price)),
    "set_fee": (ADMIN, lambda w, by: prices.set_fee(by=by, basis_points=100)),
    "withdraw_fee": (ADMIN, lambda w, by: prices.withdraw_fee(by=by, fee=w.fee)),
    "grant": (
        ADMIN,
        lambda w, by: ledger.grant(
            by=by, institution=w.cast.reims, amount_nano=10**9, reason="hosting"
        ),
    ),
    "reverse": (
        ADMIN,
        lambda w, by: ledger.reverse(by=by, transfer=w.contribution, reason="entered twice"),
    ),
    "reverse_request": (ADMIN, _reverse_request),
}
