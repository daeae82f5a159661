"""Acts about the accounts: prices, fees, what is granted and taken back. The federation's finance has them too."""

from datetime import date, timedelta

from django.utils import timezone

from billing.enums import PeriodState
from billing.models import AccountingPeriod, UsageRecord
from billing.operations import ledger, months, prices
from federation.journal.actors import Actor
from tests.integration.federation.acts.who import ADMIN, Acts
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


ACTS: Acts = {
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
