"""Certificates as people paste them: read, judged with the reason and the way out, and described.

Not here: whether a server's certificate is trusted, which is the router's to find out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from routing.upstream.credentials import Secret
from routing.upstream.tls import Identity

MOST_CHARACTERS = 64 * 1024
MOST_CERTIFICATES = 20
SHORTEST_RSA = 2048
"""Below it, OpenSSL refuses a certificate as too weak."""
Kind = TypeVar("Kind", bound=x509.ExtensionType)
_KEY = "PRIVATE KEY-----"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
Certificates = Sequence[x509.Certificate]


@dataclass(frozen=True)
class Described:
    """A certificate for people."""

    subject: str
    issuer: str
    expires_at: datetime

    @property
    def is_over(self) -> bool:
        return self.expires_at <= timezone.now()


@dataclass(frozen=True)
class Shown:
    """What the router is to show of itself, and until when it can."""

    identity: Identity
    expires_at: datetime


def read_authorities(text: str) -> str:
    """Return the PEM text of authorities, or of servers that have signed themselves. Raises `ValidationError`."""
    certificates = _read(text)
    for each in certificates:
        _check_time(each)
        if not (_is_authority(each) or _signs_itself(each)):
            raise ValidationError(
                _(
                    "“%(subject)s” is not a authority: give the certificate that has signed it, or the "
                    "server’s own if it is signed by itself."
                ),
                code="no_authority",
                params={"subject": _name(each.subject)},
            )
    return _pem(certificates)


def read_identity(chain: str, key: str) -> Shown:
    """Return a certificate, with its chain, and its key. Raises `ValidationError` by field."""
    try:
        certificates = _read(chain)
        _check_chain(certificates)
    except ValidationError as refusal:
        raise ValidationError({"client_chain": refusal.messages}) from None
    pem = _read_key(key, certificates[0])
    identity = Identity(_pem(certificates), Secret(pem))
    return Shown(identity, min(each.not_valid_after_utc for each in certificates))


def described(pem: str) -> list[Described]:
    """Return what a kept PEM text holds, nothing of one that cannot be read any more."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []
    return [
        Described(_name(each.subject), _name(each.issuer), each.not_valid_after_utc)
        for each in certificates
    ]


def _read(text: str) -> Certificates:
    if _KEY in text:
        raise ValidationError(
            _(
                "This holds a private key, which nobody else needs to see: give the certificates alone, and "
                "put a new key in the place of this one."
            ),
            code="private_key",
        )
    if len(text) > MOST_CHARACTERS:
        raise ValidationError(_("This is too long for certificates."), code="long")
    _check_is_undamaged(text)
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
        for each in certificates:
            each.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise ValidationError(
            _(
                "This is not a certificate in PEM: it begins with “-----BEGIN CERTIFICATE-----”. A .der "
                "or .p12 file has to be converted first (openssl x509, openssl pkcs12)."
            ),
            code="no_pem",
        ) from None
    if len(certificates) > MOST_CERTIFICATES:
        raise ValidationError(
            _("At most %(count)s certificates."),
            code="many",
            params={"count": MOST_CERTIFICATES},
        )
    return certificates


def _check_is_undamaged(text: str) -> None:
    """Raise `ValidationError` that says which of the certificates is cut off or changed, and what to do."""
    parts = text.split(_BEGIN)[1:]
    for number, part in enumerate(parts, start=1):
        body, end, _rest = part.partition(_END)
        told = None
        if not end:
            told = _(
                "Certificate no. %(number)s is cut off: its line “-----END CERTIFICATE-----” is missing. Copy the "
                "file again, whole."
            )
        elif not _is_readable(_BEGIN + body + _END):
            told = _(
                "Certificate no. %(number)s is damaged: between its first and its last line characters are missing "
                "or changed. Copy the file again, whole."
            )
        if told:
            raise ValidationError(told, code="damaged", params={"number": number})


def _is_readable(text: str) -> bool:
    try:
        x509.load_pem_x509_certificate(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _check_time(certificate: x509.Certificate) -> None:
    now = timezone.now()
    params = {"subject": _name(certificate.subject)}
    if certificate.not_valid_after_utc <= now:
        raise ValidationError(_("“%(subject)s” has expired."), code="expired", params=params)
    if certificate.not_valid_before_utc > now:
        raise ValidationError(_("“%(subject)s” is not valid yet."), code="early", params=params)


def _check_chain(certificates: Certificates) -> None:
    """Raise `ValidationError` unless a client may show this: in time, in order, strong enough, and meant for it."""
    for each in certificates:
        _check_time(each)
    for lower, upper in pairwise(certificates):
        if not _is_issued_by(lower, upper):
            raise ValidationError(
                _(
                    "The certificates are not in order: the router’s own first, then who has signed it."
                ),
                code="order",
            )
    usage = _extension(certificates[0], x509.ExtendedKeyUsage)
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValidationError(
            _(
                "This certificate is not for clients: have your authority issue one for “clientAuth”."
            ),
            code="usage",
        )
    key = certificates[0].public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_RSA:
        raise ValidationError(
            _("Its key is too short: at least %(bits)s bits of RSA, or an elliptic curve."),
            code="weak",
            params={"bits": SHORTEST_RSA},
        )


def _read_key(text: str, certificate: x509.Certificate) -> str:
    """Return the key in its one spelling."""
    refusal = None
    try:
        key = load_pem_private_key(text.strip().encode(), password=None)
    except TypeError:
        refusal = _("The key is protected by a password: give it without one (openssl pkey).")
    except (ValueError, UnsupportedAlgorithm):
        refusal = (
            _("The key is damaged: characters are missing or changed. Copy the file again, whole.")
            if _KEY in text
            else _(
                "This is not a private key in PEM: it begins with “-----BEGIN PRIVATE KEY-----”."
            )
        )
    else:
        if _public(key.public_key()) != _public(certificate.public_key()):
            refusal = _("This key does not belong to the certificate.")
    if refusal:
        raise ValidationError({"client_key": refusal})
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public(key: object) -> bytes:
    spelled: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every kind of public key has it
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return spelled


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _signs_itself(certificate: x509.Certificate) -> bool:
    return _is_issued_by(certificate, certificate)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[Kind]) -> Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _name(name: x509.Name) -> str:
    """Return the common name, or the whole when it has none; of a bounded length."""
    return (_common_name(name) or name.rfc4514_string() or "–")[:200]


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _pem(certificates: Certificates) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)
