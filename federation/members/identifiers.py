"""The official numbers of a French institution: what is wrong with one, in words that say the way out.

SIRET: fourteen digits, of which the last is chosen so that Luhn's sum is a multiple of ten. UAI: seven digits and
a letter that follows from them. Not responsible for whether such an institution exists.
"""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

SIRET_DIGITS = 14
LA_POSTE = "356000000"
"""The SIREN of La Poste, which has more sites than Luhn's sum leaves room for: theirs add up to a multiple of 5."""
NO_SIREN = "000000000"
"""Luhn's sum of zeros is right, too, and nobody has that number."""
LUHN, PLAIN = 10, 5
UAI_LENGTH = 8
UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""The remainder of the seven digits divided by 23 names the letter; I, O and Q look like digits and are left out."""


def plain(text: str) -> str:
    """Return a number without the spaces, dots and hyphens that people type into it, in capitals."""
    return "".join(letter for letter in text if not letter.isspace() and letter not in ".-").upper()


def check_siret(siret: str) -> None:
    """Raise `ValidationError` unless this is a SIRET that can exist."""
    if not (siret.isascii() and siret.isdigit()):
        raise ValidationError(
            _("A SIRET has digits only: 14 of them. %(where)s"),
            code="siret_form",
            params={"where": _where_siret()},
        )
    if len(siret) != SIRET_DIGITS:
        raise ValidationError(
            _("A SIRET has 14 digits; this one has %(count)s. %(where)s"),
            code="siret_form",
            params={"count": len(siret), "where": _where_siret()},
        )
    if siret.startswith(NO_SIREN):
        raise _siret_mistyped(siret)
    if siret.startswith(LA_POSTE):
        if sum(map(int, siret)) % PLAIN and luhn_sum(siret) % LUHN:
            raise _siret_mistyped(siret)
    elif luhn_sum(siret) % LUHN:
        raise _siret_mistyped(siret)


def check_uai(uai: str) -> None:
    """Raise `ValidationError` unless this is a UAI whose letter follows from its digits."""
    digits, letter = uai[:-1], uai[-1:]
    is_formed = len(uai) == UAI_LENGTH and digits.isascii() and digits.isdigit()
    if not is_formed or not ("A" <= letter <= "Z"):
        raise ValidationError(
            _("A UAI has seven digits and a letter, such as 0350936C. %(where)s"),
            code="uai_form",
            params={"where": _where_uai()},
        )
    if letter != uai_letter(digits):
        raise ValidationError(
            _(
                "The letter of “%(uai)s” does not follow from its digits: one of the eight "
                "characters "
                "is mistyped. %(where)s"
            ),
            code="uai_letter",
            params={"uai": uai, "where": _where_uai()},
        )


def luhn_sum(digits: str) -> int:
    """Return Luhn's sum: each second digit from the right counts double, as the sum of its own digits."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled)


def uai_letter(digits: str) -> str:
    return UAI_LETTERS[int(digits) % len(UAI_LETTERS)]


def _siret_mistyped(siret: str) -> ValidationError:
    return ValidationError(
        _("“%(siret)s” is not a SIRET: a digit is mistyped, or two are swapped. %(where)s"),
        code="siret_sum",
        params={"siret": siret, "where": _where_siret()},
    )


def _where_siret() -> str:
    return _("It stands on the institution’s notices and at annuaire-entreprises.data.gouv.fr.")


def _where_uai() -> str:
    return _("It stands in the national directory of institutions, at education.gouv.fr/annuaire.")
