"""Institutions and their memberships of the federation."""

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.members.enums import MembershipState
from federation.members.identifiers import check_siret, check_uai
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
UAI = r"^[0-9]{7}[A-Z]$"
SIRET = r"^[0-9]{14}$"


def check_identifiers(uai: str, siret: str) -> None:
    """Raise `ValidationError`, by field, for a number that cannot exist; an empty one is not asked."""
    problems: dict[str, ValidationError] = {}
    for field, text, check in (("uai", uai, check_uai), ("siret", siret, check_siret)):
        try:
            if text:
                check(text)
        except ValidationError as problem:
            problems[field] = problem
    if problems:
        raise ValidationError(problems)


class InstitutionQuerySet(models.QuerySet["Institution"]):
    def for_user(self, user: User | AnonymousUser) -> "InstitutionQuerySet":
        return self if sees_everything(user) else self.filter(pk__in=institution_ids_for(user))

    def approved(self) -> "InstitutionQuerySet":
        return self.filter(memberships__state=MembershipState.APPROVED)


class Institution(Row):
    """A university or school. `weight` is its share against others of the same class."""

    slug = models.CharField(
        _("short identifier"), max_length=40, unique=True, validators=[RegexValidator(SLUG)]
    )
    name = models.CharField(_("name"), max_length=150)
    short_name = models.CharField(_("short name"), max_length=40)
    uai = models.CharField("UAI", max_length=8, blank=True, validators=[RegexValidator(UAI)])
    siret = models.CharField("SIRET", max_length=14, blank=True, validators=[RegexValidator(SIRET)])
    weight = models.DecimalField(_("weight"), max_digits=6, decimal_places=2, default=1)
    successor = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="merged",
        verbose_name=_("has become a part of"),
    )

    objects = InstitutionQuerySet.as_manager()

    class Meta:
        verbose_name = _("institution")
        verbose_name_plural = _("institutions")
        ordering = ("slug",)
        constraints = (
            models.CheckConstraint(condition=Q(slug__regex=SLUG), name="a_slug_fits_in_an_address"),
            models.CheckConstraint(
                condition=Q(uai="") | Q(uai__regex=UAI), name="a_uai_is_seven_digits_and_a_letter"
            ),
            models.CheckConstraint(
                condition=Q(siret="") | Q(siret__regex=SIRET), name="a_siret_is_fourteen_digits"
            ),
            models.UniqueConstraint(
                fields=("uai",), condition=~Q(uai=""), name="a_uai_names_one_institution"
            ),
            models.CheckConstraint(condition=Q(weight__gt=0), name="a_weight_is_positive"),
        )

    def __str__(self) -> str:
        return self.short_name

    def clean(self) -> None:
        super().clean()
        check_identifiers(self.uai, self.siret)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def for_user(self, user: User | AnonymousUser) -> "MembershipQuerySet":
        if sees_everything(user):
            return self
        return self.filter(institution_id__in=institution_ids_for(user))

    def live(self) -> "MembershipQuerySet":
        return self.exclude(state=MembershipState.LEFT)


class Membership(Row):
    """An institution's place in the federation: it contributes, consumes, or both."""

    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="memberships", verbose_name=_("institution")
    )
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=MembershipState,
        default=MembershipState.CANDIDATE,
    )
    is_contributor = models.BooleanField(_("contributor"), default=False)
    is_consumer = models.BooleanField(_("consumer"), default=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (
            models.CheckConstraint(
                condition=Q(is_contributor=True) | Q(is_consumer=True),
                name="a_member_contributes_or_consumes",
            ),
            models.CheckConstraint(
                condition=Q(state__in=MembershipState.values), name="a_membership_state_is_known"
            ),
            models.UniqueConstraint(
                fields=("institution",),
                condition=~Q(state=MembershipState.LEFT),
                name="one_live_membership_per_institution",
            ),
        )

    def __str__(self) -> str:
        return f"{self.institution} ({self.get_state_display()})"
