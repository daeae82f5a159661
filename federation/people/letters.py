"""Letters: what an e-mail says, put into its reader's language between the same greeting and the same signature.

Written in Python: types find a fact that is missing, which a template would leave out. allauth asks for templates of
its own (`templates/account/email/`), which greet and sign alike. Not here: who gets a letter and what it says (`mails`
of each room), and how it leaves (`post`).
"""

from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override


class Letter(NamedTuple):
    """Paragraphs that are empty are left out. An address is a paragraph of its own, for programs to find."""

    subject: str
    paragraphs: tuple[str, ...]


Wording = Callable[[], Letter]
"""Called once for each reader, in the reader's language."""


def worded(language: str, wording: Wording) -> tuple[str, str]:
    """Return a letter's heading, one line, and its text."""
    with override(language):
        subject, paragraphs = wording()
        signature = f"-- \n{settings.SITE_NAME}"
        text = "\n\n".join(filter(None, (_("Hello,"), *paragraphs, signature))) + "\n"
    return f"[{settings.SITE_NAME}] {' '.join(subject.split())}", text


def page_address(name: str, *arguments: object) -> str:
    """Return the whole address of a page, by its name."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=arguments)}"
