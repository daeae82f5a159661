"""States of a membership, and how it may move between them."""

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
