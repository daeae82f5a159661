"""Where a person can go: the entries of the header, by role."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from federation.members.policies import manages_people
from federation.people.enums import Role
from federation.people.models import User


@dataclass(frozen=True)
class Entry:
    """A page by the name of its URL; `icon` is one of the sprite's."""

    name: str
    label: str | Promise
    icon: str
    also: tuple[str, ...] = ()
    """Where else its pages lie."""
    but: tuple[str, ...] = ()
    """What lies under it and is another's."""

    @property
    def address(self) -> str:
        return reverse(self.name)


@dataclass(frozen=True)
class Shown:
    entry: Entry
    is_current: bool


HOME = Entry("home", _("Home"), "home")
SIGNED_IN = (
    Entry(
        "models",
        _("Models"),
        "sparkles",
        also=("/lifecycle/", "/compare/", "/cards/", "/minimum/", "/routing/", "/keys/trials/"),
    ),
    Entry("servers", _("Servers"), "server"),
    Entry("keys", _("My keys"), "key", but=("/keys/trials/",)),
    Entry("usage", _("My usage"), "chart-bar", also=("/prices/", "/accounts/", "/budgets/")),
)
PEOPLE = Entry("people", _("People"), "user")
MEMBERS = Entry(
    "members",
    _("Members"),
    "building-community",
    also=("/membership/", "/ballots/", "/agreements/", "/texts/"),
)
FEDERATION = (
    Entry("admin:index", _("Register"), "table"),
    Entry("stops", _("Stops"), "alert-triangle"),
)
ACCOUNT = (  # in the words of their headings, which are allauth's
    Entry("account_email", _("Email Addresses"), "mail"),
    Entry("account_change_password", _("Change Password"), "lock"),
    Entry("mfa_index", _("Two-Factor Authentication"), "shield-lock"),
    Entry("usersessions_list", _("Sessions"), "devices"),
    Entry("my_data", _("My data"), "download"),
)
JOURNAL = Entry("journal", _("Journal"), "book")
MEMBERSHIP = Entry("membership", _("Membership"), "building-community", also=("/agreements/",))


def main_entries(user: User | AnonymousUser, path: str) -> list[Shown]:
    """Return the header's entries for `user`, the one that `path` lies under marked."""
    entries = [HOME]
    if isinstance(user, User):
        entries += SIGNED_IN
        if manages_people(user):
            entries.append(PEOPLE)
        if user.sees_everything:
            entries.append(MEMBERS)
        if user.is_staff and user.has_role(Role.FEDERATION_ADMIN):
            entries += FEDERATION
    return [Shown(entry, _is_current(entry, path)) for entry in entries]


def account_entries(path: str) -> list[Shown]:
    """Return the pages of one's own account."""
    return [Shown(entry, _lies_under(path, entry.address)) for entry in ACCOUNT]


def _is_current(entry: Entry, path: str) -> bool:
    if entry.but and path.startswith(entry.but):
        return False
    return _lies_under(path, entry.address) or path.startswith(entry.also)


def menu_entries(user: User | AnonymousUser, path: str) -> list[Shown]:
    """Return the entries of the account's menu: its pages, and what everyone has a part in.

    Those who see all members find them in the header.
    """
    is_overseer = isinstance(user, User) and user.sees_everything
    shared = [JOURNAL] if is_overseer else [JOURNAL, MEMBERSHIP]
    return [*account_entries(path), *(Shown(entry, _is_current(entry, path)) for entry in shared)]


def _lies_under(path: str, address: str) -> bool:
    return path == address if address == "/" else path.startswith(address)
