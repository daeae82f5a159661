"""The journal as one reader may read it: entries in words, page by page, and rows for a file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from dashboards.journal.changes import Change, changes, references
from dashboards.journal.names import Named, names_of
from dashboards.journal.sentences import GROUPS, sentence
from federation.journal.actors import ActorKind
from federation.journal.models import AuditEvent, AuditEventQuerySet
from federation.members.models import Institution
from federation.people.models import User

CHUNK = 2000
COLUMNS = (
    *("seq", "at", "actor_kind", "actor", "actor_pseudonym", "verb", "sentence"),
    *("object_type", "object_id", "object", "institution", "change", "hash"),
)
SOMEBODY = gettext_lazy("Somebody whose account you may not see")


@dataclass(frozen=True)
class Entry:
    """One event for one reader. `subject` is the object's name, None where they may not see it."""

    event: AuditEvent
    actor: str
    subject: Named | None
    institution: str
    changes: list[Change]

    @property
    def sentence(self) -> str:
        return sentence(self.event.verb, self.actor)

    @property
    def group(self) -> str:
        return str(GROUPS.get(self.event.verb.partition(".")[0], ""))


def entries_of(user: User, events: Iterable[AuditEvent]) -> list[Entry]:
    """Return these events for `user`; as many queries as there are kinds of objects among them, and two."""
    listed = list(events)
    names = names_of(user, (each for event in listed for each in references(event)))
    actors = _actors(user, {event.actor_pseudonym for event in listed if event.actor_pseudonym})
    ids = {event.institution_id for event in listed if event.institution_id}
    institutions: dict[UUID | None, str] = dict(
        Institution.objects.filter(pk__in=ids).values_list("pk", "short_name")
    )
    return [
        Entry(
            event=event,
            actor=_actor(event, actors),
            subject=names.get((event.object_type, event.object_id)),
            institution=institutions.get(event.institution_id, ""),
            changes=changes(event, names),
        )
        for event in listed
    ]


def rows(
    user: User, events: AuditEventQuerySet, most: int, language: str
) -> Iterator[dict[str, object]]:
    """Yield the newest events as rows of a file, `most` at most; holds no cursor open."""
    left, chunk = most, list(events[: min(CHUNK, most)])
    while chunk:
        with override(language):  # a file is written after the request, in another thread
            told = [_row(entry) for entry in entries_of(user, chunk)]
        yield from told
        left -= len(chunk)
        chunk = list(events.filter(seq__lt=chunk[-1].seq)[: min(CHUNK, left)]) if left else []


def _row(entry: Entry) -> dict[str, object]:
    event = entry.event
    return {
        "seq": event.seq,
        "at": event.at,
        "actor_kind": event.actor_kind,
        "actor": entry.actor,
        "actor_pseudonym": event.actor_pseudonym,
        "verb": event.verb,
        "sentence": entry.sentence,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "object": entry.subject.text if entry.subject else "",
        "institution": entry.institution,
        "change": json.dumps(event.diff, ensure_ascii=False) if event.diff else "",
        "hash": event.hash,
    }


def _actors(user: User, pseudonyms: set[UUID]) -> dict[UUID, str]:
    seen = User.objects.for_user(user).filter(pseudonym__in=pseudonyms)
    return dict(seen.values_list("pseudonym", "name"))


def _actor(event: AuditEvent, actors: dict[UUID, str]) -> str:
    match event.actor_kind:
        case ActorKind.COMMAND:
            return _("The command “%(name)s”") % {"name": event.actor_command}
        case ActorKind.SYSTEM:
            return _("The product by itself")
    known = actors.get(event.actor_pseudonym) if event.actor_pseudonym else None
    return known or str(SOMEBODY)
