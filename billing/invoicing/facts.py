"""What issuer and institution say for invoices, and what is still missing of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from billing.enums import VatStatus
from billing.models import InvoicingFacts, Issuer
from federation.members.models import Institution


@dataclass(frozen=True)
class Missing:
    """What an invoice lacks of the issuer and of the institution: the names of their fields, in words."""

    of_issuer: Sequence[str]
    of_institution: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.of_issuer or self.of_institution)


def facts_of(institution: Institution) -> InvoicingFacts:
    """Return what the institution says for its invoices; nothing, when it has said nothing."""
    found = InvoicingFacts.objects.filter(institution=institution).first()
    return found or InvoicingFacts(institution=institution)


def missing(institution: Institution, vat: VatStatus) -> Missing:
    """Return what an invoice with this tax lacks."""
    issuer, facts = Issuer.objects.first(), facts_of(institution)
    of_institution = [
        (_("SIRET"), institution.siret),
        (_("value-added tax"), "" if vat == VatStatus.UNKNOWN else vat),
        *_address(facts),
    ]
    of_issuer = [(_("name, SIRET, address and IBAN"), "")]
    if issuer is not None:
        of_issuer = _address(issuer)
        if vat == VatStatus.TAXABLE:
            of_issuer.append((_("VAT number"), issuer.vat_number))
    return Missing(
        [label for label, value in of_issuer if not value],
        [label for label, value in of_institution if not value],
    )


def _address(side: Issuer | InvoicingFacts) -> list[tuple[str, str]]:
    return [
        (_("street"), side.street),
        (_("postcode"), side.postcode),
        (_("town"), side.city),
    ]
