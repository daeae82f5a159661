"""Letters as their readers get them: the worker's round, run by hand, into Django's mailbox of the tests."""

from django.core import mail
from django.core.mail import EmailMessage

from federation.people.post import send_due


def deliver() -> list[EmailMessage]:
    """Send what is due in the outbox, as the worker does; return what has left now."""
    before = len(mail.outbox)
    send_due()
    return list(mail.outbox[before:])


def recipients() -> list[str]:
    """Send what is due; return to whom it went, in alphabetical order."""
    return sorted(letter.to[0] for letter in deliver())
