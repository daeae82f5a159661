"""What pages read of the ledger: what each institution owes and earns, by month; and the federation's accounts."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Sum

from billing.enums import OWN_ACCOUNTS, AccountKind
from billing.models import ACCOUNTANTS, Account, AccountMonth, reads_all_accounts
from billing.models.ledger import AccountMonthQuerySet
from federation.members.models import Institution
from federation.people.models import User


@dataclass(frozen=True)
class Holding:
    """An institution's side of the ledger, in nano-euros. `own_nano`: what its servers answered to its own people.

    What grants have paid is taken off `owed_nano` and `granted_nano` alike; a month in which they paid, and none was
    made, has less than nothing granted.
    """

    institution: Institution
    owed_nano: int
    earned_nano: int
    granted_nano: int
    own_nano: int

    @property
    def net_nano(self) -> int:
        """What it is to receive; negative what it is to pay. Grants pay what is owed, and are never paid out."""
        paid_by_grants = min(max(0, self.owed_nano), max(0, self.granted_nano))
        return self.earned_nano - self.owed_nano + paid_by_grants


@dataclass(frozen=True)
class FederationAccount:
    kind: AccountKind
    nano: int


def reads_accounts(user: User) -> bool:
    """Whether there are accounts that `user` may read: an institution's, or all."""
    return reads_all_accounts(user) or bool(user.institution_ids(*ACCOUNTANTS))


def months(user: User) -> list[date]:
    """Return the months in which something was transferred or counted, the newest first."""
    seen = AccountMonth.objects.for_user(user).order_by("-month")
    return list(seen.values_list("month", flat=True).distinct())


def holdings(user: User, month: date | None = None) -> list[Holding]:
    """Return every institution whose accounts `user` reads, by name: of one month, or of all."""
    accounts = Account.objects.for_user(user).filter(kind__in=OWN_ACCOUNTS)
    balances, own = _months(user, month).balances(), _circuit_court(user, month)
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    for account in accounts:
        assert account.institution_id is not None  # a constraint: it is an institution's own
        found[account.institution_id][account.kind] = balances.get(account.code, 0)
    institutions = Institution.objects.filter(pk__in=found).order_by("name")
    return [
        Holding(
            institution=institution,
            owed_nano=-found[institution.pk].get(AccountKind.CONSUMER, 0),
            earned_nano=found[institution.pk].get(AccountKind.HOST, 0),
            granted_nano=found[institution.pk].get(AccountKind.ALLOCATION, 0),
            own_nano=own.get(institution.pk, 0),
        )
        for institution in institutions
    ]


def federation_accounts(user: User, month: date | None = None) -> list[FederationAccount]:
    """Return the federation's own accounts that are not empty, to who reads all accounts."""
    balances = _months(user, month).balances()
    common = Account.objects.for_user(user).exclude(kind__in=OWN_ACCOUNTS).order_by("code")
    return [
        FederationAccount(AccountKind(account.kind), balances[account.code])
        for account in common
        if balances.get(account.code)
    ]


def _circuit_court(user: User, month: date | None) -> dict[UUID, int]:
    """Return what would have been owed to oneself: it is counted, and nothing is transferred for it."""
    sums = _months(user, month).order_by().values_list("account__institution_id")
    return dict(sums.filter(account__kind=AccountKind.CONSUMER).annotate(total=Sum("own_nano")))


def _months(user: User, month: date | None) -> AccountMonthQuerySet:
    seen = AccountMonth.objects.for_user(user)
    return seen.filter(month=month) if month else seen
