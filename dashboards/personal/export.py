"""Everything that the product knows of one person, as JSON: sections of rows, never more than so many.

Of others nothing: an invitation without the address that it went to, a candidacy without its other contacts, an act
about the account without who did it. No secret and no digest: columns are named one by one. Requests themselves are in
the CSV of `/usage/`, which the file names.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery

from billing.models import Budget, BudgetRequest, Holder, KeyMonth
from federation.access.models import ApiKey, Application
from federation.catalogue.models import Notice, Proposal
from federation.journal.models import AuditEvent
from federation.members.models import (
    Candidacy,
    CharterAcceptance,
    Contact,
    Institution,
    Invitation,
    StoredFile,
    TeamPlace,
    Vote,
)
from federation.people.letters import page_address
from federation.people.models import Mail, RoleGrant, User
from federation.people.queries import proved_addresses, sent_to
from routing.core.enums import BudgetScope

FORMAT = 1
"""Raised when a section or a column gets another meaning."""
MOST_ROWS = 5_000
"""Of a section, the newest: the file is bounded. What is cut is named at its end."""
Rows = Any
"""A query of `values`."""


def _account(user: User) -> Rows:
    return User.objects.filter(pk=user.pk).values(
        *("email", "name", "pseudonym", "kind", "language", "created_at", "last_login"),
        *("is_active", "is_staff"),
    )


def _addresses(user: User) -> Rows:
    return EmailAddress.objects.filter(user=user).values("email", "verified", "primary")


def _sessions(user: User) -> Rows:
    kept = UserSession.objects.filter(user=user).order_by("-created_at")
    return kept.values("created_at", "last_seen_at", "ip", "user_agent")


def _factors(user: User) -> Rows:
    held = Authenticator.objects.filter(user=user).order_by("-created_at")
    return held.values("type", "created_at", "last_used_at")


def _services(user: User) -> Rows:
    """By which they sign in: each with the identifier that it knows them by, and what it last said."""
    return SocialAccount.objects.filter(user=user).values(
        *("provider", "uid", "extra_data", "date_joined", "last_login")
    )


def _roles(user: User) -> Rows:
    place = Institution.objects.filter(pk=OuterRef("institution_id")).values("slug")[:1]
    held = RoleGrant.objects.filter(user=user).order_by("-created_at")
    return held.values("role", "created_at", at=Subquery(place, output_field=CharField()))


def _teams(user: User) -> Rows:
    places = TeamPlace.objects.filter(user=user).order_by("-created_at")
    return places.values("team__name", "team__institution__slug", "is_lead", "created_at")


def _candidacies(user: User) -> Rows:
    return Candidacy.objects.filter(applicant=user).values(
        *("name", "short_name", "slug", "uai", "siret", "is_contributor", "is_consumer"),
        *("contributions", "motivation", "created_at", "submitted_at", "discarded_at"),
    )


def _contacts(user: User) -> Rows:
    named = Contact.objects.filter(sent_to(proved_addresses(user), "email")).order_by("-created_at")
    return named.values("candidacy__name", "role", "name", "function", "email", "phone")


def _files(user: User) -> Rows:
    stored = StoredFile.objects.filter(stored_by=user).order_by("-created_at")
    return stored.values("name", "size", "created_at")


def _applications(user: User) -> Rows:
    owned = Application.objects.filter(owner=user).order_by("-created_at")
    return owned.values("id", "name", "description", "institution__slug", "created_at")


def _managed(user: User) -> Rows:
    managed = user.managed_applications.order_by("-created_at")
    return managed.values("id", "name", "institution__slug")


def _keys_of(user: User) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(Q(application__owner=user) | Q(created_by=user))


def _keys(user: User) -> Rows:
    found = _keys_of(user).order_by("-created_at")
    return found.values(
        *("id", "application_id", "name", "prefix", "priority", "routing_mode", "origins"),
        *("endpoints", "networks", "labels", "created_at", "expires_at", "revoked_at"),
        "last_used_on",
    )


def _usage(user: User) -> Rows:
    """By key and month, under the application's id where retention has forgotten the key."""
    own = Application.objects.filter(owner=user).values("pk")
    of_theirs = Q(key_id__in=_keys_of(user).values("pk")) | Q(key_id__in=own)
    asking = Application.objects.filter(Q(owner=user) | Q(keys__created_by=user))
    return (
        KeyMonth.objects.filter(
            of_theirs, asking_institution_id__in=asking.values("institution_id")
        )
        .order_by("-since", "key_id", "status")
        .values(
            *("since", "key_id", "application_id", "status", "requests", "prompt_tokens"),
            *("completion_tokens", "audio_ms", "images", "cost_nano", "energy_mj"),
        )
    )


def _budgets(user: User) -> Rows:
    holders = Holder.objects.filter(user=user).values("pk")
    own = Application.objects.filter(owner=user).values("pk")
    theirs = (
        Q(scope=BudgetScope.PERSON, scope_id__in=holders)
        | Q(scope=BudgetScope.APPLICATION, scope_id__in=own)
        | Q(scope=BudgetScope.KEY, scope_id__in=_keys_of(user).values("pk"))
    )
    return (
        Budget.objects.filter(theirs)
        .order_by("-created_at")
        .values(
            *("scope", "scope_id", "unit", "most", "window", "hard", "name", "created_at"),
            "ended_at",
        )
    )


def _budget_requests(user: User) -> Rows:
    asked = BudgetRequest.objects.filter(asked_by=user).order_by("-created_at")
    return asked.values(
        *("budget_id", "wanted", "until", "reason", "state", "granted", "answer", "created_at")
    )


def _invitations_sent(user: User) -> Rows:
    sent = Invitation.objects.filter(invited_by=user).order_by("-sent_at")
    return sent.values("role", "institution__slug", "team__name", "sent_at", "state")


def _invitations_received(user: User) -> Rows:
    to_them = sent_to(proved_addresses(user), "email") | Q(accepted_by=user)
    received = Invitation.objects.filter(to_them).order_by("-sent_at")
    return received.values("role", "institution__slug", "team__name", "sent_at", "state")


def _charter(user: User) -> Rows:
    accepted = CharterAcceptance.objects.filter(user=user).order_by("-created_at")
    return accepted.values("text__number", "created_at")


def _votes(user: User) -> Rows:
    cast = Vote.objects.filter(voter=user).order_by("-created_at")
    return cast.values(
        *("ballot__kind", "ballot__subject_name", "choice", "comment", "created_at", "changed_at")
    )


def _proposals(user: User) -> Rows:
    made = Proposal.objects.filter(proposed_by=user).order_by("-created_at")
    return made.values(
        *("model__slug", "weights_url", "reason", "hosts", "created_at", "withdrawn_at")
    )


def _notices(user: User) -> Rows:
    told = Notice.objects.filter(person=user).order_by("-created_at")
    return told.values("announcement__kind", "announcement__model__slug", "keys", "sent_at")


def _mails(user: User) -> Rows:
    """What they say is sealed, and reaches its reader within minutes."""
    waiting = Mail.objects.filter(Q(person=user) | sent_to(proved_addresses(user), "address"))
    return waiting.order_by("-created_at").values("created_at", "topic", "tries")


def _acts(user: User) -> Rows:
    events = AuditEvent.objects.filter(actor_pseudonym=user.pseudonym).order_by("-seq")
    return events.values("seq", "at", "verb", "object_type", "object_id", "diff")


def _acts_of_others(user: User) -> Rows:
    events = AuditEvent.objects.filter(object_id=str(user.pk), object_type=User._meta.label_lower)
    events = events.exclude(actor_pseudonym=user.pseudonym).order_by("-seq")
    return events.values("seq", "at", "verb")


SECTIONS: Mapping[str, Callable[[User], Rows]] = {
    "account": _account,
    "addresses": _addresses,
    "sessions": _sessions,
    "second_factors": _factors,
    "sign_in_services": _services,
    "roles": _roles,
    "teams": _teams,
    "candidacies": _candidacies,
    "contacts": _contacts,
    "files": _files,
    "applications": _applications,
    "managed_applications": _managed,
    "keys": _keys,
    "usage_by_month": _usage,
    "budgets": _budgets,
    "budget_requests": _budget_requests,
    "invitations_sent": _invitations_sent,
    "invitations_received": _invitations_received,
    "charter": _charter,
    "votes": _votes,
    "proposals": _proposals,
    "notices": _notices,
    "waiting_mails": _mails,
    "journal": _acts,
    "journal_about_the_account": _acts_of_others,
}


def pieces(user: User, now: datetime, most: int = MOST_ROWS) -> Iterator[str]:
    """Yield the file, a section at a time."""
    about = {
        "format": FORMAT,
        "site": settings.SITE_NAME,
        "made_at": now,
        "requests": page_address("usage_csv"),
        "whole_journal": page_address("journal_csv"),
    }
    yield f'{{\n"about": {_json(about)}'
    cut = []
    for name, rows in SECTIONS.items():
        found = list(rows(user)[: most + 1])
        if len(found) > most:
            cut.append(name)
        yield f',\n"{name}": {_json([_plain(row) for row in found[:most]])}'
    yield f',\n"cut": {_json(cut)}\n}}\n'


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row under names without Django's marks of a relation."""
    return {name.replace("__", "_"): value for name, value in row.items()}


def _json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
