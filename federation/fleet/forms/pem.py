"""Texts in PEM, pasted or brought as a file, and what the certificates in them are good for."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.fleet.certificates import MOST_CHARACTERS, Shown, read_authorities, read_identity

SPELLED = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "rows": 4}


class WriteOnly(forms.Textarea):
    """As with a password, what was typed is on no page, not even on that of a refused form."""

    def format_value(self, value: object) -> str:
        return ""


def pem_field(widget: type[forms.Textarea] = forms.Textarea, **arguments: Any) -> forms.CharField:
    return forms.CharField(
        required=False, max_length=MOST_CHARACTERS, widget=widget(attrs=SPELLED), **arguments
    )


def authorities_field() -> forms.CharField:
    return pem_field(
        label=gettext_lazy("Certificate authority"),
        help_text=gettext_lazy(
            "Only if your own authority, or the server itself, has signed the server’s certificate: that "
            "authority’s certificate, in PEM. The router then trusts it alone, for this server alone."
        ),
    )


def chain_field() -> forms.CharField:
    return pem_field(
        label=gettext_lazy("Certificate that the router shows"),
        help_text=gettext_lazy(
            "Only if the server asks its clients for one (mTLS): the certificate that your authority has issued "
            "to the router, in PEM, followed by its intermediates."
        ),
    )


def key_field() -> forms.CharField:
    return pem_field(
        WriteOnly,
        label=gettext_lazy("Key of that certificate"),
        help_text=gettext_lazy(
            "In PEM, without a password. It is kept sealed and never shown again."
        ),
    )


def clean_authorities(text: str) -> str:
    return read_authorities(text) if text.strip() else ""


def clean_identity(chain: str, key: str) -> Shown | None:
    """Return what is to be shown, None when nothing is given. Raises `ValidationError` by field."""
    if not chain.strip() and not key.strip():
        return None
    missing = {
        name: _("The certificate and its key are given together.")
        for name, text in (("client_chain", chain), ("client_key", key))
        if not text.strip()
    }
    if missing:
        raise ValidationError(missing)
    return read_identity(chain, key)


def _file_field(**arguments: Any) -> forms.FileField:
    return forms.FileField(required=False, **arguments)


def _text_of(upload: "UploadedFile[Any] | None") -> str:
    """Return a file's text. Raises `ValidationError` on one that is no PEM at all."""
    if upload is None:
        return ""
    if (upload.size or 0) > MOST_CHARACTERS:
        raise ValidationError(_("This is too long for certificates."))
    return bytes(upload.read()).decode("ascii", "replace")


class AuthoritiesForm(forms.Form):
    """Whom to trust at the server."""

    ca_bundle = authorities_field()
    ca_file = _file_field(label=gettext_lazy("… or as a file"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        text = _text_of(cleaned.get("ca_file")) or cleaned.get("ca_bundle") or ""
        try:
            cleaned["authorities"] = clean_authorities(text)
        except ValidationError as refusal:
            self.add_error("ca_bundle", refusal.messages)
        else:
            if not cleaned["authorities"]:
                self.add_error("ca_bundle", _("This is needed."))
        return cleaned


class IdentityForm(forms.Form):
    """What to show to the server."""

    client_chain = chain_field()
    chain_file = _file_field(label=gettext_lazy("… or as a file"))
    client_key = key_field()
    key_file = _file_field(label=gettext_lazy("… or as a file"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chain = _text_of(cleaned.get("chain_file")) or cleaned.get("client_chain") or ""
        key = _text_of(cleaned.get("key_file")) or cleaned.get("client_key") or ""
        try:
            cleaned["shown"] = clean_identity(chain, key)
        except ValidationError as refusal:
            for name, messages in refusal.message_dict.items():
                self.add_error(name, messages)
        else:
            if cleaned["shown"] is None:
                self.add_error("client_chain", _("This is needed."))
        return cleaned
