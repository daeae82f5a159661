"""Where a person belongs by what their service says: at which institution, and whether a role follows from it."""

from collections.abc import Mapping
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.db.models import Q

from federation.identity.claims import Doubt
from federation.identity.enums import STAFF, STUDENT, Protocol
from federation.identity.models import SignInService
from federation.journal.models import AuditEvent
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import take_offered_role


def service_named(name: str) -> SignInService:
    """Return the service of an account there (`SocialAccount.provider`). Raises `DoesNotExist`."""
    return SignInService.objects.usable().get(Q(service_id=name) | Q(slug=name))


def doubt_about(service: SignInService, claims: Mapping[str, Any]) -> Doubt | None:
    """Return why nobody is let in: a service of one institution does not speak for another of the register."""
    named = Institution.objects.filter(uai__in=claims["uais"] or ["-"])
    own = service.institution_id
    if own is not None and named.exists() and not named.filter(pk=own).exists():
        return Doubt.OTHER_INSTITUTION
    return None


def institution_of(service: SignInService, claims: Mapping[str, Any]) -> Institution | None:
    """Return the approved member whose person it is: the service's own, or for ProConnect the SIRET's."""
    members = Institution.objects.approved()
    if service.protocol == Protocol.PROCONNECT and claims["siret"]:
        return members.filter(siret=claims["siret"]).first()
    return members.filter(pk=service.institution_id).first() if service.institution_id else None


def take_places(user: User) -> None:
    """Give a person the role of a user where their services say that they work, or study if students come in, too.

    Safe to run twice. A role that is there stays, whatever a service says later: people take roles away, and what
    they have taken is not given again by signing in.
    """
    for account in SocialAccount.objects.filter(user=user):
        service = SignInService.objects.usable().filter(
            Q(service_id=account.provider) | Q(slug=account.provider)
        )
        row = service.first()
        if row is None or not _comes_in(row, account.extra_data):
            continue
        institution = institution_of(row, account.extra_data)
        if institution is None or institution.pk in user.institution_ids():
            continue
        if not _was_taken(user, institution):
            take_offered_role(user=user, role=Role.USER, institution_id=institution.pk)


def _was_taken(user: User, institution: Institution) -> bool:
    """Whether somebody has taken a role there off this person."""
    about = AuditEvent.objects.filter(object_id=str(user.pk), verb="people.revoke_role")
    return about.filter(diff__institution=str(institution.pk)).exists()


def _comes_in(service: SignInService, claims: Mapping[str, Any]) -> bool:
    """ProConnect knows no students: it is for who works in the public service."""
    if service.protocol == Protocol.PROCONNECT:
        return True
    wanted = STAFF | ({STUDENT} if service.takes_students else frozenset())
    return not wanted.isdisjoint(claims.get("affiliations", ()))
