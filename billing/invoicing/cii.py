"""An invoice or a credit note as XML: cross-industry invoice (CII) of EN 16931, as French law and Chorus Pro ask.

The names of fields are the standard's (BT-1, BG-25): https://fnfe-mpe.org/factur-x/.
"""

from decimal import Decimal
from typing import Any

from facturx import generate_xml

from billing.invoicing.bill import HUNDRED, STANDARD_RATE, Bill, Item, Party
from billing.money import per_million

LEVEL = "en16931"
EURO, FRANCE, PIECE = "EUR", "FR", "C62"
SERVICES = "S1"
"""BT-23: an invoice for services, not yet paid."""
SIREN, SIRET, FRENCH_DIRECTORY = "0002", "0009", "0225"
SEPA_TRANSFER, SET_AGAINST = "58", "97"
"""UNTDID 4461."""
A_MILLION = 10**6
EXEMPTION = "VATEX-EU-132-1F"
"""Of groups of persons towards their members: article 132(1)(f) of the directive, 261 B of the French code."""
EXEMPTION_TEXT = "Exonération de TVA, article 261 B du code général des impôts"


def xml_of(bill: Bill) -> bytes:
    """Return the XML, which its schema has found well-formed. Raises `ValueError` with what is missing."""
    xml: bytes = generate_xml(_facts(bill), level=LEVEL, check_xsd=True, check_schematron=None)
    return xml


def _facts(bill: Bill) -> dict[str, Any]:
    return {
        "BT-1": bill.number,
        "BT-2": bill.issued_on,
        "BT-3": bill.kind.value,
        "BT-5": EURO,
        "BT-9": bill.due_on,
        "BT-10": bill.orders.service,
        "BT-12": bill.orders.contract,
        "BT-13": bill.orders.commitment,
        "BT-23": SERVICES,
        "BT-72": bill.last_day,
        "BT-73": bill.first_day,
        "BT-74": bill.last_day,
        "BG-1": [{"BT-21": mention.code, "BT-22": mention.text} for mention in bill.mentions],
        "BG-3": [{"BT-25": each.number, "BT-26": each.issued_on} for each in bill.corrects],
        "BG-4": _seller(bill.seller),
        "BG-7": _party(bill.buyer),
        **_payment(bill),
        "BG-23": [_vat(bill)],
        "BG-25": [_line(n, item, bill) for n, item in enumerate(bill.items, start=1)],
        **_sums(bill),
    }


def _sums(bill: Bill) -> dict[str, str]:
    return {
        "BT-106": _euros(bill.net_cents),
        "BT-109": _euros(bill.net_cents),
        "BT-110": _euros(bill.vat_cents),
        "BT-112": _euros(bill.total_cents),
        "BT-113": _euros(bill.granted_cents),
        "BT-115": _euros(bill.due_cents),
    }


def _payment(bill: Bill) -> dict[str, str]:
    """What is credited is set against what is to be paid: it leads no money to the issuer."""
    if bill.is_credit:
        return {"BT-81": SET_AGAINST, "BT-83": bill.number}
    return {
        "BT-81": SEPA_TRANSFER,
        "BT-83": bill.number,
        "BT-84": bill.account.iban,
        "BT-86": bill.account.bic,
    }


def _party(party: Party) -> dict[str, Any]:
    return {
        "name": party.name,
        "identifiers": {SIRET: party.siret},
        "legal_identifier": party.siren,
        "legal_identifier_schemeid": SIREN,
        "vat_identifier": party.vat_number,
        "einvoicing_addr": party.e_address or party.siren,
        "einvoicing_addr_schemeid": FRENCH_DIRECTORY,
        "addr_l1": party.street,
        "postcode": party.postcode,
        "city": party.city,
        "country_code": FRANCE,
    }


def _seller(party: Party) -> dict[str, Any]:
    """One without a VAT number is known to the tax office by its SIREN."""
    return _party(party) | ({} if party.vat_number else {"tax_identifier": party.siren})


def _vat(bill: Bill) -> dict[str, Any]:
    sums = {"BT-116": _euros(bill.net_cents), "BT-117": _euros(bill.vat_cents)}
    if bill.is_exempt:
        return sums | {
            "BT-118": "E",
            "BT-119": "0",
            "BT-120": EXEMPTION_TEXT,
            "BT-121": EXEMPTION,
        }
    return sums | {"BT-118": "S", "BT-119": str(STANDARD_RATE)}


def _line(n: int, item: Item, bill: Bill) -> dict[str, Any]:
    return {
        "BT-126": str(n),
        "BT-130": PIECE,
        "BT-131": _euros(item.cents),
        "BT-151": "E" if bill.is_exempt else "S",
        "BT-152": "0" if bill.is_exempt else str(STANDARD_RATE),
        "BT-153": item.name,
        "BT-154": item.detail,
        **_priced(item),
    }


def _priced(item: Item) -> dict[str, str]:
    """Units by the million, as prices are set; an amount is one piece, or minus one: no price is below nothing."""
    if item.unit_nano:
        price = str(per_million(item.unit_nano))
        return {"BT-129": str(item.quantity), "BT-146": price, "BT-149": str(A_MILLION)}
    pieces = "-1" if item.cents < 0 else "1"
    return {"BT-129": pieces, "BT-146": _euros(abs(item.cents)), "BT-149": "1"}


def _euros(cents: int) -> str:
    return f"{Decimal(cents) / HUNDRED:.2f}"
