"""Numbers that an invoice bears: what is wrong with one, in words. Not responsible for whether it exists."""

import re
from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.members.identifiers import check_siret

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
E_ADDRESS = re.compile(r"[0-9]{9}(_[A-Za-z0-9_.-]{1,100})?")
FRENCH_IBAN = 27
Check = tuple[str, str, Callable[[str], None]]
"""A field, its text, and what raises `ValidationError` on it."""


def check_fields(*checks: Check) -> None:
    """Raise `ValidationError`, by field, for every text that its check refuses; an empty one is not asked."""
    problems: dict[str, ValidationError] = {}
    for field, text, check in checks:
        try:
            if text:
                check(text)
        except ValidationError as problem:
            problems[field] = problem
    if problems:
        raise ValidationError(problems)


def check_vat_number(number: str, siret: str) -> None:
    """Raise `ValidationError` unless this is the French VAT number that follows from the SIRET's first nine digits."""
    _check_has_siret(siret)
    expected = vat_number(siret[:9])
    if number != expected:
        raise ValidationError(
            _("With this SIRET the VAT number is %(expected)s: one of the two is mistyped."),
            code="vat_number",
            params={"expected": expected},
        )


def vat_number(siren: str) -> str:
    key = (12 + 3 * (int(siren) % 97)) % 97
    return f"FR{key:02}{siren}"


def check_iban(iban: str) -> None:
    """Raise `ValidationError` unless the check digits of ISO 13616 are right."""
    is_formed = IBAN.fullmatch(iban) and (not iban.startswith("FR") or len(iban) == FRENCH_IBAN)
    if not is_formed or int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 != 1:
        raise ValidationError(
            _("This is not an IBAN: a character is mistyped, or two are swapped."), code="iban"
        )


def check_bic(bic: str) -> None:
    if not BIC.fullmatch(bic):
        raise ValidationError(
            _("A BIC has 8 or 11 letters and digits, such as TRPUFRP1."), code="bic"
        )


def check_e_address(address: str, siret: str) -> None:
    """Raise `ValidationError` unless this is an address of the French directory for this SIRET."""
    _check_has_siret(siret)
    if not E_ADDRESS.fullmatch(address) or address[:9] != siret[:9]:
        raise ValidationError(
            _(
                "An address for e-invoices begins with the SIREN, %(siren)s; after an underscore a SIRET or a name "
                "may follow."
            ),
            code="e_address",
            params={"siren": siret[:9]},
        )


def _check_has_siret(siret: str) -> None:
    """Raise `ValidationError` unless something can follow from the SIRET: a mistyped one is told of by itself."""
    try:
        check_siret(siret)
    except ValidationError:
        raise ValidationError(
            _("It follows from the SIRET: give that first."), code="no_siret"
        ) from None
