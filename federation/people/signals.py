"""What happens to second factors on allauth's pages: told to the journal, and noted in the session that set one."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.http import HttpRequest

from federation.people.factors import FACTORS
from federation.people.models import User
from federation.people.operations import note_second_factor


def connect() -> None:
    authenticator_added.connect(note_added, dispatch_uid="note_added")
    authenticator_removed.connect(note_removed, dispatch_uid="note_removed")
    authenticator_reset.connect(note_renewed, dispatch_uid="note_renewed")


def note_added(
    request: HttpRequest, user: User, authenticator: Authenticator, **details: Any
) -> None:
    """Setting a factor takes using it: this session, and no other, has shown it."""
    if authenticator.type in FACTORS:
        record_authentication(
            request, user, method="mfa", id=authenticator.pk, type=authenticator.type
        )
    note_second_factor(user=user, kind=authenticator.type, change="add")


def note_removed(user: User, authenticator: Authenticator, **details: Any) -> None:
    note_second_factor(user=user, kind=authenticator.type, change="remove")


def note_renewed(user: User, authenticator: Authenticator, **details: Any) -> None:
    note_second_factor(user=user, kind=authenticator.type, change="renew")
