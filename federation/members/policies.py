"""Who may decide about members, and what an institution's membership allows."""

from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.days import long_moment
from federation.journal.actors import Actor
from federation.members.enums import (
    BALLOT_TRANSITIONS,
    AgreementState,
    BallotState,
    ContactRole,
    MembershipState,
    Outcome,
    SubjectKind,
)
from federation.members.models import (
    Agreement,
    Ballot,
    Candidacy,
    Institution,
    Membership,
    Team,
)
from federation.members.queries import (
    Part,
    count_votes,
    has_accepted_charter,
    voters_about,
)
from federation.members.subjects import subject_of
from federation.people.enums import FEDERATION_ROLES, AccountKind, Role
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless
from federation.transitions import check_transition

SHORTEST_BALLOT, LONGEST_BALLOT = timedelta(minutes=5), timedelta(days=60)
MOST_PENDING_INVITATIONS = 200
"""Of one institution at a time."""


def check_decide_membership(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_publish_text(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_contributes(institution: Institution) -> None:
    """Raise unless the institution is an approved contributor: it may bring servers."""
    _check_approved(institution, is_contributor=True)


def check_is_member(institution: Institution) -> None:
    """Raise unless the institution is an approved member: contributors may consume too."""
    _check_approved(institution)


def check_charter_accepted(by: Actor) -> None:
    """Raise unless a person has accepted the charter in force; an operator's command issues for others."""
    if isinstance(by, User) and not has_accepted_charter(by):
        raise ValidationError(
            _("Read and accept the charter of use first: you are asked once for each version."),
            code="charter_not_accepted",
        )


def check_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError(_("Say why."), code="no_reason")


def check_not_for_the_committee(by: Actor, membership: Membership, state: MembershipState) -> None:
    """An operator's command may admit; a person's decision about a candidacy is one vote among others."""
    is_admission = membership.state == MembershipState.CANDIDATE and (
        state == MembershipState.APPROVED
    )
    came_by_itself = Candidacy.objects.filter(membership=membership).exists()
    if isinstance(by, User) and is_admission and came_by_itself:
        raise ValidationError(
            _("The committee decides about candidates: open a ballot on the member’s page."),
            code="for_the_committee",
        )


# Candidacies


def check_begin_candidacy(by: User) -> None:
    refuse_unless(by.is_active and by.kind == AccountKind.PERSON)
    if Candidacy.objects.kept().filter(applicant=by, membership=None).exists():
        raise ValidationError(
            _("You have begun a candidacy already: go on with it, or withdraw it first."),
            code="one_draft",
        )


def check_may_apply(candidacy: Candidacy) -> None:
    """Raise, by field, when the institution is in already or its identifier is another's."""
    own = candidacy.membership.institution if candidacy.membership else None
    others = Institution.objects.exclude(pk__in=[own.pk] if own else [])
    known = list(candidacy.namesakes().filter(pk__in=others.values("pk"))[:2])
    if len(known) > 1:
        raise ValidationError(
            _(
                "The UAI and the SIRET belong to two different institutions of the federation. "
                "Check them, or "
                "write to the federation."
            ),
            code="two_institutions",
        )
    for institution in known:
        if own or institution.memberships.live().exists():
            raise ValidationError(
                _(
                    "%(institution)s has these numbers and is in the federation, or applies "
                    "already. Ask its IT "
                    "department to invite you: no second candidacy is needed."
                ),
                code="already_member",
                params={"institution": institution.name},
            )
    if not known and others.filter(slug=candidacy.slug).exists():
        raise ValidationError(
            {"slug": _("Another institution has this identifier: choose one of your own.")}
        )


def check_edit_candidacy(by: User, candidacy: Candidacy) -> None:
    """Its writers, until it is signed."""
    _check_writes(by, candidacy)
    if candidacy.membership is None:
        return
    agreement = candidacy.membership.agreements.live().first()
    if agreement is None or agreement.state != AgreementState.DRAWN_UP:
        raise ValidationError(
            _(
                "The agreement is signed with these facts, so they cannot be changed any more. If "
                "one is wrong, "
                "ask the federation to send the agreement back."
            ),
            code="signed",
        )


def check_edit_part(by: User, candidacy: Candidacy, part: Part) -> None:
    """Contacts change also later, as people do: by its writers and by the institution's IT department."""
    if part is not Part.CONTACTS:
        return check_edit_candidacy(by, candidacy)
    membership = candidacy.membership
    if membership and holds(by, membership.institution_id, Role.MEMBER_DSI):
        return _check_goes_on(candidacy)
    return _check_writes(by, candidacy)


def check_submit(by: User, candidacy: Candidacy) -> None:
    """Raise `ValidationError` with all that is missing before a candidacy can be handed in."""
    _check_writes(by, candidacy)
    if candidacy.membership is not None:
        raise ValidationError(_("This candidacy is handed in already."), code="submitted")
    missing = what_is_missing(candidacy)
    if missing:
        raise ValidationError(missing, code="incomplete")
    candidacy.full_clean()
    check_may_apply(candidacy)


def what_is_missing(candidacy: Candidacy) -> list[str]:
    missing = []
    if not (candidacy.is_contributor or candidacy.is_consumer):
        missing.append(_("Say whether the institution contributes, consumes, or both."))
    named = set(candidacy.contacts.values_list("role", flat=True))
    missing += [
        _("Name the contact: %(role)s.") % {"role": role.label}
        for role in ContactRole
        if role not in named
    ]
    return missing


def check_withdraw(by: User, candidacy: Candidacy) -> None:
    _check_writes(by, candidacy)
    membership = candidacy.membership
    if membership is not None and membership.state != MembershipState.CANDIDATE:
        raise ValidationError(
            _("The institution is a member: to leave, write to the federation."), code="decided"
        )


def _check_writes(by: User, candidacy: Candidacy) -> None:
    refuse_unless(Candidacy.objects.for_editor(by).filter(pk=candidacy.pk).exists())
    _check_goes_on(candidacy)


def _check_goes_on(candidacy: Candidacy) -> None:
    membership = candidacy.membership
    if candidacy.discarded_at or (membership and membership.state == MembershipState.LEFT):
        raise ValidationError(
            _("This candidacy is over. You may begin another one."), code="candidacy_over"
        )


# Agreements


def check_sign(by: User, agreement: Agreement) -> None:
    refuse_unless(Candidacy.objects.for_editor(by).filter(membership=agreement.membership).exists())


def check_countersign(by: Actor, agreement: Agreement) -> None:
    """An administrator, and not the one who applies: nobody signs for both sides."""
    check_decide_membership(by)
    applies = isinstance(by, User) and agreement.membership.candidacy.applicant_id == by.pk
    refuse_unless(not applies)


# The committee


def is_settled(membership: Membership) -> bool:
    """Whether both have signed and the committee has said yes."""
    both = membership.agreements.filter(state=AgreementState.COUNTERSIGNED)
    return both.exists() and is_accepted(membership)


def is_accepted(membership: Membership) -> bool:
    ballots = Ballot.objects.about(SubjectKind.MEMBERSHIP, membership.pk)
    return ballots.filter(outcome=Outcome.ACCEPTED).exists()


def check_ready_for_the_committee(membership: Membership) -> None:
    """Raise unless a ballot about this candidate is due: signed, and not accepted yet."""
    if membership.state != MembershipState.CANDIDATE:
        raise ValidationError(_("This institution is not a candidate."), code="no_candidate")
    if is_accepted(membership):
        raise ValidationError(_("The committee has accepted this candidate."), code="accepted")
    signed = (AgreementState.SIGNED, AgreementState.COUNTERSIGNED)
    if not membership.agreements.filter(state__in=signed).exists():
        raise ValidationError(
            _("The committee votes once the institution has signed the agreement."),
            code="not_signed",
        )


def check_open_ballot(by: Actor, kind: SubjectKind, subject_id: UUID, closes_at: datetime) -> None:
    check_decide_membership(by)
    subject_of(kind).check_open(subject_id)
    if Ballot.objects.about(kind, subject_id).filter(state=BallotState.OPEN).exists():
        raise ValidationError(_("A ballot about this is open already."), code="open_already")
    if not voters_about(kind, subject_id):
        raise ValidationError(
            _("Nobody in the committee may vote about this: another administrator is needed."),
            code="no_voters",
        )
    if not SHORTEST_BALLOT <= closes_at - timezone.now() <= LONGEST_BALLOT:
        raise ValidationError(
            {"closes_at": _("A ballot stays open for five minutes at least and 60 days at most.")}
        )


def check_vote(by: User, ballot: Ballot) -> None:
    """Its voters, until it closes."""
    refuse_unless(by in voters_about(ballot.kind, ballot.subject_id))
    if not ballot.takes_votes:
        raise ValidationError(
            _(
                "This ballot closed on %(moment)s: no vote is taken or changed any more. If the "
                "question is still "
                "open, put it again in a new ballot."
            ),
            code="ballot_closed",
            params={"moment": long_moment(ballot.closed_at or ballot.closes_at)},
        )


def check_close_ballot(by: Actor, ballot: Ballot) -> None:
    check_decide_membership(by)
    check_transition(BALLOT_TRANSITIONS, BallotState(ballot.state), BallotState.CLOSED)
    if ballot.takes_votes and not count_votes(ballot).is_complete:
        raise ValidationError(
            _("It closes on %(moment)s, or before once the whole committee has voted."),
            code="not_yet",
            params={"moment": long_moment(ballot.closes_at)},
        )


# People of an institution


def check_invite(
    by: Actor, institution: Institution | None, role: str, team: Team | None = None
) -> None:
    """The federation everywhere; an IT department for its institution; a team's lead plain users for the team."""
    if institution is None:
        refuse_unless(role in FEDERATION_ROLES and team is None and is_federation_admin(by))
        return
    refuse_unless(role not in FEDERATION_ROLES)
    refuse_unless(team is None or team.institution_id == institution.pk)
    if not is_federation_admin(by) and not holds(by, institution.pk, Role.MEMBER_DSI):
        refuse_unless(role == Role.USER and team is not None and leads(by, team))
    check_is_member(institution)
    if team is not None and team.closed_at is not None:
        raise ValidationError(_("This team is closed."), code="team_closed")
    if institution.invitations.pending().count() >= MOST_PENDING_INVITATIONS:
        raise ValidationError(
            _("%(count)s invitations wait for an answer: withdraw some before you send others."),
            code="too_many",
            params={"count": MOST_PENDING_INVITATIONS},
        )


def leads(by: Actor, team: Team) -> bool:
    return isinstance(by, User) and Team.objects.led_by(by).filter(pk=team.pk).exists()


def check_create_team(by: Actor, institution: Institution) -> None:
    refuse_unless(
        is_federation_admin(by) or holds(by, institution.pk, Role.MEMBER_DSI, Role.PROJECT_OWNER)
    )
    check_is_member(institution)


def check_manage_team(by: Actor, team: Team) -> None:
    """The institution's IT department, and whoever leads the team."""
    refuse_unless(
        is_federation_admin(by)
        or holds(by, team.institution_id, Role.MEMBER_DSI)
        or leads(by, team)
    )
    if team.closed_at is not None:
        raise ValidationError(_("This team is closed."), code="team_closed")


def check_open_service_account(by: Actor, institution: Institution, team: Team | None) -> None:
    """The IT department for the institution; a team's lead for the team."""
    if team is not None:
        refuse_unless(team.institution_id == institution.pk)
        check_manage_team(by, team)
    else:
        refuse_unless(is_federation_admin(by) or holds(by, institution.pk, Role.MEMBER_DSI))
    check_is_member(institution)


def check_forget(by: Actor, user: User) -> None:
    refuse_unless(is_federation_admin(by))
    if user.is_active:
        raise ValidationError(_("Close the account first."), code="not_closed")


def manages_people(by: User) -> bool:
    """Whether `by` has anything to do on the page of people."""
    roles = (Role.MEMBER_DSI, Role.PROJECT_OWNER)
    return by.sees_everything or bool(by.institution_ids(*roles))


can_edit_part = asking(check_edit_part)
can_withdraw = asking(check_withdraw)
can_sign = asking(check_sign)
can_vote = asking(check_vote)
can_close_ballot = asking(check_close_ballot)
can_manage_team = asking(check_manage_team)
can_create_team = asking(check_create_team)
can_decide = asking(check_decide_membership)
can_put_to_the_committee = asking(check_ready_for_the_committee)


def _check_approved(institution: Institution, **kind: bool) -> None:
    approved = institution.memberships.filter(state=MembershipState.APPROVED, **kind)
    if not approved.exists():
        raise ValidationError(
            _("%(institution)s is not an approved contributor of the federation.")
            if kind
            else _("%(institution)s is not an approved member of the federation."),
            code="not_approved",
            params={"institution": institution.name},
        )
