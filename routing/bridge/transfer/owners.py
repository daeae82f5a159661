"""Whose servers and keys they are: the dispatcher's free texts for organizations, and the register's institutions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from django.utils.text import slugify

from federation.fleet.enums import Engine
from routing.bridge.transfer import meaning
from routing.bridge.transfer.reading import Reading
from routing.bridge.transfer.register import Institution, Register

SLUG_LENGTH = 40
Chosen = TypeVar("Chosen")


@dataclass(frozen=True)
class Choices:
    """What the operator adds to the files: whose what is that names nobody, and which engine answers where.

    `owners` and `engines` go by a server's host or whole address, `organizations` by the text in the files.
    """

    institution: str = ""
    organizations: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    engines: Mapping[str, Engine] = field(default_factory=dict)

    def engine_of(self, url: str) -> Engine:
        return _by_address(self.engines, url) or Engine.VLLM


def _by_address(chosen: Mapping[str, Chosen], url: str) -> Chosen | None:
    parts = urlsplit(url)
    for name in (url, parts.netloc, parts.hostname or ""):
        if name in chosen:
            return chosen[name]
    return None


class Owners:
    """Finds the institution of each server and key; `new` are those to be added, slug → name."""

    def __init__(
        self,
        present: Register,
        choices: Choices,
        hosts: Mapping[str, tuple[str, ...]],
        reading: Reading,
    ) -> None:
        self.new: dict[str, str] = {}
        self.reading = reading
        self._present, self._choices, self._hosts = present, choices, hosts
        self._known = {each.slug: each for each in present.institutions}

    def of_server(self, server: meaning.Server, model: meaning.Model) -> str:
        """Return the slug of a server's institution: as told, as registered, or the only host of its model."""
        where = f"{server.where}.organization"
        told = server.organization
        if slug := _by_address(self._choices.owners, server.url):
            found = self._checked(slug, where)
        elif told:
            found = self._named(told, where)
        else:
            found = self._guessed(server, model, where)
        self._check_contributes(found, where)
        return found

    def of_key(self, key: meaning.Key) -> str:
        where = f"{key.where}.organization"
        found = self._named(key.organization, where) if key.organization else self.default(where)
        self._check_member(found, where)
        return found

    def named(self, organization: str) -> str | None:
        """Return the institution that a text of the past stands for, None when none does; none is added."""
        slug = self._choices.organizations.get(organization) or self._match(organization)
        return slug or (slugged(organization) if slugged(organization) in self.new else None)

    def check_used(self) -> None:
        """Refuse a chosen institution that does not exist."""
        if self._choices.institution:
            self._checked(self._choices.institution, "--institution")

    def _guessed(self, server: meaning.Server, model: meaning.Model, where: str) -> str:
        registered = {each.institution for each in self._present.servers if each.url == server.url}
        if len(registered) == 1:
            return registered.pop()
        hosts = self._hosts.get(model.name, ())
        if len(hosts) == 1:
            return self._named(hosts[0], where)
        host = urlsplit(server.url).hostname or server.url
        return self.default(where, f", or --owner {host}=SLUG")

    def default(self, where: str, more: str = "") -> str:
        """Return the institution of what names nobody."""
        if not self._choices.institution:
            self.reading.refuse(where, f"is missing; say whose it is: --institution SLUG{more}")
        return self._choices.institution

    def _named(self, organization: str, where: str) -> str:
        """Return the institution that a text stands for; one that nobody bears is added under it."""
        if chosen := self._choices.organizations.get(organization):
            return self._checked(chosen, where)
        if slug := self._match(organization, where):
            return slug
        slug = slugged(organization)
        if not slug:
            self.reading.refuse(where, "gives no identifier; say --organization 'TEXT=SLUG'")
        elif slug not in self.new:
            self.new[slug] = organization
        return slug

    def _match(self, organization: str, where: str = "") -> str:
        """Return the slug of the institution that bears this text as any of its names, empty when none does."""
        text = organization.strip().casefold()
        found = [
            each.slug
            for each in self._known.values()
            if text in {each.slug, each.short_name.casefold(), each.name.casefold()}
            or slugged(organization) == each.slug
        ]
        if len(found) > 1 and where:
            self.reading.refuse(
                where, f"stands for {' or '.join(found)}; say --organization 'TEXT=SLUG'"
            )
        return found[0] if found else ""

    def _checked(self, slug: str, where: str) -> str:
        if slug not in self._known and slug not in self.new:
            known = ", ".join(self._known) or "none yet"
            self.reading.refuse(where, f"there is no institution “{slug}” (known: {known})")
        return slug

    def _check_member(self, slug: str, where: str) -> Institution | None:
        found = self._known.get(slug)
        if found and not found.is_member:
            self.reading.refuse(where, f"{slug} is no approved member of the federation")
        return found

    def _check_contributes(self, slug: str, where: str) -> None:
        found = self._check_member(slug, where)
        if found and found.is_member and not found.contributes:
            self.reading.refuse(where, f"{slug} is no contributor: its membership brings no server")


def slugged(organization: str) -> str:
    """Return a text as a short identifier."""
    return slugify(organization)[:SLUG_LENGTH].strip("-_").replace("_", "-")
