"""E-mails of this room: in the addressee's language, sent once the transaction holds."""

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from federation.people.models import User


def tell_reset_factor(user: User) -> None:
    """Tell somebody that their second factor was taken off, and what to do if they did not ask for it."""
    with override(user.language):
        context = {
            "user": user,
            "site_name": settings.SITE_NAME,
            "page": f"{settings.PUBLIC_URL}{reverse('account_login')}",
            "password_page": f"{settings.PUBLIC_URL}{reverse('account_reset_password')}",
            "contact": settings.SITE_CONTACT,
        }
        subject = render_to_string("people/mail/second_factor_reset_subject.txt", context).strip()
        text = render_to_string("people/mail/second_factor_reset.txt", context)
    subject = f"[{settings.SITE_NAME}] {subject}"
    transaction.on_commit(lambda: send_mail(subject, text, None, [user.email]), robust=True)
