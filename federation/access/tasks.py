"""What the worker tells people about their keys. Each is safe to run twice; who is killed in between tells it twice."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from federation.access.models import ApiKey
from federation.access.queries import people_behind

REMINDED_BEFORE = timedelta(days=14)
logger = logging.getLogger(__name__)


def tell_of_leak(key_id: str) -> None:
    """Write to those whose key was found somewhere and is revoked; raises what could not be sent, to be tried again."""
    key = ApiKey.objects.select_related("application__institution").get(pk=UUID(key_id))
    for trouble in [trouble for trouble in _told(key, "leak") if trouble]:
        raise trouble


def remind_of_ends() -> None:
    """Write once to those whose key ends within two weeks, unless another takes its place already.

    A key of whom nobody could be told is tried again the next morning; no lock is held while mail goes out.
    """
    soon = timezone.now() + REMINDED_BEFORE
    ending = ApiKey.objects.usable().filter(expires_at__lte=soon)
    ending = ending.exclude(reminded_of=F("expires_at")).exclude(
        pk__in=ApiKey.objects.usable().filter(replaces__isnull=False).values("replaces")
    )
    for key in ending.select_related("application__institution"):
        troubles = list(_told(key, "ending"))
        if not troubles or None in troubles:
            ApiKey.objects.filter(pk=key.pk).update(reminded_of=key.expires_at)


def _told(key: ApiKey, name: str) -> Iterator[OSError | None]:
    """Write to each of the key's people in their own language; yield what went wrong, None for each who is told."""
    for person in people_behind(key.application):
        context = {
            "key": key,
            "person": person,
            "site_name": settings.SITE_NAME,
            "public_url": settings.PUBLIC_URL,
        }
        with override(person.language):
            subject = render_to_string(f"access/mail/{name}_subject.txt", context).strip()
            text = render_to_string(f"access/mail/{name}.txt", context)
        try:
            send_mail(f"[{settings.SITE_NAME}] {subject}", text, None, [person.email])
        except OSError as trouble:
            logger.error("a mail about key %s could not be sent: %s", key.prefix, trouble)
            yield trouble
        else:
            yield None
