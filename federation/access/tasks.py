"""What the worker tells people about their keys. Each is safe to run twice; who is killed in between tells it twice."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from federation.access.models import ApiKey
from federation.access.queries import people_behind

REMINDED_BEFORE = timedelta(days=14)


def tell_of_leak(key_id: str) -> None:
    """Write to those whose key was found somewhere and has been revoked, each in their own language."""
    _tell(ApiKey.objects.select_related("application__institution").get(pk=UUID(key_id)), "leak")


def remind_of_ends() -> None:
    """Write once to those whose key ends within two weeks, unless another takes its place already."""
    soon = timezone.now() + REMINDED_BEFORE
    ending = ApiKey.objects.usable().filter(expires_at__lte=soon)
    ending = ending.exclude(reminded_of=F("expires_at")).exclude(
        pk__in=ApiKey.objects.usable().filter(replaces__isnull=False).values("replaces")
    )
    for pk in ending.values_list("pk", flat=True):
        _remind(pk)


@transaction.atomic
def _remind(pk: UUID) -> None:
    keys = ApiKey.objects.select_related("application__institution")
    key = keys.select_for_update(of=("self",)).get(pk=pk)
    if key.is_usable and key.reminded_of != key.expires_at:
        _tell(key, "ending")
        key.reminded_of = key.expires_at
        key.save(update_fields=["reminded_of"])


def _tell(key: ApiKey, name: str) -> None:
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
        send_mail(f"[{settings.SITE_NAME}] {subject}", text, None, [person.email])
