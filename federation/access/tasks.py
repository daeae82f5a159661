"""What the worker does about keys. Each is safe to run twice; an e-mail is then sent twice."""

from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils.translation import override

from federation.access.models import ApiKey
from federation.access.queries import people_behind


def tell_of_leak(key_id: str) -> None:
    """Write to those whose key was found somewhere and has been revoked, each in their own language."""
    key = ApiKey.objects.select_related("application__institution").get(pk=UUID(key_id))
    for person in people_behind(key.application):
        context = {
            "key": key,
            "person": person,
            "site_name": settings.SITE_NAME,
            "public_url": settings.PUBLIC_URL,
        }
        with override(person.language):
            subject = render_to_string("access/mail/leak_subject.txt", context).strip()
            text = render_to_string("access/mail/leak.txt", context)
        send_mail(f"[{settings.SITE_NAME}] {subject}", text, None, [person.email])
