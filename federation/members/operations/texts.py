"""Writes about published texts: a new version, and that somebody accepts the charter."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members import policies
from federation.members.enums import TextKind
from federation.members.markup import check_text
from federation.members.models import CharterAcceptance, TextVersion
from federation.members.queries import current_text
from federation.people.models import User


@transaction.atomic
def publish_text(
    *, by: Actor, kind: TextKind, text_fr: str, text_en: str, seen: int
) -> TextVersion:
    """Publish a new version of a text; what was agreed to before stays as it was.

    `seen` is the version that it was written from: raises `ValidationError` when there is another by now.
    """
    policies.check_publish_text(by)
    current = kept_text(kind)
    if current.number != seen:
        raise ValidationError(
            _(
                "Version %(number)s was published while you were writing. Your text stands below: "
                "compare, "
                "then publish again."
            ),
            code="changed_meanwhile",
            params={"number": current.number},
        )
    for text in (text_fr, text_en):
        check_text(kind, text)
    version = TextVersion(
        kind=kind,
        number=current.number + 1,
        text_fr=text_fr,
        text_en=text_en,
        published_by=by if isinstance(by, User) else None,
    )
    version.full_clean()
    version.save(force_insert=True)
    record(
        by=by,
        verb="members.publish_text",
        obj=version,
        diff={"kind": kind, "number": version.number},
    )
    return version


@transaction.atomic
def accept_charter(*, by: User, number: int) -> CharterAcceptance:
    """Accept the charter. Raises `ValidationError` when version `number`, which was read, is not the current one."""
    text = kept_text(TextKind.CHARTER)
    if text.number != number:
        raise ValidationError(
            _("The charter has changed since you opened the page: please read it again."),
            code="changed_meanwhile",
        )
    acceptance, is_new = CharterAcceptance.objects.get_or_create(user=by, text=text)
    if is_new:
        record(by=by, verb="members.accept_charter", obj=acceptance, diff={"number": text.number})
    return acceptance


def kept_text(kind: TextKind) -> TextVersion:
    """Return the current version, as a row: the first one is the product's, stored when it first counts."""
    text = current_text(kind)
    if text._state.adding:
        text, _is_new = TextVersion.objects.get_or_create(
            kind=kind,
            number=text.number,
            defaults={"text_fr": text.text_fr, "text_en": text.text_en},
        )
    return text
