"""Writes about invitations: send, send again, withdraw, accept. A link works once and for 14 days."""

import secrets
from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.days import long_day
from federation.journal.operations import record
from federation.members import mails, policies
from federation.members.enums import INVITATION_TRANSITIONS, InvitationState
from federation.members.models import Institution, Invitation, Team, TeamPlace
from federation.people.models import User
from federation.people.operations import take_offered_role
from federation.transitions import check_transition

VALIDITY = timedelta(days=14)


@transaction.atomic
def invite(
    *,
    by: User,
    email: str,
    role: str,
    institution: Institution | None,
    team: Team | None = None,
) -> Invitation:
    """Offer a role to an address and send the link. Raises `ValidationError` when it is held or offered already."""
    policies.check_invite(by, institution, role, team)
    email = email.strip().lower()
    known: User | None = User.objects.filter(email__iexact=email).first()
    institution_id = institution.pk if institution else None
    if known is not None and known.has_role(role, institution_id) and team is None:
        raise ValidationError(_("This person has the role already."), code="held")
    token, now = secrets.token_urlsafe(32), timezone.now()
    invitation = Invitation(
        institution=institution,
        team=team,
        email=email,
        role=role,
        digest=Invitation.digest_of(token),
        invited_by=by,
        sent_at=now,
        expires_at=now + VALIDITY,
    )
    if Invitation.objects.pending().filter(institution=institution, email__iexact=email, role=role):
        raise ValidationError(
            _(
                "This address is invited to the role already: send that invitation again, or "
                "withdraw it."
            ),
            code="invited",
        )
    invitation.full_clean()
    invitation.save()
    _tell(by, invitation, "members.invite", {"role": role, "expires_at": invitation.expires_at})
    mails.send_invitation(invitation, token)
    return invitation


@transaction.atomic
def resend_invitation(*, by: User, invitation: Invitation) -> Invitation:
    """Send a new link, which replaces the former one, with a new date."""
    locked = _locked(invitation)
    policies.check_invite(by, locked.institution, locked.role, locked.team)
    check_is_pending(locked)
    token, now = secrets.token_urlsafe(32), timezone.now()
    locked.digest, locked.sent_at = Invitation.digest_of(token), now
    locked.expires_at, locked.invited_by = now + VALIDITY, by
    locked.full_clean()
    locked.save()
    _tell(by, locked, "members.resend_invitation", {"expires_at": locked.expires_at})
    mails.send_invitation(locked, token)
    return locked


@transaction.atomic
def withdraw_invitation(*, by: User, invitation: Invitation) -> Invitation:
    """Make the link worthless."""
    locked = _locked(invitation)
    policies.check_invite(by, locked.institution, locked.role, locked.team)
    check_transition(
        INVITATION_TRANSITIONS, InvitationState(locked.state), InvitationState.WITHDRAWN
    )
    locked.state = InvitationState.WITHDRAWN
    locked.save(update_fields=["state"])
    mails.take_back_invitation(locked)
    _tell(by, locked, "members.withdraw_invitation", {})
    return locked


@transaction.atomic
def accept_invitation(*, by: User, token: str) -> Invitation:
    """Take the role that was offered. Raises `ValidationError` with the way out when it cannot be taken any more."""
    invitation = (
        Invitation.objects.with_token(token)
        .select_for_update(of=("self",))
        .select_related("invited_by", "institution", "team")
        .first()
    )
    check_is_usable(invitation)
    assert invitation is not None  # it was checked
    check_is_for(invitation, by)
    _check_inviter(invitation)
    check_transition(
        INVITATION_TRANSITIONS, InvitationState(invitation.state), InvitationState.ACCEPTED
    )
    take_offered_role(user=by, role=invitation.role, institution_id=invitation.institution_id)
    if invitation.team is not None:
        TeamPlace.objects.get_or_create(team=invitation.team, user=by)
    invitation.state, invitation.accepted_by = InvitationState.ACCEPTED, by
    invitation.full_clean()
    invitation.save()
    _tell(by, invitation, "members.accept_invitation", {"role": invitation.role})
    return invitation


def check_is_for(invitation: Invitation, reader: User) -> None:
    """Raise `ValidationError` when the invitation was sent to somebody else."""
    if invitation.email.lower() != reader.email.lower():
        raise ValidationError(
            _(
                "This invitation is for %(invited)s, and you are signed in as %(signed_in)s. Log "
                "out, then open the link again."
            ),
            code="other_address",
            params={"invited": invitation.email, "signed_in": reader.email},
        )


def check_is_usable(invitation: Invitation | None) -> None:
    """Raise `ValidationError` unless this invitation can be accepted at this moment."""
    if invitation is None:
        raise ValidationError(
            _(
                "This link belongs to no invitation. It was replaced by a newer one, or not copied "
                "whole: open the latest e-mail again."
            ),
            code="unknown_invitation",
        )
    check_is_pending(invitation)
    if invitation.has_expired:
        raise ValidationError(
            _(
                "This invitation expired on %(day)s. Ask %(name)s to send it again: one click on "
                "their side, and you get a new link."
            ),
            code="expired_invitation",
            params={
                "day": long_day(timezone.localtime(invitation.expires_at)),
                "name": invitation.invited_by.name,
            },
        )


def check_is_pending(invitation: Invitation) -> None:
    if invitation.state == InvitationState.ACCEPTED:
        raise ValidationError(
            _("This invitation was accepted already: sign in with your account."),
            code="used_invitation",
        )
    if invitation.state == InvitationState.WITHDRAWN:
        raise ValidationError(
            _("This invitation was withdrawn. If that is a mistake, ask %(name)s for another one."),
            code="withdrawn_invitation",
            params={"name": invitation.invited_by.name},
        )


def _check_inviter(invitation: Invitation) -> None:
    """Who invited must still be entitled to: an invitation does not outlive its sender's role."""
    try:
        policies.check_invite(
            invitation.invited_by, invitation.institution, invitation.role, invitation.team
        )
    except PermissionDenied:
        raise ValidationError(
            _(
                "%(name)s, who invited you, may not do so any more. Ask your institution’s IT department "
                "for another invitation."
            ),
            code="inviter_without_right",
            params={"name": invitation.invited_by.name},
        ) from None


def _locked(invitation: Invitation) -> Invitation:
    rows = Invitation.objects.select_for_update(of=("self",))
    return rows.select_related("institution", "team", "invited_by").get(pk=invitation.pk)


def _tell(by: User, invitation: Invitation, verb: str, diff: dict[str, object]) -> None:
    record(by=by, verb=verb, obj=invitation, institution=invitation.institution, diff=diff)
