"""Names and states of memberships, agreements, ballots and invitations, and how each may move."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from federation.transitions import Transitions


class MembershipState(models.TextChoices):
    CANDIDATE = "candidate", _("candidate")
    APPROVED = "approved", _("approved")
    SUSPENDED = "suspended", _("suspended")
    LEFT = "left", _("left")


TRANSITIONS: Transitions[MembershipState] = {
    MembershipState.CANDIDATE: frozenset({MembershipState.APPROVED, MembershipState.LEFT}),
    MembershipState.APPROVED: frozenset({MembershipState.SUSPENDED, MembershipState.LEFT}),
    MembershipState.SUSPENDED: frozenset({MembershipState.APPROVED, MembershipState.LEFT}),
    MembershipState.LEFT: frozenset(),
}


class AgreementState(models.TextChoices):
    """Void: its facts changed before it was signed, or the candidacy ended."""

    DRAWN_UP = "drawn_up", _("to be signed")
    SIGNED = "signed", _("signed by the institution")
    COUNTERSIGNED = "countersigned", _("countersigned by the federation")
    VOID = "void", _("void")


AGREEMENT_TRANSITIONS: Transitions[AgreementState] = {
    AgreementState.DRAWN_UP: frozenset({AgreementState.SIGNED, AgreementState.VOID}),
    AgreementState.SIGNED: frozenset(
        {AgreementState.COUNTERSIGNED, AgreementState.DRAWN_UP, AgreementState.VOID}
    ),
    AgreementState.COUNTERSIGNED: frozenset(),
    AgreementState.VOID: frozenset(),
}


class BallotState(models.TextChoices):
    OPEN = "open", _("open")
    CLOSED = "closed", _("closed")
    CANCELLED = "cancelled", _("cancelled")


BALLOT_TRANSITIONS: Transitions[BallotState] = {
    BallotState.OPEN: frozenset({BallotState.CLOSED, BallotState.CANCELLED}),
    BallotState.CLOSED: frozenset(),
    BallotState.CANCELLED: frozenset(),
}


class InvitationState(models.TextChoices):
    """An invitation past its date stays pending: sending it again gives it a new link and a new date."""

    PENDING = "pending", _("pending")
    ACCEPTED = "accepted", _("accepted")
    WITHDRAWN = "withdrawn", _("withdrawn")


INVITATION_TRANSITIONS: Transitions[InvitationState] = {
    InvitationState.PENDING: frozenset({InvitationState.ACCEPTED, InvitationState.WITHDRAWN}),
    InvitationState.ACCEPTED: frozenset(),
    InvitationState.WITHDRAWN: frozenset(),
}


class Outcome(models.TextChoices):
    """What a closed ballot decided; without a quorum it decided nothing, and the question may be put again."""

    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("declined")
    NO_QUORUM = "no_quorum", _("too few votes")


class Choice(models.TextChoices):
    YES = "yes", _("yes")
    NO = "no", _("no")
    ABSTAIN = "abstain", _("abstention")


class SubjectKind(models.TextChoices):
    """What the committee can vote about; a room above says what a decision about its own kind brings about."""

    MEMBERSHIP = "membership", _("membership")
    MODEL = "model", _("model")


class Contribution(models.TextChoices):
    NODE = "node", _("a compute node: inference servers lent to the federation")
    CODE = "code", _("code: development of the common software")
    PROJECT = "project", _("project: help to run the federation")
    DOCUMENTATION = "documentation", _("documentation: guides, training")
    STUDIES = "studies", _("studies: evaluation of models, of use, of impact")


class ContactRole(models.TextChoices):
    GOVERNANCE = "governance", _("governance")
    TECHNICAL = "technical", _("technical")
    FINANCE = "finance", _("finance")
    DPO = "dpo", _("data protection (DPO)")


class TextKind(models.TextChoices):
    """Texts that the federation publishes in numbered versions."""

    AGREEMENT = "agreement", _("consortium agreement")
    CHARTER = "charter", _("charter of use")
