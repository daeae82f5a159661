"""The e-mails of this room: each in its reader's language, sent once the transaction holds.

What cannot be sent is logged and stops nothing: every e-mail only tells what a page shows as well.
"""

from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from federation.members.enums import MembershipState
from federation.members.models import Agreement, Ballot, Candidacy, Invitation, MembershipDecision
from federation.members.queries import committee, voters_about
from federation.people.models import User


class Letter(NamedTuple):
    subject: str
    paragraphs: tuple[str, ...]


def tell_submission(candidacy: Candidacy) -> None:
    """Tell the committee that somebody has applied."""
    assert candidacy.membership is not None  # it is submitted
    page = page_address("member", candidacy.membership.pk)
    for member in committee():
        write(
            member.email,
            member.language,
            lambda: Letter(
                _("%(institution)s applies") % {"institution": candidacy.name},
                (
                    _(
                        "%(institution)s has handed in its candidacy. Once it has signed the "
                        "agreement, the committee can vote."
                    )
                    % {"institution": candidacy.name},
                    page,
                ),
            ),
        )


def tell_signature(agreement: Agreement) -> None:
    """Tell the committee that an agreement has come back signed."""
    institution, page = (
        agreement.membership.institution,
        page_address("member", agreement.membership_id),
    )
    for member in committee():
        write(
            member.email,
            member.language,
            lambda: Letter(
                _("%(institution)s has signed") % {"institution": institution.name},
                (_("The signed agreement is there. Open a ballot, and countersign."), page),
            ),
        )


def tell_sent_back(agreement: Agreement) -> None:
    """Tell the applicant that another signed copy is needed, and why."""
    applicant = agreement.membership.candidacy.applicant
    page = page_address("candidacy", agreement.membership.candidacy.pk)
    write(
        applicant.email,
        applicant.language,
        lambda: Letter(
            _("Your agreement came back"),
            (_("The federation asks for another signed copy:"), agreement.remark, page),
        ),
    )


def tell_ballot(ballot: Ballot) -> None:
    """Tell the voters that they are asked."""
    page = page_address("ballot", ballot.pk)
    for member in voters_about(ballot.kind, ballot.subject_id):
        write(
            member.email,
            member.language,
            lambda: Letter(
                _("Your vote is asked"),
                (
                    ballot.question,
                    _("The ballot closes on %(moment)s.")
                    % {"moment": date_format(timezone.localtime(ballot.closes_at), "j F Y, H:i")},
                    page,
                ),
            ),
        )


def tell_decision(decision: MembershipDecision) -> None:
    """Tell the applicant of a step of the membership; members who never applied here have nobody to tell."""
    candidacy = Candidacy.objects.filter(membership=decision.membership).first()
    if candidacy is None or decision.decided_by == candidacy.applicant:
        return
    applicant, page = candidacy.applicant, page_address("candidacy", candidacy.pk)
    write(
        applicant.email,
        applicant.language,
        lambda: Letter(
            _("%(institution)s: %(state)s")
            % {"institution": candidacy.name, "state": decision.get_after_display()},
            tuple(filter(None, (_what_it_means(decision), decision.reason, page))),
        ),
    )


def send_invitation(invitation: Invitation, token: str) -> None:
    """Send the link that accepts an invitation; nobody else ever holds it."""
    link = page_address("accept_invitation", token)
    known: User | None = User.objects.filter(email__iexact=invitation.email).first()
    language = known.language if known else invitation.invited_by.language
    write(
        invitation.email,
        language,
        lambda: Letter(
            _("You are invited"),
            (
                _("%(name)s invites you to %(place)s, as: %(role)s.")
                % {
                    "name": invitation.invited_by.name,
                    "place": invitation.institution.name
                    if invitation.institution
                    else settings.SITE_NAME,
                    "role": invitation.get_role_display(),
                },
                link,
                _(
                    "The link works once, until %(day)s. If you do not know what this is about, do "
                    "nothing."
                )
                % {"day": date_format(timezone.localtime(invitation.expires_at), "j F Y")},
            ),
        ),
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


def page_address(name: str, argument: object) -> str:
    """Return the whole address of a page, by its name."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=[argument])}"


def worded(language: str, letter: Callable[[], Letter]) -> tuple[str, str]:
    """Return a letter's heading and text, in the reader's language."""
    with override(language):
        subject, paragraphs = letter()
        text = "\n\n".join([_("Hello,"), *paragraphs, f"-- \n{settings.SITE_NAME}"]) + "\n"
    return f"[{settings.SITE_NAME}] {' '.join(subject.split())}", text


def write(address: str, language: str, letter: Callable[[], Letter]) -> None:
    """Put the letter into words now, and send it once the transaction holds."""
    heading, text = worded(language, letter)
    transaction.on_commit(lambda: send_mail(heading, text, None, [address]), robust=True)
