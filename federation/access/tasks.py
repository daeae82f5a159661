"""What the worker tells people about their keys. Safe to run twice."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from federation.access.mails import tell_of_end
from federation.access.models import ApiKey

REMINDED_BEFORE = timedelta(days=14)


def remind_of_ends() -> None:
    """Write once to those whose key ends within two weeks, unless another takes its place already.

    A key that nobody answers for is looked at again the next morning.
    """
    soon = timezone.now() + REMINDED_BEFORE
    ending = ApiKey.objects.usable().filter(expires_at__lte=soon)
    ending = ending.exclude(reminded_of=F("expires_at")).exclude(
        pk__in=ApiKey.objects.usable().filter(replaces__isnull=False).values("replaces")
    )
    for key in ending.select_related("application__institution"):
        _remind_of_end(key)


@transaction.atomic
def _remind_of_end(key: ApiKey) -> None:
    rows = ApiKey.objects.filter(pk=key.pk)
    free = rows.exclude(reminded_of=key.expires_at).select_for_update().first()
    if free is not None and tell_of_end(key):
        rows.update(reminded_of=key.expires_at)
