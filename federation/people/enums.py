"""Kinds of account, roles, languages: their values in the database and their labels on pages."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AccountKind(models.TextChoices):
    PERSON = "person", _("person")
    SERVICE = "service", _("service account")


SERVICE_ACCOUNTS = "service-accounts.invalid"
"""The domain of programs' addresses, which can never exist (RFC 2606): nothing is ever sent there."""


class Language(models.TextChoices):
    FRENCH = "fr", "Français"
    ENGLISH = "en", "English"


class Role(models.TextChoices):
    """What someone may do: in the whole federation, or at one institution."""

    FEDERATION_ADMIN = "federation_admin", _("federation administrator")
    AUDITOR = "auditor", _("auditor")
    FINANCE = "finance", _("federation finance")
    MEMBER_DSI = "member_dsi", _("institution's IT department")
    MEMBER_FINANCE = "member_finance", _("institution's finance")
    PROJECT_OWNER = "project_owner", _("project owner")
    USER = "user", _("user")


FEDERATION_ROLES = frozenset({Role.FEDERATION_ADMIN, Role.AUDITOR, Role.FINANCE})
INSTITUTION_ROLES = frozenset(Role) - FEDERATION_ROLES
OVERVIEW_ROLES = frozenset({Role.FEDERATION_ADMIN, Role.AUDITOR})
"""Roles that see every institution's rows."""
SECOND_FACTOR_ROLES = FEDERATION_ROLES | {Role.MEMBER_DSI}
"""Roles that are not exercised with a password alone: they decide, see or count for others, or hold servers' keys."""


class Forgotten(models.TextChoices):
    """What jobs forget by the clock (docs/retention.md)."""

    USAGE = "usage", _("which key asked a request")
    PEOPLE = "people", _("names of people who have left")
    SESSIONS = "sessions", _("ended sessions")
    COUNTERS = "counters", _("counters of attempts to sign in")
    CHANGES = "changes", _("changes that routers have followed")
