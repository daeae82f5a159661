"""The e-mails of this room: to those who answer for a key."""

from functools import partial

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from federation.access.models import ApiKey
from federation.access.queries import people_behind
from federation.people.letters import Letter, page_address
from federation.people.models import User
from federation.people.post import post_each


def tell_of_leak(key: ApiKey) -> None:
    """Tell them that it was found somewhere and is revoked."""
    post_each(people_behind(key.application), partial(_leak, key))


def _leak(key: ApiKey) -> Letter:
    return Letter(
        _("Your key “%(name)s” of %(application)s was found in public and is revoked") % _said(key),
        (
            _(
                "Somebody found the key “%(name)s” of %(application)s (%(prefix)s…%(last4)s) where it should "
                "not be, and reported it. It was revoked at once: nobody can use it any more, nor can your "
                "software."
            )
            % _said(key),
            _what_to_do(
                (
                    _("make a new key, and put it where only your software reads it:"),
                    page_address("new_key"),
                ),
                (
                    _("look at what the old one was used for:"),
                    f"{page_address('usage')}?key={key.pk}",
                ),
                (
                    _("find out where it was seen (code, messages, logs), and take it away there."),
                    "",
                ),
            ),
        ),
    )


def tell_of_end(key: ApiKey) -> list[User]:
    """Tell them that it works not much longer, as long as it works; return who is told."""
    return post_each(people_behind(key.application), partial(_end, key), until=key.expires_at)


def _end(key: ApiKey) -> Letter:
    assert key.expires_at is not None  # the caller looked for those that end
    ends_at = timezone.localtime(key.expires_at)
    day, short = date_format(ends_at, "DATE_FORMAT"), date_format(ends_at, "SHORT_DATE_FORMAT")
    return Letter(
        _("Your key “%(name)s” of %(application)s works until %(day)s")
        % {**_said(key), "day": short},
        (
            _(
                "The key “%(name)s” of %(application)s (%(prefix)s…%(last4)s) ends with %(day)s. What still uses "
                "it then is refused."
            )
            % {**_said(key), "day": day},
            _what_to_do(
                (
                    _("replace it: the new key has the same rights, and both work for a while:"),
                    page_address("replace_key", key.pk),
                ),
                (
                    _("or let it work longer, with the same text:"),
                    page_address("change_key", key.pk),
                ),
                (_("or do nothing, if nobody needs it any more."), ""),
            ),
        ),
    )


def _said(key: ApiKey) -> dict[str, str]:
    return {
        "name": key.name,
        "application": key.application.name,
        "prefix": key.prefix,
        "last4": key.last4,
    }


def _what_to_do(*steps: tuple[str, str]) -> str:
    """Each step with the address of its page, where it has one."""
    lines = [_("What to do:")]
    for text, address in steps:
        lines += [f"- {text}", f"  {address}"] if address else [f"- {text}"]
    return "\n".join(lines)
