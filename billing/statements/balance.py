"""The federation's balance sheet: what each institution gave to the others and took from them, in a span of months.

Every member reads all of it, and the federation: who lends has to see that what is lent is used, and by whom, and
who takes knows from whom. It holds sums of institutions alone, no person, key or model. Months are those in which
the requests ended, in Paris; euros are those of the prices of the moment, before corrections and the year's adjustment;
energy is the central figure, of requests of which it is known.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Sum

from billing.models import InstitutionMonth
from federation.members.models import Institution

MS_PER_HOUR = 3_600_000
MJ_PER_KWH = 3_600_000_000
SUMS = {
    "of_requests": Sum("requests"),
    "of_tokens": Sum(F("prompt_tokens") + F("completion_tokens")),
    "of_nano": Sum("cost_nano"),
    "of_gpu_ms": Sum("gpu_ms"),
    "of_energy_mj": Sum("energy_mj"),
}
"""In the order of `Amounts`."""


@dataclass(frozen=True)
class Amounts:
    """Requests, tokens read and written, nano-euros, GPU milliseconds, and the sites' energy in millijoules."""

    requests: int = 0
    tokens: int = 0
    nano: int = 0
    gpu_ms: int = 0
    energy_mj: int = 0

    @property
    def gpu_hours(self) -> Decimal:
        return Decimal(self.gpu_ms) / MS_PER_HOUR

    @property
    def kwh(self) -> Decimal:
        return Decimal(self.energy_mj) / MJ_PER_KWH

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Row:
    """`institution` is None for what is not in the register, such as servers before the accounts."""

    institution: Institution | None
    given: Amounts
    taken: Amounts
    own: Amounts
    """What its servers answered to its own people (circuit court): neither given nor taken."""
    share: float
    """Of all that was given in tokens, between 0 and 1."""

    @property
    def net(self) -> Amounts:
        """What it gave beyond what it took."""
        return self.given - self.taken

    @property
    def percent(self) -> float:
        return 100 * self.share


@dataclass(frozen=True)
class Sheet:
    rows: tuple[Row, ...]

    @property
    def given(self) -> Amounts:
        return sum((row.given for row in self.rows), Amounts())

    @property
    def taken(self) -> Amounts:
        """The same as `given`: what one gives another takes."""
        return sum((row.taken for row in self.rows), Amounts())

    @property
    def own(self) -> Amounts:
        return sum((row.own for row in self.rows), Amounts())


def sheet(first: date, last: date) -> Sheet:
    """Return what was given and taken from the first month to the last, both by their first day, included."""
    sums = InstitutionMonth.objects.filter(since__range=(first, last)).exclude(
        serving_institution_id=None
    )
    pairs = sums.order_by().values_list("asking_institution_id", "serving_institution_id")
    found: dict[UUID, dict[str, Amounts]] = defaultdict(lambda: defaultdict(Amounts))
    for asking, serving, *amounts in pairs.annotate(**SUMS):
        amount = Amounts(*amounts)
        if asking == serving:
            found[asking]["own"] += amount
        else:
            found[serving]["given"] += amount
            found[asking]["taken"] += amount
    return Sheet(tuple(_rows(found)))


def months() -> list[date]:
    """Return the months that have anything, the newest first."""
    return sorted(
        InstitutionMonth.objects.order_by().values_list("since", flat=True).distinct(), reverse=True
    )


def _rows(found: Mapping[UUID, Mapping[str, Amounts]]) -> list[Row]:
    known = Institution.objects.in_bulk(found)
    whole = sum(sums["given"].tokens for sums in found.values())
    rows = []
    others: dict[str, Amounts] = defaultdict(Amounts)
    for pk, sums in found.items():
        if pk in known:
            rows.append(_row(known[pk], sums, whole))
            continue
        for side, amount in sums.items():
            others[side] += amount
    rows.sort(key=lambda row: row.institution.name if row.institution else "")
    return [*rows, _row(None, others, whole)] if others else rows


def _row(institution: Institution | None, sums: Mapping[str, Amounts], whole: int) -> Row:
    given = sums["given"]
    share = given.tokens / whole if whole else 0.0
    return Row(institution, given, sums["taken"], sums["own"], share)
