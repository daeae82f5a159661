"""Candidacies: what an institution that wants to join says of itself, and whom to talk to there.

Before the committee's decision a candidacy gives no right at all: it is seen by who wrote it, by the contacts
that it names for governance and technique, and by the federation.
"""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.members.enums import ContactRole, Contribution, MembershipState
from federation.members.identifiers import plain
from federation.members.models.institutions import (
    Institution,
    InstitutionQuerySet,
    Membership,
    check_identifiers,
)
from federation.people.enums import Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything

EDITORS = (ContactRole.GOVERNANCE, ContactRole.TECHNICAL)
"""Contacts who may write in a candidacy, once they have an account with the address that it names."""
MOST_WORDS = 2000


class CandidacyQuerySet(models.QuerySet["Candidacy"]):
    def for_user(self, user: User | AnonymousUser) -> "CandidacyQuerySet":
        """One's own, those that name one as a contact, one's institution's; all for the federation."""
        if sees_everything(user):
            return self
        own = self.for_editor(user).values("pk")
        ruled = institution_ids_for(user, Role.MEMBER_DSI)
        return self.filter(Q(pk__in=own) | Q(membership__institution_id__in=ruled))

    def for_editor(self, user: User | AnonymousUser) -> "CandidacyQuerySet":
        """Those in which `user` may write: as who began it, or as a contact that it names."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        named = Contact.objects.filter(role__in=EDITORS, email__iexact=user.email)
        return self.filter(Q(applicant=user) | Q(pk__in=named.values("candidacy_id")))

    def kept(self) -> "CandidacyQuerySet":
        return self.filter(discarded_at__isnull=True)


class Candidacy(Row):
    """An institution's way in. With a membership it is submitted; without one, a draft."""

    applicant = models.ForeignKey(
        User, models.PROTECT, related_name="candidacies", verbose_name=_("applicant")
    )
    membership = models.OneToOneField(
        Membership,
        models.PROTECT,
        related_name="candidacy",
        null=True,
        blank=True,
        verbose_name=_("membership"),
    )
    name = models.CharField(_("name"), max_length=150)
    short_name = models.CharField(_("short name"), max_length=40)
    slug = models.CharField(_("short identifier"), max_length=40)
    uai = models.CharField("UAI", max_length=8, blank=True)
    siret = models.CharField("SIRET", max_length=14)
    is_contributor = models.BooleanField(_("contributor"), default=False)
    is_consumer = models.BooleanField(_("consumer"), default=False)
    contributions = ArrayField(
        models.CharField(max_length=16, choices=Contribution),
        verbose_name=_("contributions"),
        default=list,
        blank=True,
    )
    motivation = models.TextField(_("motivation"), max_length=MOST_WORDS, blank=True)
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    discarded_at = models.DateTimeField(_("discarded"), null=True, blank=True)

    objects = CandidacyQuerySet.as_manager()
    ABOUT_THE_INSTITUTION: ClassVar = ("name", "short_name", "slug", "uai", "siret")

    class Meta:
        verbose_name = _("candidacy")
        verbose_name_plural = _("candidacies")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("applicant",),
                condition=Q(membership=None, discarded_at=None),
                name="one_draft_per_applicant",
            ),
            models.CheckConstraint(
                condition=Q(membership__isnull=True, submitted_at__isnull=True)
                | Q(membership__isnull=False, submitted_at__isnull=False),
                name="a_submitted_candidacy_has_a_membership",
            ),
        )

    def __str__(self) -> str:
        return self.short_name

    def clean(self) -> None:
        super().clean()
        self.uai, self.siret = plain(self.uai), plain(self.siret)
        check_identifiers(self.uai, self.siret)

    @property
    def contribution_labels(self) -> list[str]:
        return [str(Contribution(kind).label) for kind in self.contributions]

    def namesakes(self) -> InstitutionQuerySet:
        """Institutions of the register that bear one of its official numbers."""
        numbers = Q(siret=self.siret) if self.siret else Q(pk=None)
        if self.uai:
            numbers |= Q(uai=self.uai)
        return Institution.objects.filter(numbers)


class ContactQuerySet(models.QuerySet["Contact"]):
    def for_user(self, user: User | AnonymousUser) -> "ContactQuerySet":
        return self.filter(candidacy__in=Candidacy.objects.for_user(user))


class Contact(Row):
    """Somebody at the institution to turn to, for one kind of question."""

    candidacy = models.ForeignKey(
        Candidacy, models.PROTECT, related_name="contacts", verbose_name=_("candidacy")
    )
    role = models.CharField(_("for"), max_length=10, choices=ContactRole)
    name = models.CharField(_("name"), max_length=150)
    function = models.CharField(_("function"), max_length=100, blank=True)
    email = models.EmailField(_("e-mail address"))
    phone = models.CharField(_("telephone"), max_length=30, blank=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("candidacy", "role"), name="one_contact_of_each_kind"),
            models.CheckConstraint(
                condition=Q(role__in=ContactRole.values), name="a_contact_has_a_known_role"
            ),
        )

    def __str__(self) -> str:
        return self.name


class MembershipDecisionQuerySet(models.QuerySet["MembershipDecision"]):
    def for_user(self, user: User | AnonymousUser) -> "MembershipDecisionQuerySet":
        """Those of the memberships that one sees, and of the candidacies in which one writes."""
        seen = Membership.objects.for_user(user).values("pk")
        written = Candidacy.objects.for_editor(user).values("membership_id")
        return self.filter(Q(membership__in=seen) | Q(membership__in=written))


class MembershipDecision(Row):
    """A step of a membership from one state to another: when, by whom, why."""

    membership = models.ForeignKey(
        Membership, models.PROTECT, related_name="decisions", verbose_name=_("membership")
    )
    before = models.CharField(_("before"), max_length=10, choices=MembershipState)
    after = models.CharField(_("after"), max_length=10, choices=MembershipState)
    reason = models.TextField(_("reason"), max_length=1000, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("decided by")
    )

    objects = MembershipDecisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ("-created_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(before__in=MembershipState.values)
                & Q(after__in=MembershipState.values)
                & ~Q(before=models.F("after")),
                name="a_decision_leads_from_one_state_to_another",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_before_display()} → {self.get_after_display()}"
