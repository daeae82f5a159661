"""SAML identity providers as federations have them: signed metadata of many, and answers about people, true and false.

They sign with a real RSA key by xmlsec, as Shibboleth does; nothing of the product is used.
"""

import base64
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from xmlsec import constants

from federation.identity.claims import MAIL, SCOPED_AFFILIATION, SURNAME, UID_ATTRIBUTES

SAML, SAMLP = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EPPN = UID_ATTRIBUTES[2]


@dataclass
class Signer:
    """A key and its certificate, signed by itself."""

    key: bytes
    certificate: str

    @classmethod
    def new(cls, name: str) -> "Signer":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return cls(private, certificate.public_bytes(serialization.Encoding.PEM).decode())

    @property
    def base64(self) -> str:
        return "".join(self.certificate.splitlines()[1:-1])

    def sign(self, root: etree._Element, place: int, *, weak: bool = False) -> None:
        """Sign an element by its ID, with the signature as its child at `place`."""
        method = constants.TransformRsaSha1 if weak else constants.TransformRsaSha256
        signature = xmlsec.template.create(root, constants.TransformExclC14N, method, ns="ds")
        digest = constants.TransformSha1 if weak else constants.TransformSha256
        reference = xmlsec.template.add_reference(signature, digest, uri=f"#{root.get('ID')}")
        xmlsec.template.add_transform(reference, constants.TransformEnveloped)
        xmlsec.template.add_transform(reference, constants.TransformExclC14N)
        root.insert(place, signature)
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(self.key, constants.KeyDataFormatPem)
        context.register_id(root, "ID")
        context.sign(signature)


@dataclass
class Asked:
    """What a request for a sign-in says."""

    id: str
    answers_to: str
    issuer: str
    force: bool


def asked_in(url: str) -> Asked:
    """Return what the redirect to a provider asks."""
    packed = base64.b64decode(parse_qs(urlsplit(url).query)["SAMLRequest"][0])
    root = etree.fromstring(zlib.decompress(packed, -15))
    return Asked(
        id=root.get("ID", ""),
        answers_to=root.get("AssertionConsumerServiceURL", ""),
        issuer=root.findtext(f"{{{SAML}}}Issuer") or "",
        force=root.get("ForceAuthn") == "true",
    )


@dataclass
class Idp:
    """A provider of one domain."""

    domain: str
    name: str
    signer: Signer = field(default_factory=lambda: Signer.new("idp"))
    extra_certificates: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    bindings: tuple[str, ...] = ("HTTP-Redirect",)
    hidden: bool = False
    sso: str = ""

    @property
    def entity_id(self) -> str:
        return f"https://idp.{self.domain}/idp/shibboleth"

    def attributes(self, who: str, *, affiliation: str = "employee") -> dict[str, Sequence[str]]:
        return {
            EPPN: [f"{who}@{self.domain}"],
            MAIL: [f"{who}@{self.domain}"],
            SURNAME: [who.capitalize()],
            SCOPED_AFFILIATION: [f"{affiliation}@{self.domain}", f"member@{self.domain}"],
        }

    def response(
        self,
        asked: Asked,
        attributes: Mapping[str, Sequence[str]],
        *,
        issuer: str | None = None,
        in_response_to: str | None = None,
        name_id_format: str = TRANSIENT,
        signs: str = "assertion",
        weak: bool = False,
        minutes: int = 5,
    ) -> etree._Element:
        """Return an answer, signed as `signs` says: the assertion, the response, or nothing."""
        now = datetime.now(UTC)
        reply = asked.id if in_response_to is None else in_response_to
        told = "".join(
            f'<saml:Attribute Name="{name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in attributes.items()
        )
        until = f"{now + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
        moment = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        to = f' InResponseTo="{reply}"' if reply else ""
        text = f"""<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_r{secrets.token_hex(8)}"
 Version="2.0" IssueInstant="{moment}" Destination="{asked.answers_to}"{to}>
<saml:Issuer>{issuer or self.entity_id}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion ID="_a{secrets.token_hex(8)}" Version="2.0" IssueInstant="{moment}">
<saml:Issuer>{issuer or self.entity_id}</saml:Issuer>
<saml:Subject><saml:NameID Format="{name_id_format}">_n{secrets.token_hex(8)}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{asked.answers_to}"{to}/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{now - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}" NotOnOrAfter="{until}">
<saml:AudienceRestriction><saml:Audience>{asked.issuer}</saml:Audience></saml:AudienceRestriction>
</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{moment}" SessionIndex="_s1"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>{told}</saml:AttributeStatement></saml:Assertion></samlp:Response>"""
        root = etree.fromstring(text.replace("\n", ""))
        if signs == "assertion":
            assertion = root.find(f"{{{SAML}}}Assertion")
            assert assertion is not None
            self.signer.sign(assertion, 1, weak=weak)
        elif signs == "response":
            self.signer.sign(root, 1, weak=weak)
        return root

    def metadata(self) -> str:
        scopes = (self.domain,) if self.scopes is None else self.scopes
        certificates = (self.signer.base64, *self.extra_certificates)
        keys = "".join(
            '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
            f"<ds:X509Certificate>{each}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for each in certificates
        )
        services = "".join(
            f'<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}"'
            f' Location="{self.sso or f"https://idp.{self.domain}/sso"}"/>'
            for binding in self.bindings
        )
        hidden = (
            '<mdattr:EntityAttributes xmlns:mdattr="urn:oasis:names:tc:SAML:metadata:attribute">'
            f'<saml:Attribute xmlns:saml="{SAML}" Name="http://macedir.org/entity-category">'
            "<saml:AttributeValue>http://refeds.org/category/hide-from-discovery</saml:AttributeValue>"
            "</saml:Attribute></mdattr:EntityAttributes>"
            if self.hidden
            else ""
        )
        shown = "".join(
            f'<shibmd:Scope xmlns:shibmd="urn:mace:shibboleth:metadata:1.0" regexp="false">{each}</shibmd:Scope>'
            for each in scopes
        )
        return (
            f'<md:EntityDescriptor entityID="{self.entity_id}"><md:Extensions>{hidden}</md:Extensions>'
            f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"><md:Extensions>{shown}'
            '<mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui">'
            f'<mdui:DisplayName xml:lang="fr">{self.name}</mdui:DisplayName></mdui:UIInfo></md:Extensions>'
            f"{keys}{services}</md:IDPSSODescriptor></md:EntityDescriptor>"
        )


def aggregate(
    idps: Sequence[Idp],
    signer: Signer,
    *,
    valid_for: timedelta = timedelta(days=7),
    weak: bool = False,
) -> etree._Element:
    """Return a federation's signed metadata."""
    until = f"{datetime.now(UTC) + valid_for:%Y-%m-%dT%H:%M:%SZ}"
    text = (
        '<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_aggregate"'
        f' validUntil="{until}">{"".join(each.metadata() for each in idps)}</md:EntitiesDescriptor>'
    )
    root = etree.fromstring(text.encode())
    signer.sign(root, 0, weak=weak)
    return root


def write(root: etree._Element, path: Path) -> Path:
    path.write_bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
    return path


def packed(root: etree._Element) -> str:
    return base64.b64encode(etree.tostring(root)).decode()
