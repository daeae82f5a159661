"""Institutions and their memberships, candidacies, agreements, ballots, texts, and who is invited where."""

from federation.members.models.ballots import Ballot, Vote
from federation.members.models.candidacies import Candidacy, Contact, MembershipDecision
from federation.members.models.documents import (
    Agreement,
    CharterAcceptance,
    StoredFile,
    TextVersion,
)
from federation.members.models.institutions import (
    SIRET,
    SLUG,
    UAI,
    Institution,
    InstitutionQuerySet,
    Membership,
    MembershipQuerySet,
)
from federation.members.models.teams import Invitation, Team, TeamPlace

__all__ = [
    "SIRET",
    "SLUG",
    "UAI",
    "Agreement",
    "Ballot",
    "Candidacy",
    "CharterAcceptance",
    "Contact",
    "Institution",
    "InstitutionQuerySet",
    "Invitation",
    "Membership",
    "MembershipDecision",
    "MembershipQuerySet",
    "StoredFile",
    "Team",
    "TeamPlace",
    "TextVersion",
    "Vote",
]
