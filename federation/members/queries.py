"""Reads about members that several callers share."""

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from django.core.exceptions import ValidationError

from federation.members.enums import Choice, ContactRole, TextKind
from federation.members.models import (
    Ballot,
    Candidacy,
    CharterAcceptance,
    Institution,
    TextVersion,
)
from federation.members.subjects import subject_of
from federation.members.texts import first_text
from federation.members.votes import Count
from federation.people.enums import AccountKind, Language, Role
from federation.people.models import RoleGrant, User


def institution_with_slug(slug: str) -> Institution:
    """Return the institution that an operator named. Raises `ValidationError` with the known ones."""
    institution = Institution.objects.filter(slug=slug).first()
    if institution is None:
        known = ", ".join(Institution.objects.values_list("slug", flat=True)) or "none yet"
        raise ValidationError(
            f"There is no institution “{slug}” (known: {known}). "
            f"Add it with: manage.py add_institution {slug} --name NAME",
            code="unknown_institution",
        )
    return institution


def with_their_past(institutions: Iterable[UUID]) -> list[UUID]:
    """Return the ids of institutions, and of those that have become a part of them, over however many steps."""
    found = latest = set(institutions)
    while latest:
        merged = Institution.objects.filter(successor_id__in=latest)
        latest = set(merged.values_list("pk", flat=True)) - found
        found = found | latest
    return sorted(found)


def heir_of(institution: Institution) -> Institution:
    """Return the institution that goes on in the place of `institution`: itself, unless it has become a part of one."""
    while institution.successor is not None:
        institution = institution.successor
    return institution


def current_text(kind: TextKind) -> TextVersion:
    """Return the version in force; before the federation has published its own, the product's, unsaved."""
    published = TextVersion.objects.filter(kind=kind).order_by("-number").first()
    return published or TextVersion(
        kind=kind,
        number=1,
        text_fr=first_text(kind, Language.FRENCH),
        text_en=first_text(kind, Language.ENGLISH),
    )


def has_accepted_charter(user: User) -> bool:
    """Whether `user` has accepted the version in force."""
    number = current_text(TextKind.CHARTER).number
    return CharterAcceptance.objects.filter(user=user, text__number=number).exists()


class Part(StrEnum):
    """The pages of a candidacy, in their order."""

    INSTITUTION = "institution"
    ROLE = "role"
    CONTACTS = "contacts"


CONTACT_FIELDS = ("name", "function", "email", "phone")
FIELDS: dict[Part, tuple[str, ...]] = {
    Part.INSTITUTION: Candidacy.ABOUT_THE_INSTITUTION,
    Part.ROLE: ("is_contributor", "is_consumer", "contributions", "motivation"),
    Part.CONTACTS: tuple(f"{role}_{field}" for role in ContactRole for field in CONTACT_FIELDS),
}


def values_of(candidacy: Candidacy, part: Part) -> dict[str, object]:
    """Return what stands in one part, by the names of its form's fields."""
    if part != Part.CONTACTS:
        return {name: getattr(candidacy, name) for name in FIELDS[part]}
    values: dict[str, object] = dict.fromkeys(FIELDS[part], "")
    for contact in candidacy.contacts.all():
        for field in CONTACT_FIELDS:
            values[f"{contact.role}_{field}"] = getattr(contact, field)
    return values


def seen_of(candidacy: Candidacy, part: Part) -> str:
    """Return a digest of what stands in one part, by which a form tells what its reader has seen."""
    text = json.dumps(values_of(candidacy, part), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def committee() -> list[User]:
    """Return who decides for the federation: its administrators."""
    grants = RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN)
    people = User.objects.filter(
        pk__in=grants.values("user_id"), is_active=True, kind=AccountKind.PERSON
    )
    return list(people.order_by("name", "pk"))


def voters_about(kind: str, subject_id: UUID) -> list[User]:
    """Return who may vote about a subject: the committee without those whose own affair it is."""
    barred = subject_of(kind).barred(subject_id)
    return [member for member in committee() if member.pk not in barred]


def is_last_to_vote(user: User, ballot: Ballot) -> bool:
    """Say whether everybody else who may vote has done so."""
    asked = {voter.pk for voter in voters_about(ballot.kind, ballot.subject_id)}
    return user.pk in asked and asked - {vote.voter_id for vote in ballot.votes.all()} <= {user.pk}


def count_votes(ballot: Ballot) -> Count:
    """Count the votes of those who may vote at this moment."""
    voters = {voter.pk for voter in voters_about(ballot.kind, ballot.subject_id)}
    cast = [vote.choice for vote in ballot.votes.all() if vote.voter_id in voters]
    return Count(
        yes=cast.count(Choice.YES),
        no=cast.count(Choice.NO),
        abstain=cast.count(Choice.ABSTAIN),
        members=len(voters),
    )
