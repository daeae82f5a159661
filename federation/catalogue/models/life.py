"""How models come and go: who proposed them, every step of their life, what was announced, and to whom."""

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import URLValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.catalogue.enums import STAGE_LABELS, AnnouncementKind
from federation.catalogue.models.names import AIModel, Alias
from federation.members.models import Ballot, Institution
from federation.people.models import User
from federation.people.scope import sees_everything

MOST_REASON = 2000
LONGEST_ADDRESS = 300
LONGEST_KEY_NAME = 210
"""An application's name and its key's, with what stands between them."""


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def for_user(self, user: User | AnonymousUser) -> "ProposalQuerySet":
        """One's own; all for the federation."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        return self if sees_everything(user) else self.filter(proposed_by=user)

    def standing(self) -> "ProposalQuerySet":
        return self.filter(withdrawn_at__isnull=True)


class Proposal(Row):
    """What somebody says for a model that the federation does not offer yet. `hosts`: who could serve it.

    Withdrawn, it leaves the model proposed by nobody: it may be proposed again.
    """

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="proposals", verbose_name=_("model")
    )
    proposed_by = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="proposals",
        null=True,
        blank=True,
        verbose_name=_("proposed by"),
    )
    institution = models.ForeignKey(
        Institution,
        models.PROTECT,
        related_name="proposals",
        null=True,
        blank=True,
        verbose_name=_("institution"),
    )
    weights_url = models.CharField(
        _("address of the weights"),
        max_length=LONGEST_ADDRESS,
        blank=True,
        validators=[URLValidator(schemes=["https"])],
    )
    reason = models.TextField(_("why"), max_length=MOST_REASON)
    hosts = models.CharField(_("who could host it"), max_length=300, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        ordering = ("-created_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=("model",),
                condition=Q(withdrawn_at__isnull=True),
                name="a_model_is_proposed_once_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return str(self.model)


class StageChangeQuerySet(models.QuerySet["StageChange"]):
    def for_user(self, user: User | AnonymousUser) -> "StageChangeQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))


class StageChange(Row):
    """A step of a model's life, the first without a stage before it. A trigger keeps every row as it was written."""

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="stage_changes", verbose_name=_("model")
    )
    before = models.CharField(_("before"), max_length=16, choices=STAGE_LABELS, blank=True)
    after = models.CharField(_("after"), max_length=16, choices=STAGE_LABELS)
    decided_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("decided by")
    )
    ballot = models.ForeignKey(
        Ballot, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("ballot")
    )
    reason = models.TextField(_("reason"), max_length=1000, blank=True)

    objects = StageChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("stage change")
        verbose_name_plural = _("stage changes")
        ordering = ("created_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(after__in=sorted(STAGE_LABELS)) & ~Q(before=F("after")),
                name="a_stage_change_leads_from_one_stage_to_another",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model}: {self.get_after_display()}"


class AnnouncementQuerySet(models.QuerySet["Announcement"]):
    def for_user(self, user: User | AnonymousUser) -> "AnnouncementQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))


class Announcement(Row):
    """Something told by e-mail to the people whose keys used a model, or one of its aliases."""

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="announcements", verbose_name=_("model")
    )
    alias = models.ForeignKey(
        Alias,
        models.PROTECT,
        related_name="announcements",
        null=True,
        blank=True,
        verbose_name=_("alias"),
    )
    kind = models.CharField(_("kind"), max_length=12, choices=AnnouncementKind)
    ends_on = models.DateField(_("end"), null=True, blank=True)

    objects = AnnouncementQuerySet.as_manager()

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        ordering = ("-created_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=AnnouncementKind.values), name="an_announcement_kind_is_known"
            ),
            models.UniqueConstraint(
                fields=("model", "alias", "ends_on"),
                condition=Q(kind=AnnouncementKind.REMINDER),
                nulls_distinct=False,
                name="one_reminder_of_an_end",
            ),
        )

    def __str__(self) -> str:
        return f"{self.alias or self.model}: {self.get_kind_display()}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def for_user(self, user: User | AnonymousUser) -> "NoticeQuerySet":
        """One's own; all for the federation."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        return self if sees_everything(user) else self.filter(person=user)


class Notice(Row):
    """An announcement's e-mail to one person, about these keys of theirs, by name. `sent_at`: when it left."""

    announcement = models.ForeignKey(
        Announcement, models.PROTECT, related_name="notices", verbose_name=_("announcement")
    )
    person = models.ForeignKey(
        User, models.PROTECT, related_name="model_notices", verbose_name=_("person")
    )
    keys = ArrayField(
        models.CharField(max_length=LONGEST_KEY_NAME), verbose_name=_("keys"), default=list
    )
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ("created_at", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("announcement", "person"), name="an_announcement_reaches_a_person_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.announcement}"
