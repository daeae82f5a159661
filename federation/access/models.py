"""Applications, their API keys and limits: who may ask, and how much.

A key is known by its digest; its text is shown once.
"""

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from federation.access.enums import (
    MEASURE_LABELS,
    PRIORITY_LABELS,
    ROUTING_MODE_LABELS,
    TOLD_LABELS,
    in_words,
)
from federation.base import Row
from federation.catalogue.models import AIModel
from federation.members.models import Institution, Team, TeamPlace
from federation.people.enums import Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything
from routing.core.enums import LimitScope, PriorityClass, RoutingMode
from routing.core.labels import MAX_LENGTH

OVERSEERS = (Role.MEMBER_DSI, Role.MEMBER_FINANCE)
"""Roles that see every application of their institution; others see those they own."""


def managed_by(user: User) -> Q:
    """What makes an application a person's own: owning it, managing it, or being in the team that does."""
    named = Application.managers.through.objects.filter(user=user).values("application_id")
    teams = TeamPlace.objects.filter(user=user, team__closed_at=None).values("team_id")
    return Q(owner=user) | Q(pk__in=named) | Q(team__in=teams)


class ApplicationQuerySet(models.QuerySet["Application"]):
    def for_user(self, user: User | AnonymousUser) -> "ApplicationQuerySet":
        if isinstance(user, AnonymousUser):
            return self.none()
        if sees_everything(user):
            return self
        own = Q(institution_id__in=institution_ids_for(user)) & managed_by(user)
        return self.filter(own | Q(institution_id__in=institution_ids_for(user, *OVERSEERS)))


class Application(Row):
    """The software that consumes, a project: keys, usage and bills are gathered under it.

    Its owner, a person or a service account, its managers and its team see its keys, make and revoke them.
    """

    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="applications", verbose_name=_("institution")
    )
    name = models.CharField(_("name"), max_length=100)
    owner = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="applications",
        null=True,
        blank=True,
        verbose_name=_("owner"),
    )
    managers = models.ManyToManyField(
        User, related_name="managed_applications", blank=True, verbose_name=_("managers")
    )
    team = models.ForeignKey(
        Team,
        models.PROTECT,
        related_name="applications",
        null=True,
        blank=True,
        verbose_name=_("team"),
    )
    description = models.TextField(_("description"), blank=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("institution", "name"),
                name="an_application_name_is_unique_in_its_institution",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def is_managed_by(self, user: User) -> bool:
        """Whether it is this person's own; no query where managers and the team's places are fetched."""
        if self.owner_id == user.pk or user in self.managers.all():
            return True
        if self.team is None or self.team.closed_at is not None:
            return False
        return any(place.user_id == user.pk for place in self.team.places.all())


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def for_user(self, user: User | AnonymousUser) -> "ApiKeyQuerySet":
        return self.filter(application__in=Application.objects.for_user(user))

    def usable(self) -> "ApiKeyQuerySet":
        """Keys that are neither revoked nor expired at this moment."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at__isnull=True)


class ApiKey(Row):
    """A key of an application. `models` empty: every model in production; `origins`: web pages allowed (CORS).

    No `endpoints`, `networks` or `labels`: any path, any address, any site. `labels` are its data class, which
    every site must carry that serves it (`routing.core.labels`). `tells`: what its answers say of their impact to
    clients that cannot ask for it with a header.
    """

    application = models.ForeignKey(
        Application, models.PROTECT, related_name="keys", verbose_name=_("application")
    )
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("beginning"), max_length=24)
    last4 = models.CharField(_("end"), max_length=4)
    digest = models.CharField(max_length=64, unique=True)
    pepper_version = models.PositiveSmallIntegerField(default=1)
    priority = models.PositiveSmallIntegerField(
        _("class"), choices=PRIORITY_LABELS, default=PriorityClass.P3.value
    )
    routing_mode = models.CharField(
        _("servers"),
        max_length=16,
        choices=ROUTING_MODE_LABELS,
        default=RoutingMode.ANY.value,
    )
    origins = ArrayField(
        models.CharField(max_length=200), verbose_name=_("web origins"), default=list, blank=True
    )
    threshold = models.PositiveIntegerField(
        _("most requests waiting before it"),
        null=True,
        blank=True,
        help_text=_("when more wait for a model, its requests are refused at once"),
    )
    answers_200_when_full = models.BooleanField(_("answers 200 when full"), default=False)
    endpoints = ArrayField(
        models.CharField(max_length=32), verbose_name=_("endpoints"), default=list, blank=True
    )
    networks = ArrayField(
        models.CharField(max_length=49),
        verbose_name=_("addresses"),
        default=list,
        blank=True,
    )
    labels = ArrayField(
        models.CharField(max_length=MAX_LENGTH),
        verbose_name=_("data class"),
        default=list,
        blank=True,
    )
    tells = ArrayField(
        models.CharField(max_length=8, choices=TOLD_LABELS),
        verbose_name=_("told in every answer"),
        default=list,
        blank=True,
    )
    created_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("created by")
    )
    replaces = models.ForeignKey(
        "self",
        models.PROTECT,
        related_name="successors",
        null=True,
        blank=True,
        verbose_name=_("replaces"),
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_reason = models.CharField(_("reason"), max_length=200, blank=True)
    last_used_on = models.DateField(_("last used"), null=True, blank=True)
    reminded_of = models.DateTimeField(_("end that was announced"), null=True, blank=True)
    # The last field: from here on `models` is no longer the module inside this class.
    models = models.ManyToManyField(
        AIModel, related_name="keys", blank=True, verbose_name=_("models")
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    priority__gte=PriorityClass.P1.value, priority__lte=PriorityClass.P5.value
                ),
                name="a_key_has_a_class_from_1_to_5",
            ),
            models.CheckConstraint(
                condition=Q(routing_mode__in=sorted(ROUTING_MODE_LABELS)),
                name="a_key_has_a_known_routing_mode",
            ),
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="a_key_is_kept_as_a_digest"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_reason="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_reason="")),
                name="a_revoked_key_says_why",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="a_key_expires_after_it_is_made",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def bounds(self) -> list[str]:
        """Return what it is bound to besides its models and servers, as lists show it."""
        bounds = [in_words(self.labels), *self.endpoints, *self.networks, *self.origins]
        return [bound for bound in bounds if bound]

    @property
    def is_usable(self) -> bool:
        """Whether the router accepts this key at this moment."""
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not expired


class TrialQuerySet(models.QuerySet["Trial"]):
    def for_user(self, user: User | AnonymousUser) -> "TrialQuerySet":
        return self.filter(key__in=ApiKey.objects.for_user(user))

    def in_force(self) -> "TrialQuerySet":
        return self.filter(ended_at__isnull=True)


class Trial(Row):
    """That a key may ask a model while it is on trial, besides what the key may ask anyway.

    It holds on when the model goes into production: what was tried goes on working.
    """

    key = models.ForeignKey(
        ApiKey, models.PROTECT, related_name="trials", verbose_name=_("API key")
    )
    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="trials", verbose_name=_("model")
    )
    named_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("named by")
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = TrialQuerySet.as_manager()

    class Meta:
        verbose_name = _("trial")
        verbose_name_plural = _("trials")
        constraints = (
            models.UniqueConstraint(
                fields=("key", "model"),
                condition=Q(ended_at__isnull=True),
                name="a_key_is_named_for_a_trial_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.key}: {self.model}"


class LimitQuerySet(models.QuerySet["Limit"]):
    def for_user(self, user: User | AnonymousUser) -> "LimitQuerySet":
        """Those that bound the keys that one sees."""
        if sees_everything(user):
            return self
        applications = Application.objects.for_user(user)
        return self.filter(
            Q(key__application__in=applications)
            | Q(application__in=applications)
            | Q(institution_id__in=institution_ids_for(user))
        )

    def in_force(self) -> "LimitQuerySet":
        return self.filter(removed_at__isnull=True)


class Limit(Row):
    """The most that one key, or all keys of an application or an institution together, may use."""

    key = models.ForeignKey(
        ApiKey,
        models.PROTECT,
        related_name="limits",
        null=True,
        blank=True,
        verbose_name=_("API key"),
    )
    application = models.ForeignKey(
        Application,
        models.PROTECT,
        related_name="limits",
        null=True,
        blank=True,
        verbose_name=_("application"),
    )
    institution = models.ForeignKey(
        Institution,
        models.PROTECT,
        related_name="limits",
        null=True,
        blank=True,
        verbose_name=_("institution"),
    )
    measure = models.CharField(_("what is counted"), max_length=24, choices=MEASURE_LABELS)
    most = models.PositiveBigIntegerField(_("at most"), validators=[MinValueValidator(1)])
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    objects = LimitQuerySet.as_manager()

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        constraints = (
            models.CheckConstraint(
                condition=Q(key__isnull=False, application=None, institution=None)
                | Q(key=None, application__isnull=False, institution=None)
                | Q(key=None, application=None, institution__isnull=False),
                name="a_limit_is_of_one_key_application_or_institution",
            ),
            models.UniqueConstraint(
                fields=("key", "application", "institution", "measure"),
                condition=Q(removed_at__isnull=True),
                nulls_distinct=False,
                name="one_limit_in_force_of_each_kind",
            ),
            models.CheckConstraint(
                condition=Q(measure__in=sorted(MEASURE_LABELS)), name="a_limit_counts_what_is_known"
            ),
            models.CheckConstraint(condition=Q(most__gt=0), name="a_limit_leaves_something"),
        )

    def __str__(self) -> str:
        return f"{self.owner}: {self.most} {self.get_measure_display()}"

    @property
    def owner(self) -> "LimitOwner":
        owner = self.key or self.application or self.institution
        assert owner is not None  # a constraint holds it
        return owner


LimitOwner = ApiKey | Application | Institution
"""Who can have a limit."""


def scope_of(owner: LimitOwner) -> LimitScope:
    match owner:
        case ApiKey():
            return LimitScope.KEY
        case Application():
            return LimitScope.APPLICATION
        case Institution():
            return LimitScope.INSTITUTION
