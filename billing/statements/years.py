"""What a year really cost, shared out: each institution's final share of exactly these costs, to the cent.

The units that were used are weighed by their provisional prices; final prices are those times one factor. What
was owed and what was earned both move to the final prices, and the federation's part with them. Shares are split by
largest remainder, so that those of the users sum to the costs, and those of the servers with the federation's too.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from django.db.models import Sum

from billing.enums import OWED_LINES, DocumentKind, LineKind, LineUnit, PeriodState
from billing.models import (
    AccountingPeriod,
    AccountMonth,
    Contest,
    CostPool,
    Note,
    NoteLine,
    Statement,
    StatementLine,
    YearShare,
)
from billing.shares import proportional
from federation.members.models import Institution
from federation.people.models import User
from routing.core.pricing import MILLISECONDS


@dataclass(frozen=True)
class Billed:
    """An institution's year as its statements and credit notes have it; exact amounts in nano-euros."""

    institution: Institution
    used_nano: int = 0
    billed_cents: int = 0
    served_nano: int = 0
    paid_cents: int = 0
    granted_cents: int = 0


@dataclass(frozen=True)
class Share:
    """`final_cents` of the costs are the institution's to pay, `earned_cents` are its own for what it served."""

    billed: Billed
    final_cents: int
    earned_cents: int

    @property
    def institution(self) -> Institution:
        return self.billed.institution

    @property
    def owes_cents(self) -> int:
        """What it owes beyond what was billed; below nothing, what it gets back."""
        return self.final_cents - self.billed.billed_cents

    @property
    def earns_cents(self) -> int:
        return self.earned_cents - self.billed.paid_cents


@dataclass(frozen=True)
class FinalPrice:
    """Of a model's unit, in euros per million: the provisional one on average, and the final one. Audio in seconds."""

    model_name: str
    unit: LineUnit
    quantity: Decimal
    provisional: Decimal
    final: Decimal


@dataclass(frozen=True)
class Settlement:
    """A year's costs shared out. `federation_cents` is what no institution earns of them: its fees."""

    pool_cents: int
    shares: tuple[Share, ...]
    federation_cents: int

    @property
    def used_nano(self) -> int:
        return sum(share.billed.used_nano for share in self.shares)

    @property
    def billed_cents(self) -> int:
        return sum(share.billed.billed_cents for share in self.shares)

    @property
    def final_cents(self) -> int:
        return sum(share.final_cents for share in self.shares)

    @property
    def paid_cents(self) -> int:
        return sum(share.billed.paid_cents for share in self.shares)

    @property
    def earned_cents(self) -> int:
        return sum(share.earned_cents for share in self.shares)

    @property
    def factor(self) -> Decimal:
        """By what provisional prices are multiplied."""
        return Decimal(self.pool_cents * 10**7) / self.used_nano if self.used_nano else Decimal(0)


def split(pool_cents: int, billed: Sequence[Billed]) -> Settlement:
    """Share costs out. Raises `ValueError` when there are some and nobody has used anything."""
    used = [max(0, each.used_nano) for each in billed]
    served = [max(0, each.served_nano) for each in billed]
    finals = proportional(pool_cents, used)
    *earned, federation = proportional(pool_cents, [*served, max(0, sum(used) - sum(served))])
    shares = (Share(*each) for each in zip(billed, finals, earned, strict=True))
    return Settlement(pool_cents, tuple(shares), federation)


def billed_in(year: int) -> list[Billed]:
    """Return what statements of a year's months say of each institution, with the credit notes on them, by name."""
    sums: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    of_year = Statement.objects.filter(period__month__year=year)
    notes = Note.objects.filter(kind=DocumentKind.CREDIT_NOTE, statement__in=of_year)
    for lines, owner in (
        (StatementLine.objects.filter(statement__in=of_year), "statement__institution_id"),
        (NoteLine.objects.filter(note__in=notes), "note__institution_id"),
    ):
        rows = lines.order_by().values_list(owner, "kind")
        for institution, kind, exact, whole in rows.annotate(Sum("exact_nano"), Sum("cents")):
            side = ("used", "billed") if LineKind(kind) in OWED_LINES else ("served", "paid")
            sums[institution][f"{side[0]}_nano"] += exact
            sums[institution][f"{side[1]}_cents"] += whole
    for documents in (of_year, notes):
        paid = documents.order_by().values_list("institution_id")
        for institution, granted in paid.annotate(Sum("granted_cents")):
            sums[institution]["granted_cents"] += granted
    institutions = Institution.objects.filter(pk__in=sums).order_by("name", "pk")
    return [Billed(each, **sums[each.pk]) for each in institutions]


def settlement_of(pool: CostPool) -> Settlement:
    """Return a year's costs shared out: as they were posted, or as they would be now.

    Raises `ValueError` as `split`.
    """
    if pool.posted_at is None:
        return split(pool.amount_cents, billed_in(pool.year))
    shares = tuple(_posted(row) for row in pool.shares.select_related("institution"))
    earned = sum(share.earned_cents for share in shares)
    ordered = sorted(shares, key=lambda share: (share.institution.name, str(share.institution.pk)))
    return Settlement(pool.amount_cents, tuple(ordered), pool.amount_cents - earned)


def final_prices(settlement: Settlement, year: int) -> list[FinalPrice]:
    """Return what a million units of each model have cost, and do cost finally; by model and unit."""
    lines = StatementLine.objects.filter(
        statement__period__month__year=year, kind=LineKind.USED, quantity__gt=0
    )
    rows = lines.order_by("model_name", "unit").values_list("model_name", "unit")
    found = []
    for model, unit, counted, exact in rows.annotate(Sum("quantity"), Sum("exact_nano")):
        quantity = Decimal(counted) / (MILLISECONDS if unit == LineUnit.AUDIO else 1)
        provisional = Decimal(exact) / quantity / 1000
        final = provisional * settlement.factor
        found.append(
            FinalPrice(model, LineUnit(unit), quantity, _shown(provisional), _shown(final))
        )
    return found


def what_is_missing(year: int) -> tuple[list[str], int]:
    """Return the months of a year that are not closed, and how many contested lines of it wait for an answer.

    A year is settled once both are empty. December stands for the whole year: months are closed in their order.
    """
    closed = set(
        AccountingPeriod.objects.filter(
            state=PeriodState.CLOSED, month__year=year
        ).values_list("month", flat=True)
    )  # fmt: skip
    booked = set(AccountMonth.objects.filter(month__year=year).values_list("month", flat=True))
    left = sorted((booked | {date(year, 12, 1)}) - closed)
    waiting = Contest.objects.waiting().filter(month__year=year).count()
    return [f"{month:%Y-%m}" for month in left], waiting


def years(user: User) -> list[int]:
    """Return the years of which there are statements that `user` reads, or costs; the newest first."""
    months = Statement.objects.for_user(user).order_by().values_list("period_id", flat=True)
    pools = CostPool.objects.for_user(user).values_list("year", flat=True)
    return sorted({month.year for month in months.distinct()} | set(pools), reverse=True)


def _posted(row: YearShare) -> Share:
    billed = Billed(
        institution=row.institution,
        used_nano=row.used_nano,
        billed_cents=row.billed_cents,
        served_nano=row.served_nano,
        paid_cents=row.paid_cents,
    )
    return Share(billed, row.final_cents, row.earned_cents)


def _shown(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.0001"), ROUND_HALF_UP)
