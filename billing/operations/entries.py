"""What every write to the ledger needs: accounts, the month that it is booked in, and what rounding moves."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _

from billing.enums import AccountKind, PeriodState, TransferReason
from billing.ledger import sums
from billing.ledger.books import hold_the_books
from billing.models import Account, AccountingPeriod, CostPool, Transfer
from billing.periods import following, paris_today
from federation.journal.actors import Actor
from federation.members.models import Institution
from federation.people.models import User


def account(kind: AccountKind, institution: Institution | None = None) -> Account:
    """Return the account, made when nothing was ever transferred to or from it."""
    code = f"{kind.value}:{institution.pk}" if institution else kind.value
    found, _made = Account.objects.get_or_create(
        code=code, defaults={"kind": kind, "institution": institution}
    )
    return found


def book(transfer: Transfer) -> Transfer:
    """Keep a transfer, and add it to the sums of its accounts. Whoever does holds the books."""
    transfer.save(force_insert=True)
    with connection.cursor() as cursor:
        cursor.execute(sums.ONE, {"transfer": transfer.pk})
    return transfer


def month_to_book() -> date:
    """Hold the books, and return the month in which a transfer of this moment is booked."""
    hold_the_books()
    return first_open_month()


def first_open_month() -> date:
    """Return the same, to who holds the books already."""
    this_month = paris_today().replace(day=1)
    closed = AccountingPeriod.objects.filter(state=PeriodState.CLOSED)
    last = closed.aggregate(last=Max("month"))["last"]
    return max(this_month, following(last)) if last else this_month


def is_closed(month: date) -> bool:
    return AccountingPeriod.objects.filter(month=month, state=PeriodState.CLOSED).exists()


def is_settled(month: date) -> bool:
    """Whether the exact costs of the month's year are shared out."""
    return CostPool.objects.filter(year=month.year, posted_at__isnull=False).exists()


def check_year_is_open(month: date) -> None:
    """Raise `ValidationError` once the month's year is settled: it then stays as it is."""
    if is_settled(month):
        raise ValidationError(
            _("The costs of %(year)s are shared out: nothing of that year is corrected any more.")
            % {"year": month.year},
            code="settled",
        )


def settle(
    institution: Institution, kind: AccountKind, nano: int, *, key: str, month: date
) -> None:
    """Move what rounding adds to an account, or takes from it: the ledger then says what the document does."""
    if not nano:
        return
    own, rest = account(kind, institution), account(AccountKind.ROUNDING)
    book(
        Transfer(
            key=f"rounding:{key}:{institution.pk}:{kind.value}",
            debit=rest if nano > 0 else own,
            credit=own if nano > 0 else rest,
            amount_nano=abs(nano),
            booked_month=month,
            reason=TransferReason.ROUNDING,
        )
    )


def person(by: Actor) -> User | None:
    return by if isinstance(by, User) else None
