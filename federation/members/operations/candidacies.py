"""Writes of an applicant: begin, fill in, hand in, withdraw.

What was changed meanwhile is found by the digest of what the writer had seen, part by part: two people who fill in
different parts do not disturb each other.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.journal.operations import record
from federation.members import mails, policies
from federation.members.enums import AgreementState, ContactRole, MembershipState
from federation.members.models import Candidacy, Contact, Institution, Membership
from federation.members.operations.agreements import draw_up
from federation.members.operations.memberships import move, take_over_facts
from federation.members.queries import Part, seen_of
from federation.people.models import User
from federation.seen import shown_beside


class InstitutionFacts(TypedDict):
    name: str
    short_name: str
    slug: str
    uai: str
    siret: str


class PartFacts(TypedDict):
    """How the institution means to take part."""

    is_contributor: bool
    is_consumer: bool
    contributions: Sequence[str]
    motivation: str


class ContactFacts(TypedDict):
    name: str
    function: str
    email: str
    phone: str


@transaction.atomic
def begin_candidacy(*, by: User, facts: InstitutionFacts) -> Candidacy:
    """Begin the candidacy of an institution with what names it. One draft for each person."""
    policies.check_begin_candidacy(by)
    candidacy = Candidacy(applicant=by, **facts)
    candidacy.full_clean()
    policies.check_may_apply(candidacy)
    candidacy.save()
    record(by=by, verb="members.begin_candidacy", obj=candidacy)
    return candidacy


@transaction.atomic
def describe_institution(
    *, by: User, candidacy: Candidacy, seen: str, facts: InstitutionFacts
) -> Candidacy:
    """Say anew which institution it is. Raises `ValidationError` when somebody else did so meanwhile."""
    locked = _locked(by, candidacy, Part.INSTITUTION, seen)
    for name, value in facts.items():
        setattr(locked, name, value)
    return _keep(by, locked, list(facts))


@transaction.atomic
def describe_part(*, by: User, candidacy: Candidacy, seen: str, facts: PartFacts) -> Candidacy:
    """Say anew how it means to take part. Raises `ValidationError` when somebody else did so meanwhile."""
    locked = _locked(by, candidacy, Part.ROLE, seen)
    if not (facts["is_contributor"] or facts["is_consumer"]):
        raise ValidationError(_("Say whether the institution contributes, consumes, or both."))
    for name, value in facts.items():
        setattr(locked, name, value)
    return _keep(by, locked, list(facts))


@transaction.atomic
def name_contacts(
    *, by: User, candidacy: Candidacy, seen: str, contacts: Mapping[ContactRole, ContactFacts]
) -> Candidacy:
    """Name the contacts anew. Raises `ValidationError` when somebody else did so meanwhile."""
    locked = _locked(by, candidacy, Part.CONTACTS, seen)
    for role, facts in contacts.items():
        contact = locked.contacts.filter(role=role).first() or Contact(candidacy=locked, role=role)
        for name, value in facts.items():
            setattr(contact, name, value)
        contact.full_clean()
        contact.save()
    return _noted(by, locked, ["contacts"])


@transaction.atomic
def submit_candidacy(*, by: User, candidacy: Candidacy) -> Candidacy:
    """Hand in: the institution is a candidate from now on, and its agreement is drawn up.

    Raises `ValidationError` with all that is missing, or when the institution is a member already.
    """
    locked = Candidacy.objects.select_for_update().get(pk=candidacy.pk)
    policies.check_submit(by, locked)
    membership = Membership(
        institution=_institution_of(locked),
        is_contributor=locked.is_contributor,
        is_consumer=locked.is_consumer,
    )
    membership.full_clean()
    membership.save()
    locked.membership, locked.submitted_at = membership, timezone.now()
    locked.save(update_fields=["membership", "submitted_at"])
    record(
        by=by,
        verb="members.submit_candidacy",
        obj=locked,
        institution=membership.institution,
        diff={"membership": membership.pk},
    )
    draw_up(by=by, candidacy=locked)
    mails.tell_submission(locked)
    return locked


@transaction.atomic
def withdraw_candidacy(*, by: User, candidacy: Candidacy, reason: str = "") -> None:
    """Give it up: a draft is put away, a candidate leaves. Another one may follow."""
    locked = Candidacy.objects.select_for_update().get(pk=candidacy.pk)
    policies.check_withdraw(by, locked)
    if locked.membership is None:
        locked.discarded_at = timezone.now()
        locked.save(update_fields=["discarded_at"])
    else:
        membership = Membership.objects.select_for_update().get(pk=locked.membership.pk)
        reason = reason.strip() or _("Withdrawn by the institution.")
        move(by=by, locked=membership, state=MembershipState.LEFT, reason=reason)
    record(by=by, verb="members.withdraw_candidacy", obj=locked)


def _locked(by: User, candidacy: Candidacy, part: Part, seen: str) -> Candidacy:
    locked = Candidacy.objects.select_for_update().get(pk=candidacy.pk)
    policies.check_edit_part(by, locked, part)
    if seen != seen_of(locked, part):
        raise shown_beside()
    return locked


def _keep(by: User, locked: Candidacy, changed: list[str]) -> Candidacy:
    locked.full_clean()
    policies.check_may_apply(locked)
    locked.save()
    if membership := locked.membership:
        institution = membership.institution
        membership.is_contributor = locked.is_contributor
        membership.is_consumer = locked.is_consumer
        membership.save(update_fields=["is_contributor", "is_consumer"])
        if institution.memberships.count() == 1:
            take_over_facts(locked, institution)
    return _noted(by, locked, changed)


def _noted(by: User, locked: Candidacy, changed: list[str]) -> Candidacy:
    """Tell the journal, and draw the agreement up anew unless it is signed."""
    membership = locked.membership
    record(
        by=by,
        verb="members.change_candidacy",
        obj=locked,
        institution=membership.institution if membership else None,
        diff={"fields": changed},
    )
    if membership:
        unsigned = membership.agreements.filter(state=AgreementState.DRAWN_UP)
        if unsigned.update(state=AgreementState.VOID):
            draw_up(by=by, candidacy=locked)
    return locked


def _institution_of(candidacy: Candidacy) -> Institution:
    """Return the institution of the register that comes back, or a new one."""
    if known := candidacy.namesakes().first():
        return known
    institution = Institution(
        slug=candidacy.slug,
        name=candidacy.name,
        short_name=candidacy.short_name,
        uai=candidacy.uai,
        siret=candidacy.siret,
    )
    institution.full_clean()
    institution.save()
    return institution
