"""Where a candidacy stands, step by step, in words for the applicant: what is done, what comes now, who acts."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.days import long_day, long_moment
from federation.members.enums import AgreementState, BallotState, MembershipState, SubjectKind
from federation.members.models import Agreement, Ballot, Candidacy, Membership
from federation.members.policies import is_accepted, what_is_missing
from federation.members.queries import Part


class When(StrEnum):
    DONE = "done"
    NOW = "now"
    LATER = "later"


class Step(NamedTuple):
    """`address` leads to where it is done, when it is the reader who acts."""

    title: str
    text: str
    when: When
    address: str = ""
    action: str = ""


class Standing(NamedTuple):
    """The state in one sentence, and the way from the first step to the last."""

    state: str
    steps: list[Step]
    is_over: bool


def standing_of(candidacy: Candidacy) -> Standing:
    membership = candidacy.membership
    if candidacy.discarded_at:
        return Standing(_("This draft was withdrawn."), [], is_over=True)
    if membership is None:
        return Standing(
            _("A draft: only its writers and the federation see it."), _of_a_draft(candidacy), False
        )
    match MembershipState(membership.state):
        case MembershipState.CANDIDATE:
            return _of_a_candidate(candidacy)
        case MembershipState.APPROVED:
            return Standing(_("The institution is a member."), _of_a_member(membership), False)
        case MembershipState.SUSPENDED:
            return Standing(
                _(
                    "The membership is suspended: its keys are refused and its servers get no request."
                ),
                [_clear_up()],
                False,
            )
        case MembershipState.LEFT:
            return Standing(_("The candidacy or membership has ended."), [], is_over=True)


def next_part(candidacy: Candidacy) -> Part | None:
    """Return the first part that is not filled in yet."""
    if not (candidacy.is_contributor or candidacy.is_consumer):
        return Part.ROLE
    return Part.CONTACTS if what_is_missing(candidacy) else None


def _of_a_draft(candidacy: Candidacy) -> list[Step]:
    missing = next_part(candidacy)
    fill_in = Step(
        _("Fill in the form"),
        _("The institution, how it takes part, four contacts. What you save is kept."),
        When.NOW if missing else When.DONE,
        reverse("candidacy_part", args=[candidacy.pk, missing]) if missing else "",
        _("Go on"),
    )
    hand_in = Step(
        _("Hand in the candidacy"),
        _("The consortium agreement is then drawn up for you to sign."),
        When.LATER if missing else When.NOW,
    )
    return [fill_in, hand_in, _sign(When.LATER), _vote(When.LATER), _countersign(When.LATER)]


def _of_a_candidate(candidacy: Candidacy) -> Standing:
    membership = candidacy.membership
    assert membership is not None  # it is a candidate
    done = [
        Step(
            _("Fill in the form"),
            _("Facts can be corrected until the agreement is signed."),
            When.DONE,
        ),
        Step(
            _("Hand in the candidacy"),
            _("Handed in on %(day)s.") % {"day": _day(candidacy.submitted_at)},
            When.DONE,
        ),
    ]
    agreement = membership.agreements.live().first()
    if agreement is None or agreement.state == AgreementState.DRAWN_UP:
        state = _("Handed in. The federation waits for the signed agreement.")
        return Standing(
            state,
            [*done, _sign(When.NOW, agreement), _vote(When.LATER), _countersign(When.LATER)],
            False,
        )
    accepted = is_accepted(membership)
    ballots = Ballot.objects.about(SubjectKind.MEMBERSHIP, membership.pk)
    ballot = ballots.filter(state=BallotState.OPEN).first()
    voted = _vote(When.DONE if accepted else When.NOW, ballot)
    countersigned = agreement.state == AgreementState.COUNTERSIGNED
    when = When.DONE if countersigned else (When.NOW if accepted else When.LATER)
    state = (
        _("Accepted by the committee. The federation countersigns the agreement.")
        if accepted
        else _("Signed. The committee decides.")
    )
    return Standing(state, [*done, _sign(When.DONE, agreement), voted, _countersign(when)], False)


def _sign(when: When, agreement: Agreement | None = None) -> Step:
    text = _(
        "Download the agreement, have it signed by your governance, and upload the signed copy."
    )
    if when == When.DONE and agreement is not None:
        text = _("Signed by %(name)s, %(function)s, and uploaded on %(day)s.") % {
            "name": agreement.signatory,
            "function": agreement.signatory_function,
            "day": _day(agreement.signed_at),
        }
    return Step(_("Sign the consortium agreement"), text, when)


def _vote(when: When, ballot: Ballot | None = None) -> Step:
    text = _("The federation’s committee votes. You have nothing to do; you are told the result.")
    if when == When.DONE:
        text = _("The committee has said yes.")
    elif ballot is not None:
        moment = long_moment(ballot.closes_at)
        text = _("The vote is open until %(moment)s, Paris time. You are told the result.") % {
            "moment": moment
        }
    return Step(_("The committee decides"), text, when)


def _countersign(when: When) -> Step:
    return Step(
        _("The federation countersigns"),
        _("With both signatures and the committee’s yes, the institution is a member at once."),
        when,
    )


def _clear_up() -> Step:
    contact = settings.SITE_CONTACT
    return Step(
        _("Clear up the reason with the federation"),
        _(
            "The reason stands under “Decisions”. Once it is settled the federation lifts the suspension: keys and "
            "servers then work within a second, as they did before."
        ),
        When.NOW,
        f"mailto:{contact}" if contact else "",
        _("Write to the federation"),
    )


def _of_a_member(membership: Membership) -> list[Step]:
    lend = Step(
        _("Lend a server"),
        _("Declare what it can do; the checks tell line by line, at once, whether it does."),
        When.NOW,
        f"{reverse('new_server')}?institution={membership.institution_id}",
        _("Lend a server"),
    )
    return [
        *([lend] if membership.is_contributor else []),
        Step(
            _("Invite your people"),
            _("IT department, finance, project owners, users: each gets a link by e-mail."),
            When.NOW,
            f"{reverse('invite')}?at={membership.institution.slug}",
            _("Invite"),
        ),
        Step(
            _("Create keys"),
            _("Each person accepts the charter once, then creates keys for their software."),
            When.NOW,
            reverse("keys"),
            _("See the keys"),
        ),
    ]


def _day(at: datetime | None) -> str:
    return long_day(timezone.localtime(at)) if at else ""
