"""Who bills for the federation, and what an institution says for the invoices that it receives."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from billing.enums import VatStatus
from billing.invoicing.facts import facts_of
from billing.models import LONGEST_ORDER, MOST_DAYS, InvoicingFacts, Issuer
from billing.operations.invoices import (
    BilledFacts,
    InstitutionFacts,
    IssuerFacts,
    set_issuer,
    tell_invoicing,
)
from federation.members.forms import one_line, tell_refusal
from federation.members.identifiers import plain
from federation.members.models import Institution
from federation.people.models import User

BILLED = ("street", "postcode", "city", "vat_number", "e_address")
NUMBER = {"spellcheck": "false", "autocapitalize": "characters"}


def siret_field() -> forms.CharField:
    return forms.CharField(
        max_length=30,
        label="SIRET",
        help_text=gettext_lazy("14 digits; spaces do not matter."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "spellcheck": "false"}),
    )


class BilledForm(forms.Form):
    """What both sides of an invoice have."""

    street = forms.CharField(
        max_length=200,
        label=gettext_lazy("Street"),
        help_text=gettext_lazy("Number and street; a second line for a building or a post box."),
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "street-address"}),
    )
    postcode = forms.RegexField(
        r"^[0-9]{5}$",
        label=gettext_lazy("Postcode"),
        error_messages={"invalid": gettext_lazy("A postcode has five digits, without a space.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "postal-code"}),
    )
    city = forms.CharField(
        max_length=100,
        label=gettext_lazy("Town"),
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
    )
    vat_number = forms.CharField(
        required=False,
        max_length=20,
        label=gettext_lazy("VAT number"),
        help_text=gettext_lazy("FR, two digits and the SIREN. Empty where there is none."),
        widget=forms.TextInput(attrs=NUMBER),
    )
    e_address = forms.CharField(
        required=False,
        max_length=120,
        label=gettext_lazy("Address for e-invoices"),
        help_text=gettext_lazy(
            "As in the French directory of e-invoicing, such as 193509361_19350936100013. Empty: the SIREN."
        ),
        widget=forms.TextInput(attrs=NUMBER),
    )

    def clean_street(self) -> str:
        lines = [one_line(line) for line in self.cleaned_data["street"].splitlines()]
        return "\n".join(line for line in lines if line)

    def clean_city(self) -> str:
        return one_line(self.cleaned_data["city"])

    def clean_vat_number(self) -> str:
        return plain(self.cleaned_data["vat_number"])

    def clean_e_address(self) -> str:
        return str(self.cleaned_data["e_address"]).replace(" ", "")

    def clean_siret(self) -> str:
        return plain(self.cleaned_data["siret"])

    def _billed(self) -> BilledFacts:
        given = self.cleaned_data
        return BilledFacts(
            street=given["street"],
            postcode=given["postcode"],
            city=given["city"],
            vat_number=given["vat_number"],
            e_address=given["e_address"],
        )


class IssuerForm(BilledForm):
    name = forms.CharField(
        max_length=150,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy(
            "The institution that bears the consortium, as its invoices name it."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    siret = siret_field()
    iban = forms.CharField(
        max_length=50,
        label="IBAN",
        help_text=gettext_lazy("Of the account that is paid to; spaces do not matter."),
        widget=forms.TextInput(attrs=NUMBER),
    )
    bic = forms.CharField(
        required=False, max_length=15, label="BIC", widget=forms.TextInput(attrs=NUMBER)
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        label=gettext_lazy("Days to pay"),
        help_text=gettext_lazy("A public body pays within 30 days."),
    )
    field_order = ("name", "siret", *BILLED, "iban", "bic", "days")

    def __init__(self, data: Mapping[str, Any] | None) -> None:
        shown = Issuer.objects.first() or Issuer()
        super().__init__(data, initial=_values(shown, self.base_fields))

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_iban(self) -> str:
        return plain(self.cleaned_data["iban"])

    def clean_bic(self) -> str:
        return plain(self.cleaned_data["bic"])

    def save(self, by: User) -> Issuer | None:
        """Write it. None, with the reason in the form, when it is refused."""
        given = self.cleaned_data
        facts = IssuerFacts(
            **self._billed(),
            name=given["name"],
            siret=given["siret"],
            iban=given["iban"],
            bic=given["bic"],
            days=given["days"],
        )
        try:
            return set_issuer(by=by, facts=facts)
        except ValidationError as refusal:
            tell_refusal(self, refusal)
        return None


class InvoicingForm(BilledForm):
    """Of an institution; its SIRET is asked for where the register has none."""

    siret = siret_field()
    vat_status = forms.ChoiceField(
        choices=VatStatus.choices,
        label=gettext_lazy("Value-added tax"),
        help_text=gettext_lazy(
            "Services of a group to its members are exempt where they use them for what is exempt or not taxable "
            "itself (art. 261 B). Your accountants know; nothing is invoiced before."
        ),
    )
    service_code = forms.CharField(
        required=False,
        max_length=LONGEST_ORDER,
        label=gettext_lazy("Service code (code service)"),
        help_text=gettext_lazy("Of Chorus Pro, where your institution asks for one: field BT-10."),
        widget=forms.TextInput(attrs=NUMBER),
    )
    commitment = forms.CharField(
        required=False,
        max_length=LONGEST_ORDER,
        label=gettext_lazy("Commitment number (numéro d’engagement)"),
        help_text=gettext_lazy("Of the order that these expenses belong to: field BT-13."),
        widget=forms.TextInput(attrs=NUMBER),
    )
    contract = forms.CharField(
        required=False,
        max_length=LONGEST_ORDER,
        label=gettext_lazy("Contract (marché)"),
        help_text=gettext_lazy("The number of a contract or an agreement: field BT-12."),
        widget=forms.TextInput(attrs=NUMBER),
    )
    field_order = ("siret", "vat_status", *BILLED, "service_code", "commitment", "contract")

    def __init__(self, data: Mapping[str, Any] | None, *, institution: Institution) -> None:
        self._institution = institution
        super().__init__(data, initial=_values(facts_of(institution), self.base_fields))
        if institution.siret:
            del self.fields["siret"]

    def save(self, by: User) -> InvoicingFacts | None:
        """Write it. None, with the reason in the form, when it is refused."""
        given = self.cleaned_data
        facts = InstitutionFacts(
            **self._billed(),
            vat_status=given["vat_status"],
            service_code=one_line(given["service_code"]),
            commitment=one_line(given["commitment"]),
            contract=one_line(given["contract"]),
        )
        try:
            return tell_invoicing(
                by=by, institution=self._institution, facts=facts, siret=given.get("siret", "")
            )
        except ValidationError as refusal:
            tell_refusal(self, refusal)
        return None


def _values(row: Issuer | InvoicingFacts, fields: Mapping[str, object]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in fields if hasattr(row, name)}
