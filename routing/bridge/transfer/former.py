"""Whom and what the requests of the past name beyond the files: users and models that are gone by now. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from federation.catalogue.models import PUBLIC_NAME
from routing.bridge.transfer.history import Survey
from routing.bridge.transfer.owners import Owners
from routing.bridge.transfer.register import Register

Home = tuple[str, str]
"""An institution's slug and the name of a key there."""


@dataclass(frozen=True)
class AddFormerKey:
    institution: str
    name: str

    @property
    def line(self) -> str:
        return (
            f"+ former user “{self.name}” at {self.institution}: "
            "known from the requests alone, with a key that never works"
        )


@dataclass(frozen=True)
class AddFormerModel:
    name: str

    @property
    def line(self) -> str:
        return f"+ model {self.name}, retired: known from the requests alone"


def former_models(
    found: Survey, present: Register, coming: Collection[str], owners: Owners
) -> Iterator[AddFormerModel]:
    """Yield the models that neither the register nor the files know; `coming` are names in lower case."""
    known = present.models.keys() | present.aliases.keys() | set(coming)
    for name in sorted(found.models, key=str.lower):
        if name.lower() in known:
            continue
        known = known | {name.lower()}
        if not re.match(PUBLIC_NAME, name):
            owners.reading.refuse("metrics.model", f"“{name}” can be no model's name")
        yield AddFormerModel(name)


def find_homes(
    found: Survey, homes: Mapping[str, Collection[str]], owners: Owners
) -> dict[tuple[str, str], Home]:
    """Return where the requests of each (user, organization) are counted.

    `homes` are the institutions at which there is, or will be, a key of a name.
    """
    return {
        (user, organization): (_home(user, organization, homes, owners), user)
        for user, organizations in found.users.items()
        for organization in organizations
    }


def _home(
    user: str, organization: str, homes: Mapping[str, Collection[str]], owners: Owners
) -> str:
    known = homes.get(user, ())
    told = owners.named(organization) if organization else None
    if told in known or (told and not known):
        return told or ""
    if len(known) == 1:
        return next(iter(known))
    whom = f"metrics.user_organization of “{user}”"
    return told or owners.default(whom)


def former_keys(
    whose: Collection[Home], homes: Mapping[str, Collection[str]]
) -> list[AddFormerKey]:
    return [
        AddFormerKey(institution, name)
        for institution, name in sorted(set(whose))
        if institution not in homes.get(name, ())
    ]
