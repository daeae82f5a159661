"""A month's statement of an institution, worked out from what was charged: the draft, and what closing keeps.

Lines are what each model of each other institution cost, by price and unit; fees; and corrections. Each is rounded
half up to the cent, once. What an institution's own servers answered to its own people is no line.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Sum
from django.utils.translation import gettext as _

from billing.enums import OWED_LINES, AccountKind, LineKind, LineUnit, PeriodState
from billing.models import (
    CORRECTIONS,
    Account,
    AccountingPeriod,
    AccountMonth,
    NoteLine,
    PriceVersion,
    Statement,
    Transfer,
    UsageCharge,
)
from billing.models.statements import LineColumns
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from routing.core.pricing import MILLISECONDS

NANO_PER_CENT = 10**7
LINE_KEY = 16
OF_MODELS = frozenset({LineKind.USED, LineKind.SERVED})
"""Lines of a model's units; one without a unit is the whole cost at a price that is gone."""


@dataclass(frozen=True)
class Line:
    """As `billing.models.StatementLine`, without its place. The quantity of audio is in milliseconds."""

    kind: LineKind
    other_name: str
    model_name: str
    origin_month: date | None
    unit: LineUnit | None
    quantity: int
    unit_nano: int
    exact_nano: int

    @property
    def label(self) -> str:
        return label_of(self.kind, self.unit)

    @property
    def cents(self) -> int:
        return rounded(self.exact_nano)

    @property
    def sign(self) -> int:
        """What is owed takes from what the institution receives: with it, the lines add up to the net position."""
        return -1 if self.kind in OWED_LINES else 1

    @property
    def signed_cents(self) -> int:
        return self.sign * self.cents

    @property
    def units(self) -> Decimal:
        """The quantity in units of its price: seconds of audio, exactly."""
        quantity = Decimal(self.quantity)
        return quantity / MILLISECONDS if self.unit == LineUnit.AUDIO else quantity


@dataclass(frozen=True)
class CorrectionLine(Line):
    """Of a credit note: all of those on one statement are rounded together."""

    whole: int

    @property
    def cents(self) -> int:
        return self.whole


@dataclass(frozen=True)
class Draft:
    """What an institution owes and earns for a month, as it stands."""

    institution: Institution
    lines: tuple[Line, ...]
    granted_cents: int
    """What its grants pay of what it owes."""

    @property
    def used_cents(self) -> int:
        return sum(line.cents for line in self.lines if line.kind in OWED_LINES)

    @property
    def served_cents(self) -> int:
        return sum(line.cents for line in self.lines if line.kind not in OWED_LINES)

    @property
    def net_cents(self) -> int:
        return self.served_cents - self.used_cents + self.granted_cents

    @property
    def lines_hash(self) -> str:
        """Return the SHA-256 of whose it is, of its lines in their order, and of what grants pay."""
        told = repr(
            (str(self.institution.pk), self.granted_cents, [astuple(line) for line in self.lines])
        )
        return hashlib.sha256(told.encode()).hexdigest()


class _Named(NamedTuple):
    """Names of institutions and models, and the prices that charges were made at."""

    institutions: Mapping[UUID, str]
    models: Mapping[UUID, str]
    prices: Mapping[UUID, PriceVersion]


def label_of(kind: str, unit: str | None) -> str:
    """Return what a line is for, in the reader's language."""
    label = str(LineKind(kind).label)
    if unit:
        return f"{label}, {LineUnit(unit).label}"
    if kind in OF_MODELS:
        return _("%(kind)s, at a price that is not known") % {"kind": label}
    return label


def rounded(nano: int) -> int:
    """Return whole cents, halves away from nothing."""
    cents = (2 * abs(nano) + NANO_PER_CENT) // (2 * NANO_PER_CENT)
    return cents if nano >= 0 else -cents


def keys_of(lines: Iterable[Line]) -> list[str]:
    """Return for each line what finds it again, also in a draft whose quantities have grown meanwhile."""
    seen: Counter[str] = Counter()
    keys = []
    for line in lines:
        told = repr((
            *(line.kind.value, line.other_name, line.model_name, str(line.origin_month)),
            *(line.unit.value if line.unit else "", line.unit_nano),
        ))  # fmt: skip
        seen[told] += 1
        keys.append(hashlib.sha256(f"{told}{seen[told]}".encode()).hexdigest()[:LINE_KEY])
    return keys


def drafts(month: date) -> list[Draft]:
    """Return everybody's for a month, by name; of whom nothing was charged has none."""
    charges = _charges(month)
    named = _names(charges)
    corrections = _corrections(month)
    concerned = {charge.asking_institution_id for charge in charges}
    concerned |= {
        charge.serving_institution_id for charge in charges if charge.serving_institution_id
    }
    concerned |= corrections.keys()
    left = grants()
    found = []
    for institution in Institution.objects.filter(pk__in=concerned).order_by("name", "pk"):
        lines = (*_lines(institution.pk, charges, named), *corrections.get(institution.pk, ()))
        if lines:
            draft = Draft(institution, lines, 0)
            paid = max(0, min(draft.used_cents, left.get(institution.pk, 0) // NANO_PER_CENT))
            found.append(Draft(institution, lines, paid))
    return found


def draft_of(institution: Institution, month: date) -> Draft:
    """Return one institution's, without lines when nothing was charged."""
    every = {draft.institution: draft for draft in drafts(month)}
    return every.get(institution, Draft(institution, (), 0))


def statement_of(institution: Institution, month: date) -> Draft:
    """Return one institution's as it stands: what was kept of a closed month, else the draft."""
    if not AccountingPeriod.objects.filter(month=month, state=PeriodState.CLOSED).exists():
        return draft_of(institution, month)
    statement = Statement.objects.filter(period_id=month, institution=institution).first()
    return kept(statement) if statement else Draft(institution, (), 0)


def charged_lines(institution: Institution, month: date) -> list[tuple[UsageCharge, Line]]:
    """Return the lines of what an institution used, with which its statement begins, and the charge of each."""
    charges = _charges(month)
    return list(_used(institution.pk, charges, _names(charges)))


def kept(statement: Statement) -> Draft:
    """Return a closed statement as what it was worked out as."""
    lines = tuple(map(line_of, statement.lines.all()))
    return Draft(statement.institution, lines, statement.granted_cents)


def line_of(row: LineColumns) -> Line:
    return Line(
        kind=LineKind(row.kind),
        other_name=row.other_name,
        model_name=row.model_name,
        origin_month=row.origin_month,
        unit=LineUnit(row.unit) if row.unit else None,
        quantity=row.quantity,
        unit_nano=row.unit_nano,
        exact_nano=row.exact_nano,
    )


def correction_of(row: LineColumns) -> CorrectionLine:
    return CorrectionLine(**vars(line_of(row)), whole=row.cents)


def _charges(month: date) -> list[UsageCharge]:
    """Return those of a month that cost something, always in one order: of two prices, the one charged by first.

    So what comes late at another price takes no line's place, which is what finds it again (`keys_of`).
    """
    return list(UsageCharge.objects.filter(booked_month=month, cost_nano__gt=0).order_by(
        "serving_institution_id", "asking_institution_id", "model_id", "origin_month", "id"
    ))  # fmt: skip


def _used(
    own: UUID, charges: list[UsageCharge], named: _Named
) -> Iterator[tuple[UsageCharge, Line]]:
    for charge in charges:
        if charge.asking_institution_id == own != charge.serving_institution_id:
            other = named.institutions.get(charge.serving_institution_id or own, "")
            for line in _units(charge, LineKind.USED, other, named):
                yield charge, line


def _lines(own: UUID, charges: list[UsageCharge], named: _Named) -> Iterator[Line]:
    yield from (line for _charge, line in _used(own, charges, named))
    fee = 0
    for charge in charges:
        if charge.serving_institution_id == own != charge.asking_institution_id:
            other = named.institutions.get(charge.asking_institution_id, "")
            yield from _units(charge, LineKind.SERVED, other, named)
            fee += charge.fee_nano
    if fee:
        yield Line(LineKind.FEE, "", "", None, None, 0, 0, -fee)


def _units(charge: UsageCharge, kind: LineKind, other: str, named: _Named) -> Iterator[Line]:
    """Return a line for each unit that cost something: together they are the charge, exactly.

    Where the price is gone, one line has the whole.
    """
    assert charge.price_id is not None  # it cost something
    model = named.models.get(charge.model_id, str(charge.model_id))
    price = named.prices.get(charge.price_id)
    if price is None:
        yield Line(kind, other, model, charge.origin_month, None, 0, 0, charge.cost_nano)
        return
    for unit, quantity, nano, cost in unit_costs(charge, price):
        if quantity and nano:
            yield Line(kind, other, model, charge.origin_month, unit, quantity, nano, cost)


def unit_costs(
    charge: UsageCharge, price: PriceVersion
) -> list[tuple[LineUnit, int, int | None, int]]:
    """Return each unit's quantity, its price and what it cost.

    What each request's audio cost is rounded: it has what the other units leave of the charge.
    """
    cached = price.prompt_nano if price.cached_nano is None else price.cached_nano
    whole = (
        (LineUnit.PROMPT, charge.prompt_tokens, price.prompt_nano),
        (LineUnit.CACHED, charge.cached_tokens, cached),
        (LineUnit.COMPLETION, charge.completion_tokens, price.completion_nano),
        (LineUnit.EMBEDDING, charge.embedding_tokens, price.embedding_nano),
        (LineUnit.IMAGE, charge.images, price.image_nano),
    )
    costs = [(*each, each[1] * (each[2] or 0)) for each in whole]
    audio = charge.cost_nano - sum(cost for _, _, _, cost in costs)
    return [*costs, (LineUnit.AUDIO, charge.audio_ms, price.audio_second_nano, audio)]


def _names(charges: list[UsageCharge]) -> _Named:
    institutions = {c.asking_institution_id for c in charges}
    institutions |= {c.serving_institution_id for c in charges if c.serving_institution_id}
    models = {c.model_id for c in charges}
    prices = {c.price_id for c in charges if c.price_id}
    return _Named(
        dict(Institution.objects.filter(pk__in=institutions).values_list("pk", "name")),
        dict(AIModel.objects.filter(pk__in=models).values_list("pk", "slug")),
        PriceVersion.objects.in_bulk(prices),
    )


def _corrections(month: date) -> dict[UUID, tuple[Line, ...]]:
    """Return what was corrected in a month of what institutions used and served, by institution.

    What a credit note says to the institution is no line here, too.
    """
    found: dict[UUID, tuple[Line, ...]] = {}
    reversals = Transfer.objects.filter(booked_month=month, reason__in=CORRECTIONS)
    for account, kind, is_owed in (
        (AccountKind.CONSUMER, LineKind.CORRECTION_USED, True),
        (AccountKind.HOST, LineKind.CORRECTION_SERVED, False),
    ):
        for side, sign in (("credit", 1), ("debit", -1)):
            noted = NoteLine.objects.filter(
                transfer=OuterRef("pk"), note__institution=OuterRef(f"{side}__institution")
            )
            rows = reversals.filter(~Exists(noted), **{f"{side}__kind": account})
            rows = rows.order_by(f"{side}__institution")
            sums = rows.values_list(f"{side}__institution").annotate(total=Sum("amount_nano"))
            for institution, total in sums:
                amount = -sign * total if is_owed else sign * total
                line = Line(kind, "", "", None, None, 0, 0, amount)
                found[institution] = (*found.get(institution, ()), line)
    return found


def grants() -> dict[UUID, int]:
    """Return what each institution has left of what it was granted, in nano-euros."""
    granted = Account.objects.filter(kind=AccountKind.ALLOCATION)
    balances = AccountMonth.objects.filter(account__in=granted).balances()
    return {row.institution_id: balances.get(row.code, 0) for row in granted if row.institution_id}
