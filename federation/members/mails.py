"""The e-mails of this room: who gets which, and what it says. Every e-mail only tells what a page shows as well."""

from functools import partial

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from federation.members.enums import MembershipState
from federation.members.models import Agreement, Ballot, Candidacy, Invitation, MembershipDecision
from federation.members.queries import committee, voters_about
from federation.people.letters import Letter, page_address
from federation.people.post import post, post_each, withdraw


def tell_submission(candidacy: Candidacy) -> None:
    """Tell the committee that somebody has applied."""
    post_each(committee(), partial(_submission, candidacy))


def _submission(candidacy: Candidacy) -> Letter:
    assert candidacy.membership is not None  # it is submitted
    said = {"institution": candidacy.name}
    return Letter(
        _("%(institution)s applies") % said,
        (
            _(
                "%(institution)s has handed in its candidacy. Once it has signed the agreement, the committee "
                "can vote."
            )
            % said,
            page_address("member", candidacy.membership.pk),
        ),
    )


def tell_signature(agreement: Agreement) -> None:
    """Tell the committee that an agreement has come back signed."""
    post_each(committee(), partial(_signature, agreement))


def _signature(agreement: Agreement) -> Letter:
    return Letter(
        _("%(institution)s has signed") % {"institution": agreement.membership.institution.name},
        (
            _("The signed agreement is there. Open a ballot, and countersign."),
            page_address("member", agreement.membership_id),
        ),
    )


def tell_sent_back(agreement: Agreement) -> None:
    """Tell the applicant that another signed copy is needed, and why."""
    post(agreement.membership.candidacy.applicant, partial(_sent_back, agreement))


def _sent_back(agreement: Agreement) -> Letter:
    return Letter(
        _("Your agreement came back"),
        (
            _("The federation asks for another signed copy:"),
            agreement.remark,
            page_address("candidacy", agreement.membership.candidacy.pk),
        ),
    )


def tell_ballot(ballot: Ballot) -> None:
    """Tell the voters that they are asked."""
    voters = voters_about(ballot.kind, ballot.subject_id)
    post_each(voters, partial(_ballot, ballot), until=ballot.closes_at)


def _ballot(ballot: Ballot) -> Letter:
    return Letter(
        _("Your vote is asked"),
        (
            ballot.question,
            _("The ballot closes on %(moment)s.")
            % {"moment": date_format(timezone.localtime(ballot.closes_at), "j F Y, H:i")},
            page_address("ballot", ballot.pk),
        ),
    )


def tell_decision(decision: MembershipDecision) -> None:
    """Tell the applicant of a step of the membership; members who never applied here have nobody to tell."""
    candidacy = Candidacy.objects.filter(membership=decision.membership).first()
    if candidacy is not None and decision.decided_by != candidacy.applicant:
        post(candidacy.applicant, partial(_decision, candidacy, decision))


def _decision(candidacy: Candidacy, decision: MembershipDecision) -> Letter:
    return Letter(
        _("%(institution)s: %(state)s")
        % {"institution": candidacy.name, "state": decision.get_after_display()},
        (_what_it_means(decision), decision.reason, page_address("candidacy", candidacy.pk)),
    )


def _what_it_means(decision: MembershipDecision) -> str:
    match decision.after:
        case MembershipState.APPROVED:
            return _(
                "Your institution is a member. You may invite its people, lend a server and create "
                "keys."
            )
        case MembershipState.SUSPENDED:
            return _(
                "The membership is suspended: keys are refused and servers get no request until it "
                "is lifted."
            )
        case _:
            return _("The candidacy or membership has ended.")


def send_invitation(invitation: Invitation, token: str) -> None:
    """Send the link that accepts an invitation, in the place of one that has not left; nobody else ever holds it."""
    take_back_invitation(invitation)
    post(
        invitation.email,
        partial(_invitation, invitation, token),
        language=invitation.invited_by.language,
        topic=_topic(invitation),
        until=invitation.expires_at,
    )


def take_back_invitation(invitation: Invitation) -> None:
    """Forget a link that has not left: it opens nothing any more."""
    withdraw(_topic(invitation))


def _topic(invitation: Invitation) -> str:
    return f"invitation:{invitation.pk}"


def _invitation(invitation: Invitation, token: str) -> Letter:
    place = invitation.institution.name if invitation.institution else settings.SITE_NAME
    return Letter(
        _("You are invited"),
        (
            _("%(name)s invites you to %(place)s, as: %(role)s.")
            % {
                "name": invitation.invited_by.name,
                "place": place,
                "role": invitation.get_role_display(),
            },
            page_address("accept_invitation", token),
            _(
                "The link works once, until %(day)s. If you do not know what this is about, do "
                "nothing."
            )
            % {"day": date_format(timezone.localtime(invitation.expires_at), "j F Y")},
        ),
    )
