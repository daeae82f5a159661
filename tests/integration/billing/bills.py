"""What tests of invoices share: who issues, who is billed, a statement to invoice, and what an invoice's XML says."""

from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

import facturx

from billing.enums import VatStatus
from billing.models import Invoice, Statement
from billing.operations.invoices import (
    InstitutionFacts,
    IssuerFacts,
    set_issuer,
    tell_invoicing,
)
from billing.operations.ledger import grant
from billing.operations.months import close_month, draft_month
from billing.records import intake
from federation.members.models import Institution
from tests.integration.billing.market import Market
from tests.support.factories import OPERATOR
from tests.support.schematron import EUROPE, FRANCE, judge

MARCH = date(2026, 3, 1)
SIRET, OTHER_SIRET = "19350936100013", "48264601500016"
IBAN = "FR1420041010050500013M02606"
NAMES = {
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
}
ISSUER = IssuerFacts(
    name="Université de Rennes",
    siret=SIRET,
    street="2 rue du Thabor\nCS 46510",
    postcode="35065",
    city="Rennes",
    vat_number="",
    e_address="",
    iban=IBAN,
    bic="TRPUFRP1",
    days=30,
)
FACTS = InstitutionFacts(
    street="Château de la Source",
    postcode="45100",
    city="Orléans",
    vat_number="",
    e_address="",
    vat_status=VatStatus.EXEMPT,
    service_code="SC-12",
    commitment="4500012345",
    contract="",
)


def told(xml: bytes, name: str) -> list[str]:
    return [
        str(each.text) for each in ElementTree.fromstring(xml).iterfind(f".//ram:{name}", NAMES)
    ]


def cents(text: str) -> int:
    return int(Decimal(text) * 100)


def xml_inside(invoice: Invoice) -> bytes:
    xml: bytes = facturx.get_xml_from_pdf(bytes(invoice.content))[1]
    return xml


def broken_rules(xml: bytes) -> list[str]:
    """Of Europe and of France; the schema has looked at it when it was made."""
    return [broken for rules in (EUROPE, FRANCE) for broken in judge(xml, rules).broken]


def close(month: date) -> None:
    draft_month(by=OPERATOR, month=month)
    close_month(by=OPERATOR, month=month)


def asked_market() -> Market:
    """Orléans has a SIRET and has asked both others, Reims has asked Rennes."""
    found = Market()
    rennes, reims = found.served
    intake.store([
        found.asked(found.orleans, reims, prompt_tokens=50_000_001, completion_tokens=7_654_321),
        found.asked(found.orleans, rennes, prompt_tokens=40_000_003, cached_tokens=5_000_007),
        found.asked(found.reims, rennes, prompt_tokens=30_000_009),
        *(found.request(n) for n in range(80)),
    ])  # fmt: skip
    with_siret(found)
    return found


def with_siret(market: Market) -> None:
    Institution.objects.filter(pk=market.orleans.pk).update(siret=OTHER_SIRET)
    market.orleans.refresh_from_db()


def closed_of(market: Market) -> Statement:
    """The statement of Orléans, of which a grant has paid a cent."""
    grant(by=OPERATOR, institution=market.orleans, amount_nano=10**7, reason="hosting")
    close(MARCH)
    return Statement.objects.get(institution=market.orleans)


def ready_for_invoices(statement: Statement) -> Statement:
    set_issuer(by=OPERATOR, facts=ISSUER)
    tell_invoicing(by=OPERATOR, institution=statement.institution, facts=FACTS)
    return statement
