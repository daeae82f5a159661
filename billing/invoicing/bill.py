"""What an invoice or a credit note says, and its sums: whole cents, each line rounded once. No database, no words.

Both are written with amounts above nothing; a credit note names the invoices that it takes back a part of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.enums import InvoiceKind, VatStatus

STANDARD_RATE = 20
"""Per cent: the French rate in force, for institutions that are taxable."""
HUNDRED = 100


@dataclass(frozen=True)
class Party:
    """Who bills, or who is billed; in France. `e_address`: where e-invoices arrive, of scheme 0225."""

    name: str
    siret: str
    vat_number: str
    street: str
    postcode: str
    city: str
    e_address: str

    @property
    def siren(self) -> str:
        return self.siret[:9]


@dataclass(frozen=True)
class Item:
    """`quantity` units at `unit_nano` each; where that is nothing, an amount. `cents` may be below nothing."""

    name: str
    detail: str
    quantity: Decimal | int
    unit_nano: int
    cents: int


@dataclass(frozen=True)
class Preceding:
    """An invoice issued before, which this one corrects."""

    number: str
    issued_on: date


@dataclass(frozen=True)
class Orders:
    """What Chorus Pro asks for: service (BT-10), commitment (BT-13), contract (BT-12); empty where none is needed."""

    service: str
    commitment: str
    contract: str


@dataclass(frozen=True)
class BankAccount:
    iban: str
    bic: str


@dataclass(frozen=True)
class Mention:
    """A text that has to stand on it, with its code of UNTDID 4451."""

    code: str
    text: str


@dataclass(frozen=True)
class Bill:
    kind: InvoiceKind
    number: str
    issued_on: date
    due_on: date
    first_day: date
    last_day: date
    seller: Party
    buyer: Party
    orders: Orders
    account: BankAccount
    vat: VatStatus
    items: Sequence[Item]
    mentions: Sequence[Mention] = ()
    granted_cents: int = 0
    """What grants have paid of it; of a credit note, what goes back to them."""
    corrects: Sequence[Preceding] = ()

    @property
    def is_credit(self) -> bool:
        return self.kind == InvoiceKind.CREDIT_NOTE

    @property
    def is_exempt(self) -> bool:
        return self.vat != VatStatus.TAXABLE

    @property
    def net_cents(self) -> int:
        return sum(item.cents for item in self.items)

    @property
    def vat_cents(self) -> int:
        return 0 if self.is_exempt else vat_on(self.net_cents)

    @property
    def total_cents(self) -> int:
        return self.net_cents + self.vat_cents

    @property
    def due_cents(self) -> int:
        """What is to be paid; of a credit note, what the institution gets back."""
        return self.total_cents - self.granted_cents


def vat_on(net_cents: int) -> int:
    """Return the tax on a whole net amount, rounded half up, once."""
    return (2 * net_cents * STANDARD_RATE + HUNDRED) // (2 * HUNDRED)
