"""What a service says of a person, as far as it is believed: only of its own domains, and only of its own institution.

Pure: values in, values out. Attributes by their names of eduPerson, Supann and SAML subject ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

UID_ATTRIBUTES = (
    "urn:oasis:names:tc:SAML:attribute:subject-id",
    "urn:oasis:names:tc:SAML:attribute:pairwise-id",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",  # eduPersonPrincipalName
)
MAIL = "urn:oid:0.9.2342.19200300.100.1.3"
DISPLAY_NAME = "urn:oid:2.16.840.1.113730.3.1.241"
GIVEN_NAME, SURNAME = "urn:oid:2.5.4.42", "urn:oid:2.5.4.4"
SCOPED_AFFILIATION = "urn:oid:1.3.6.1.4.1.5923.1.1.1.9"
ESTABLISHMENT = "urn:oid:1.3.6.1.4.1.7135.1.2.1.14"  # supannEtablissement, {UAI}…
SCOPED = (*UID_ATTRIBUTES, SCOPED_AFFILIATION)
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
_UAI = "{UAI}"


class Doubt(StrEnum):
    """Why nobody is let in; pages translate these codes."""

    NO_UID = "no_uid"
    OTHER_DOMAIN = "other_domain"
    OTHER_INSTITUTION = "other_institution"
    NO_EMAIL = "no_email"


@dataclass(frozen=True)
class Claims:
    """`doubt` is why it is not believed, empty when it is. `uais` and `siret` name institutions."""

    name: str = ""
    email: str = ""
    affiliations: tuple[str, ...] = ()
    uais: tuple[str, ...] = ()
    siret: str = ""
    doubt: str = ""

    def as_json(self) -> dict[str, Any]:
        """What is kept of it: what a role follows from, and no name or address."""
        kept = asdict(self)
        return {name: kept[name] for name in ("affiliations", "uais", "siret", "doubt")}


def is_within(domain: str, scopes: Iterable[str]) -> bool:
    """Whether a domain is one of these, or lies below one."""
    lower = domain.lower()
    return any(lower == scope or lower.endswith(f".{scope}") for scope in scopes)


def of_saml(attributes: Mapping[str, Sequence[str]], scopes: Sequence[str], uid: str) -> Claims:
    """Return what a provider with these scopes says; without a stable identifier, `uid` is empty."""
    values = [value for name in SCOPED for value in attributes.get(name, ()) if "@" in value]
    is_foreign = any(not is_within(value.rpartition("@")[2], scopes) for value in values)
    doubt = Doubt.OTHER_DOMAIN if is_foreign else "" if uid else Doubt.NO_UID
    return Claims(
        name=_name(attributes),
        email=_first(attributes, MAIL),
        affiliations=tuple(
            sorted({v.partition("@")[0].lower() for v in attributes.get(SCOPED_AFFILIATION, ())})
        ),
        uais=tuple(
            v.removeprefix(_UAI).upper()
            for v in attributes.get(ESTABLISHMENT, ())
            if v.startswith(_UAI)
        ),
        doubt=doubt,
    )


def of_oidc(told: Mapping[str, Any]) -> Claims:
    """Return what an OpenID provider says. ProConnect tells the SIRET, others may tell affiliations."""
    names = (told.get("given_name"), told.get("usual_name") or told.get("family_name"))
    name = told.get("name") or " ".join(str(part) for part in names if part)
    affiliations = told.get("eduperson_affiliation") or ()
    if isinstance(affiliations, str):
        affiliations = affiliations.split()
    return Claims(
        name=str(name)[:150],
        email=str(told.get("email") or ""),
        affiliations=tuple(sorted({str(each).partition("@")[0].lower() for each in affiliations})),
        siret=str(told.get("siret") or ""),
    )


def _name(attributes: Mapping[str, Sequence[str]]) -> str:
    parts = (_first(attributes, GIVEN_NAME), _first(attributes, SURNAME))
    shown = _first(attributes, DISPLAY_NAME) or " ".join(filter(None, parts))
    return " ".join(shown.split())[:150]


def _first(attributes: Mapping[str, Sequence[str]], name: str) -> str:
    return next((str(value) for value in attributes.get(name, ()) if value), "")
