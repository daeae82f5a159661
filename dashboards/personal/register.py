"""What the register of processing reads: how long things are kept, what was forgotten, and whom to turn to."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Max, Sum
from django.utils.functional import Promise

from federation.members.enums import ContactRole
from federation.members.models import Contact
from federation.members.operations.invitations import VALIDITY
from federation.people.enums import Forgotten
from federation.people.models import Forgetting, User
from federation.people.post import GIVEN_UP


def kept() -> dict[str, int]:
    """Return periods by name: months where the name says so, days otherwise."""
    return {
        "months": settings.RETENTION_MONTHS,
        "session": timedelta(seconds=settings.SESSION_COOKIE_AGE).days,
        "invitation": VALIDITY.days,
        "mail": GIVEN_UP.days,
    }


def officers(user: User) -> list[tuple[str, str]]:
    """Return the data protection officers of the reader's institutions: each institution with the officer's address."""
    named = Contact.objects.filter(
        role=ContactRole.DPO,
        candidacy__discarded_at=None,
        candidacy__membership__institution_id__in=user.institution_ids(),
    )
    found = named.order_by("candidacy__membership__institution__name").values_list(
        "candidacy__membership__institution__name", "email"
    )
    return list(found)


class Runs(NamedTuple):
    """Of one job in the last year or so: how often it ran, the last time, how many rows in all, of before when."""

    what: str | Promise
    runs: int
    last: datetime
    removed: int
    before: datetime | None


def forgotten(user: User) -> list[Runs]:
    """Return what the reader may know of the jobs that forget."""
    runs = Forgetting.objects.for_user(user).order_by("what").values("what")
    summed = runs.annotate(
        runs=Count("pk"), last=Max("created_at"), all=Sum("removed"), until=Max("before")
    )
    return [
        Runs(Forgotten(row["what"]).label, row["runs"], row["last"], row["all"], row["until"])
        for row in summed
    ]


COLUMNS = ("what", "at", "removed", "before")


def runs(user: User, most: int) -> Iterator[Mapping[str, Any]]:
    """Yield each run, the newest first, under `COLUMNS`."""
    rows = Forgetting.objects.for_user(user).order_by("-pk")[:most]
    for row in rows.iterator():
        yield {
            "what": row.what,
            "at": row.created_at,
            "removed": row.removed,
            "before": row.before,
        }
