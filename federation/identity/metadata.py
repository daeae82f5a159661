"""A federation's signed metadata: who has signed it, until when it holds, and the providers that it names.

What is read is the tree that was verified, never another reading of the file. Pure: a file in, values out.
Sources: SAML 2.0 Metadata; REFEDS hide-from-discovery; MDUI 1.0; shibmd:Scope.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import xmlsec
from lxml import etree
from xmlsec import constants

MOST_BYTES = 150 * 2**20
"""eduGAIN's aggregate has about 100 MB."""
MOST_TEXT = 500
MOST_ID, MOST_SCOPE = 200, 253
"""Characters: what allauth keeps of who vouched for an account; a domain name."""
_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_MDUI = "{urn:oasis:names:tc:SAML:metadata:ui}"
_SCOPE = "{urn:mace:shibboleth:metadata:1.0}Scope"
_ATTRIBUTE = "{urn:oasis:names:tc:SAML:2.0:assertion}Attribute"
_VALUE = "{urn:oasis:names:tc:SAML:2.0:assertion}AttributeValue"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SAML_2 = "urn:oasis:names:tc:SAML:2.0:protocol"
_CATEGORY = "http://macedir.org/entity-category"
_HIDDEN = "http://refeds.org/category/hide-from-discovery"
_TRANSFORMS = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    }
)
_DIGESTS = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmlenc#sha512",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
    }
)
_SIGNATURES = re.compile(r"http://www\.w3\.org/2001/04/xmldsig-more#(rsa|ecdsa)-sha(256|384|512)")
_SCOPE_TEXT = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class Fault(StrEnum):
    """Why a file is not believed; pages translate these codes."""

    TOO_LARGE = "too_large"
    NOT_XML = "not_xml"
    UNSIGNED = "unsigned"
    SIGNATURE = "signature"
    ALGORITHM = "algorithm"
    NOT_WHOLE = "not_whole"
    EXPIRED = "expired"
    NO_END = "no_end"
    CERTIFICATE = "certificate"
    AWAY = "away"


class MetadataRefusedError(ValueError):
    """Nothing of this file is believed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Skipped(StrEnum):
    """Why a provider of a file that is believed cannot be used here."""

    NO_REDIRECT = "no_redirect"
    NO_CERTIFICATE = "no_certificate"
    NO_ADDRESS = "no_address"


@dataclass(frozen=True)
class Described:
    """A provider. `certificates` in base 64, `names` by language, `scopes` the domains for which it may speak."""

    entity_id: str
    sso_url: str
    certificates: tuple[str, ...]
    names: dict[str, str]
    scopes: tuple[str, ...]
    is_hidden: bool


@dataclass
class Aggregate:
    valid_until: datetime
    providers: list[Described] = field(default_factory=list)
    skipped: Counter[Skipped] = field(default_factory=Counter)


def read_aggregate(path: Path, certificate: str, now: datetime) -> Aggregate:
    """Return what a file says that the holder of this PEM certificate has signed. Raises `MetadataRefusedError`."""
    if path.stat().st_size > MOST_BYTES:
        raise MetadataRefusedError(Fault.TOO_LARGE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
    )
    try:
        root = etree.parse(path, parser).getroot()
    except (etree.XMLSyntaxError, OSError):
        raise MetadataRefusedError(Fault.NOT_XML) from None
    if root.getroottree().docinfo.doctype:
        raise MetadataRefusedError(Fault.NOT_XML)
    _verify(root, certificate)
    found = Aggregate(valid_until=_end_of(root, now))
    for entity in root.iter(f"{_MD}EntityDescriptor"):
        described = _described(entity)
        if isinstance(described, Described):
            found.providers.append(described)
        elif described is not None:
            found.skipped[described] += 1
        entity.clear()  # the tree shrinks as the list grows
    return found


def check_certificate(certificate: str) -> xmlsec.Key:
    """Return what a PEM certificate verifies with. Raises `MetadataRefusedError`."""
    try:
        return xmlsec.Key.from_memory(certificate, constants.KeyDataFormatCertPem)
    except (xmlsec.Error, ValueError, TypeError):
        raise MetadataRefusedError(Fault.CERTIFICATE) from None


def _verify(root: etree._Element, certificate: str) -> None:
    """Raise unless the whole document, and nothing else, is what was signed."""
    signature = root.find(f"{_DS}Signature")
    if signature is None:
        raise MetadataRefusedError(Fault.UNSIGNED)
    _check_algorithms(signature)
    references = signature.findall(f"{_DS}SignedInfo/{_DS}Reference")
    uri = references[0].get("URI") if len(references) == 1 else None
    if uri is None or uri not in ("", f"#{root.get('ID', '')}") or uri == "#":
        raise MetadataRefusedError(Fault.NOT_WHOLE)
    context = xmlsec.SignatureContext()
    context.key = check_certificate(certificate)
    if root.get("ID"):
        context.register_id(root, "ID")
    try:
        context.verify(signature)
    except xmlsec.Error:
        raise MetadataRefusedError(Fault.SIGNATURE) from None


def _check_algorithms(signature: etree._Element) -> None:
    """Refuse what is weak, and transforms that could hide a part of the document from the signature."""

    def told(path: str) -> list[str]:
        return [each.get("Algorithm", "") for each in signature.iterfind(path)]

    signed = f"{_DS}SignedInfo"
    methods = told(f"{signed}/{_DS}SignatureMethod")
    digests = told(f"{signed}/{_DS}Reference/{_DS}DigestMethod")
    transforms = told(f"{signed}/{_DS}Reference/{_DS}Transforms/{_DS}Transform")
    is_strong = all(map(_SIGNATURES.fullmatch, methods)) and _DIGESTS.issuperset(digests)
    if not (methods and digests and is_strong and _TRANSFORMS.issuperset(transforms)):
        raise MetadataRefusedError(Fault.ALGORITHM)


def _end_of(root: etree._Element, now: datetime) -> datetime:
    """Return until when it holds: without an end, an old file could be given to us for ever."""
    try:
        end = datetime.fromisoformat(root.get("validUntil", ""))
    except ValueError:
        raise MetadataRefusedError(Fault.NO_END) from None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end <= now:
        raise MetadataRefusedError(Fault.EXPIRED)
    return end


def _described(entity: etree._Element) -> Described | Skipped | None:
    """Return a provider, why it cannot be used, or None for what is none."""
    idp = next(
        (
            each
            for each in entity.iterfind(f"{_MD}IDPSSODescriptor")
            if SAML_2 in each.get("protocolSupportEnumeration", "").split()
        ),
        None,
    )
    if idp is None:
        return None
    services = idp.iterfind(f"{_MD}SingleSignOnService")
    urls = [each.get("Location", "") for each in services if each.get("Binding") == REDIRECT]
    if not urls:
        return Skipped.NO_REDIRECT
    entity_id, sso_url = entity.get("entityID", ""), urls[0]
    is_address = sso_url.startswith(("https://", "http://")) and len(sso_url) <= MOST_TEXT
    if not (is_address and 0 < len(entity_id) <= MOST_ID):
        return Skipped.NO_ADDRESS
    certificates = tuple(_certificates(idp))
    if not certificates:
        return Skipped.NO_CERTIFICATE
    return Described(
        entity_id=entity_id,
        sso_url=sso_url,
        certificates=certificates,
        names=_names(entity, idp),
        scopes=tuple(_scopes(entity)),
        is_hidden=_is_hidden(entity),
    )


def _certificates(idp: etree._Element) -> Iterator[str]:
    for key in idp.iterfind(f"{_MD}KeyDescriptor"):
        if key.get("use", "signing") == "signing":
            for each in key.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate"):
                if text := "".join((each.text or "").split()):
                    yield text


def _names(entity: etree._Element, idp: etree._Element) -> dict[str, str]:
    """Return what it is called by language: by its own words, else its organisation's."""
    found: dict[str, str] = {}
    shown = f"{_MD}Extensions/{_MDUI}UIInfo/{_MDUI}DisplayName"
    organisation = f"{_MD}Organization/{_MD}OrganizationDisplayName"
    for each in (*idp.iterfind(shown), *entity.iterfind(organisation)):
        language, text = each.get(_LANGUAGE, "")[:2].lower(), " ".join((each.text or "").split())
        if text and language not in found and len(found) < 8:
            found[language] = text[:MOST_TEXT]
    return found


def _scopes(entity: etree._Element) -> Iterator[str]:
    """Yield the domains; patterns, which could mean any domain, are left out."""
    for each in entity.iter(_SCOPE):
        text = (each.text or "").strip().lower()
        is_plain = each.get("regexp", "false") in ("false", "0") and len(text) <= MOST_SCOPE
        if is_plain and _SCOPE_TEXT.fullmatch(text):
            yield text


def _is_hidden(entity: etree._Element) -> bool:
    return any(
        (value.text or "").strip() == _HIDDEN
        for attribute in entity.iter(_ATTRIBUTE)
        if attribute.get("Name") == _CATEGORY
        for value in attribute.iterfind(_VALUE)
    )
