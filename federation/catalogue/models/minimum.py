"""Critical models: the minimum service that each must have, one version after the other, and when it was not there."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.catalogue.models.names import AIModel
from federation.people.models import User
from routing.core.enums import PriorityClass

MOST_SERVERS = 100
CLASSES = [(level.value, level.name) for level in sorted(PriorityClass, reverse=True)]


class MinimumServiceQuerySet(models.QuerySet["MinimumService"]):
    def for_user(self, user: User | AnonymousUser) -> "MinimumServiceQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))

    def current(self) -> "MinimumServiceQuerySet":
        return self.filter(current=True)

    def in_force(self) -> "MinimumServiceQuerySet":
        """Return what critical models must have now; a model whose minimum was given up is none."""
        return self.current().filter(servers__gt=0)

    def current_of(self, model: AIModel) -> "MinimumService":
        """Return the version in force; a model that was never critical has number 0, without a minimum."""
        return self.current().filter(model=model).first() or MinimumService(model=model)


class MinimumService(Row):
    """What a critical model must not fall below: one version, of which one is current; 0 servers give it up.

    A trigger keeps every field but `current`: a change is a new version. `protected_class` and those above are
    served before all others below the minimum; `fallback` is the model that serves when nobody can.
    """

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="minimum_services", verbose_name=_("model")
    )
    number = models.PositiveIntegerField(_("version"), default=0)
    servers = models.PositiveSmallIntegerField(
        _("healthy servers"), default=0, validators=[MaxValueValidator(MOST_SERVERS)]
    )
    sites = models.PositiveSmallIntegerField(_("distinct sites"), default=0)
    protected_class = models.PositiveSmallIntegerField(
        _("lowest class that is protected"), choices=CLASSES, default=PriorityClass.P3.value
    )
    fallback = models.ForeignKey(
        AIModel,
        models.PROTECT,
        related_name="stands_in_for",
        null=True,
        blank=True,
        verbose_name=_("fallback"),
    )
    current = models.BooleanField(_("current"), default=False)
    set_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("set by")
    )

    objects = MinimumServiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("minimum service")
        verbose_name_plural = _("minimum services")
        constraints = (
            models.UniqueConstraint(
                fields=("model", "number"), name="a_minimum_service_has_a_number_of_its_own"
            ),
            models.UniqueConstraint(
                fields=("model",),
                condition=Q(current=True),
                name="one_current_minimum_service_per_model",
            ),
            models.CheckConstraint(
                condition=Q(servers=0, sites=0, fallback__isnull=True)
                | Q(
                    servers__gte=1, servers__lte=MOST_SERVERS, sites__gte=1, sites__lte=F("servers")
                ),
                name="a_minimum_service_needs_no_more_sites_than_servers",
                violation_error_message=_("There cannot be more sites than servers."),
            ),
            models.CheckConstraint(
                condition=Q(protected_class__in=[level.value for level in PriorityClass]),
                name="a_protected_class_is_known",
            ),
            models.CheckConstraint(
                condition=Q(fallback__isnull=True) | ~Q(fallback=F("model")),
                name="a_model_is_not_its_own_fallback",
                violation_error_message=_("A model cannot be its own fallback."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.number}"

    @property
    def is_critical(self) -> bool:
        return self.servers > 0


class MinimumServiceAlarmQuerySet(models.QuerySet["MinimumServiceAlarm"]):
    def for_user(self, user: User | AnonymousUser) -> "MinimumServiceAlarmQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))

    def open(self) -> "MinimumServiceAlarmQuerySet":
        return self.filter(ended_at__isnull=True)


def _told(label: Any) -> Any:
    return ArrayField(models.UUIDField(), verbose_name=label, default=list, blank=True)


class MinimumServiceAlarm(Row):
    """An episode in which a critical model was below its minimum, as routers saw it.

    `servers` and `sites` are the fewest that were seen. Who is told of its beginning and its end stands in
    `told_fall` and `told_return`.
    """

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="minimum_alarms", verbose_name=_("model")
    )
    minimum = models.ForeignKey(
        MinimumService, models.PROTECT, related_name="alarms", verbose_name=_("minimum service")
    )
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    servers = models.PositiveSmallIntegerField(_("fewest servers"))
    sites = models.PositiveSmallIntegerField(_("fewest sites"))
    told_fall = _told(_("told of the beginning"))
    told_return = _told(_("told of the end"))

    objects = MinimumServiceAlarmQuerySet.as_manager()

    class Meta:
        verbose_name = _("minimum service alarm")
        verbose_name_plural = _("minimum service alarms")
        constraints = (
            models.UniqueConstraint(
                fields=("model",),
                condition=Q(ended_at__isnull=True),
                name="one_open_alarm_per_model",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")),
                name="an_alarm_ends_after_it_began",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.began_at:%Y-%m-%d %H:%M}"
