"""Reads about people that several callers share."""

from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from allauth.account.models import EmailAddress
from django.db.models import Q
from django.utils import timezone

from federation.people.models import FirstAdminLink, Mail, User
from federation.people.policies import can_be_first_admin

LATE = timedelta(minutes=10)
"""After which an e-mail that has not left is worth a word: the worker needs seconds for one."""


class LateMail(NamedTuple):
    """`failure` is what the mail server said last; empty while nothing was tried."""

    number: int
    since: datetime
    failure: str


def first_admin_link_is_usable(token: str) -> bool:
    """Whether the page behind this one-time link may be shown."""
    return can_be_first_admin() and FirstAdminLink.objects.usable(token).exists()


def late_mail() -> LateMail | None:
    """Return the e-mails that should have left long ago, None when there is none."""
    late = Mail.objects.filter(created_at__lte=timezone.now() - LATE)
    oldest = late.order_by("created_at").first()
    if oldest is None:
        return None
    tried = Mail.objects.filter(tries__gt=0).order_by("-next_try_at").first()
    return LateMail(late.count(), oldest.created_at, tried.failure if tried else "")


def proved_addresses(user: User) -> list[str]:
    """Return the addresses that somebody has proved to read; others may be anybody's. One query."""
    proved = EmailAddress.objects.filter(user=user, verified=True)
    return sorted({user.email, *proved.values_list("email", flat=True)})


def sent_to(addresses: list[str], column: str) -> Q:
    """Return what makes a row's address one of these, whatever its case."""
    return reduce(or_, (Q(**{f"{column}__iexact": each}) for each in addresses))
