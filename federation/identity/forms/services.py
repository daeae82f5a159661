"""Whom the federation believes: a federation's metadata, an OpenID provider, and whose people a service vouches for."""

import re
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.identity.models import LONGEST_ID, LONGEST_URL, MetadataSource, SignInService
from federation.identity.operations import OidcFacts, add_oidc_service, add_source, link_service
from federation.members.models import Institution
from federation.people.models import User
from routing.upstream.credentials import Secret

PLAIN = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
LONGEST_PEM = 20_000
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")


class WritingForm(forms.Form):
    def _take(self, refusal: ValidationError) -> None:
        """Put each message beside its field; what belongs to none stands above."""
        if not hasattr(refusal, "error_dict"):
            self.add_error(None, refusal.messages)
            return
        for name, messages in refusal.message_dict.items():
            self.add_error(name if name in self.fields else None, messages)


class SourceForm(WritingForm):
    name = forms.CharField(
        max_length=100,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Such as RENATER, eduGAIN."),
    )
    url = forms.CharField(
        max_length=LONGEST_URL,
        widget=forms.URLInput(attrs=PLAIN),
        label=gettext_lazy("Address of its metadata"),
        help_text=gettext_lazy("The signed aggregate of identity providers, with https."),
    )
    certificate = forms.CharField(
        max_length=LONGEST_PEM,
        widget=forms.Textarea(attrs={**PLAIN, "rows": 6}),
        label=gettext_lazy("Certificate of its signature"),
        help_text=gettext_lazy(
            "PEM, from the federation’s own page and not from the file that it signs: it is what everything rests on."
        ),
    )

    def save(self, by: User) -> MetadataSource | None:
        given = self.cleaned_data
        try:
            return add_source(
                by=by, name=given["name"], url=given["url"], certificate=given["certificate"]
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


class OidcForm(WritingForm):
    name = forms.CharField(
        max_length=40,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("As people look for it: ProConnect, Université de …"),
    )
    issuer = forms.CharField(
        max_length=LONGEST_ID,
        widget=forms.URLInput(attrs=PLAIN),
        label=gettext_lazy("Issuer"),
        help_text=gettext_lazy(
            "The address under which /.well-known/openid-configuration lies, exactly as the provider writes it."
        ),
    )
    client_id = forms.CharField(
        max_length=191,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Client identifier"),
    )
    secret = forms.CharField(
        max_length=191,
        widget=forms.PasswordInput(attrs=PLAIN),
        label=gettext_lazy("Client secret"),
        help_text=gettext_lazy("It is kept sealed and never shown again."),
    )
    domains = forms.CharField(
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Domains of its e-mail addresses"),
        help_text=gettext_lazy(
            "As univ-rennes.fr: of these it is believed who reads an address; any other is proved by a code. "
            "Empty: every address is proved."
        ),
    )
    is_proconnect = forms.BooleanField(
        required=False,
        label=gettext_lazy("This is ProConnect"),
        help_text=gettext_lazy("Institutions are then found by the SIRET that it tells."),
    )

    def clean_domains(self) -> list[str]:
        words = [
            word for word in re.split(r"[\s,;]+", self.cleaned_data["domains"].lower()) if word
        ]
        for word in words:
            if _DOMAIN.fullmatch(word) is None:
                raise ValidationError(_("“%(word)s” is no domain.") % {"word": word[:80]})
        return words

    def clean_issuer(self) -> str:
        issuer: str = self.cleaned_data["issuer"].strip()
        if not re.fullmatch(r"https?://[^\s@?#]+", issuer):
            raise ValidationError(_("An address with https is needed."))
        return issuer

    def save(self, by: User) -> SignInService | None:
        given = self.cleaned_data
        facts = OidcFacts(
            issuer=given["issuer"],
            name=given["name"],
            client_id=given["client_id"],
            secret=Secret(given["secret"]),
            scopes=given["domains"],
            is_proconnect=given["is_proconnect"],
        )
        slug = slugify(given["name"])[:40].strip("-") or "oidc"
        if SignInService.objects.filter(slug=slug).exists():
            self.add_error("name", _("Another service has this name."))
            return None
        try:
            return add_oidc_service(by=by, slug=slug, facts=facts)
        except ValidationError as refusal:
            self._take(refusal)
        return None


class LinkForm(WritingForm):
    institution = forms.ModelChoiceField(
        Institution.objects.none(),
        required=False,
        empty_label=gettext_lazy("nobody’s: people sign in, and no role follows"),
        label=gettext_lazy("Whose people"),
    )

    def __init__(self, data: Any, *, service: SignInService) -> None:
        super().__init__(data, initial={"institution": service.institution_id})
        self._service = service
        field = cast("forms.ModelChoiceField[Institution]", self.fields["institution"])
        field.queryset = Institution.objects.approved().order_by("short_name")

    def save(self, by: User) -> SignInService:
        institution = self.cleaned_data["institution"]
        return link_service(by=by, service=self._service, institution=institution)
