"""Ballots of the committee, and the votes cast in them."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.members.enums import BallotState, Choice, Outcome, SubjectKind
from federation.people.models import User
from federation.people.scope import sees_everything

QUESTIONS: Mapping[SubjectKind, str | Promise] = {
    SubjectKind.MEMBERSHIP: _("Shall %(name)s become a member?"),
    SubjectKind.MODEL: _("Shall the federation take %(name)s on trial?"),
}


class BallotQuerySet(models.QuerySet["Ballot"]):
    def for_user(self, user: User | AnonymousUser) -> "BallotQuerySet":
        """The committee's and the auditors': what was decided stands with its subject."""
        return self if sees_everything(user) else self.none()

    def about(self, kind: SubjectKind, subject_id: UUID) -> "BallotQuerySet":
        return self.filter(kind=kind, subject_id=subject_id)


class Ballot(Row):
    """A question put to the committee until a moment. `subject_id` is the row's that it is about.

    Its name is kept as it was then; the question is put into words for who reads it.
    """

    kind = models.CharField(_("about"), max_length=12, choices=SubjectKind)
    subject_id = models.UUIDField(_("subject"), db_index=True)
    subject_name = models.CharField(_("name"), max_length=300)
    opened_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("opened by")
    )
    opens_at = models.DateTimeField(_("opens"))
    closes_at = models.DateTimeField(_("closes"))
    state = models.CharField(
        _("state"), max_length=10, choices=BallotState, default=BallotState.OPEN
    )
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    objects = BallotQuerySet.as_manager()

    class Meta:
        verbose_name = _("ballot")
        verbose_name_plural = _("ballots")
        ordering = ("-created_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(closes_at__gt=models.F("opens_at")),
                name="a_ballot_closes_after_it_opens",
            ),
            models.CheckConstraint(
                condition=Q(state=BallotState.CLOSED, outcome__in=Outcome.values)
                | Q(state__in=[BallotState.OPEN, BallotState.CANCELLED], outcome=""),
                name="a_closed_ballot_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=SubjectKind.values), name="a_ballot_is_about_a_known_kind"
            ),
            models.UniqueConstraint(
                fields=("kind", "subject_id"),
                condition=Q(state=BallotState.OPEN),
                name="one_open_ballot_per_subject",
            ),
        )

    def __str__(self) -> str:
        return self.question

    @property
    def question(self) -> str:
        """Return what is asked, in the language of the moment."""
        return str(QUESTIONS[SubjectKind(self.kind)]) % {"name": self.subject_name}

    @property
    def takes_votes(self) -> bool:
        return self.state == BallotState.OPEN and timezone.now() < self.closes_at


class VoteQuerySet(models.QuerySet["Vote"]):
    def for_user(self, user: User | AnonymousUser) -> "VoteQuerySet":
        return self.filter(ballot__in=Ballot.objects.for_user(user))


class Vote(Row):
    """What one member of the committee says; it may be changed until the ballot closes."""

    ballot = models.ForeignKey(
        Ballot, models.PROTECT, related_name="votes", verbose_name=_("ballot")
    )
    voter = models.ForeignKey(User, models.PROTECT, related_name="votes", verbose_name=_("voter"))
    choice = models.CharField(_("vote"), max_length=8, choices=Choice)
    comment = models.TextField(_("comment"), max_length=1000, blank=True)
    changed_at = models.DateTimeField(_("cast"), auto_now=True)

    objects = VoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        ordering = ("created_at",)
        constraints = (
            models.UniqueConstraint(fields=("ballot", "voter"), name="one_vote_per_voter"),
            models.CheckConstraint(
                condition=Q(choice__in=Choice.values), name="a_vote_is_yes_no_or_abstention"
            ),
        )

    def __str__(self) -> str:
        return str(self.get_choice_display())
