"""What the committee can vote about: each kind of subject says when, and what a decision brings about.

A room above registers its own kind when its app is ready; this one registers memberships.
"""

from collections.abc import Sequence, Set
from typing import Protocol
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.members.enums import SubjectKind
from federation.members.votes import Count


class Subject(Protocol):
    def check_open(self, subject_id: UUID) -> None:
        """Raise `ValidationError` unless a ballot about this row is due."""

    def barred(self, subject_id: UUID) -> Set[UUID]:
        """Return the accounts that may not vote about this row, because it is their own."""

    def name(self, subject_id: UUID) -> str: ...

    def address(self, subject_id: UUID) -> str:
        """Return the page of this row."""

    def facts(self, subject_id: UUID) -> Sequence[tuple[str, str]]:
        """Return what its ballot shows of it, each under its name; none where its page tells all."""

    def decided(self, *, by: Actor, subject_id: UUID, count: Count) -> None:
        """Carry out what was decided, in the transaction that closes the ballot."""


_subjects: dict[SubjectKind, Subject] = {}


def register(kind: SubjectKind, subject: Subject) -> None:
    _subjects[kind] = subject


def subject_of(kind: str) -> Subject:
    """Raises `ValidationError` for a kind that no room has registered."""
    subject = _subjects.get(SubjectKind(kind))
    if subject is None:
        raise ValidationError(_("The committee does not vote about this."), code="no_subject")
    return subject
