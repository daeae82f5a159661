"""Meters of servers' energy: where the router reads them, and how what they show is meant."""

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.fleet.enums import EnergyUnit, MeterScope
from federation.fleet.models.servers import InferenceServer
from federation.people.models import User

MOST_LABELS = 8
MOST_WATTS = 1_000_000
METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"


class EnergyProbeQuerySet(models.QuerySet["EnergyProbe"]):
    def for_user(self, user: User | AnonymousUser) -> "EnergyProbeQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def in_force(self) -> "EnergyProbeQuerySet":
        return self.filter(ended_at__isnull=True)


class EnergyProbe(Row):
    """A metric on a page of Prometheus text. A row says what was read in its time: another meter is another row.

    `labels` are what a series must carry, name to value; all series that do are summed. `limit_w` None: what the
    accelerators can draw, by their maker, and half as much again.
    """

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="probes", verbose_name=_("server")
    )
    url = models.CharField(_("address of the page"), max_length=500)
    metric = models.CharField(_("metric"), max_length=200, validators=[RegexValidator(METRIC)])
    labels = models.JSONField(_("labels"), default=dict, blank=True)
    unit = models.CharField(_("unit"), max_length=3, choices=EnergyUnit)
    scope = models.CharField(_("what it sees"), max_length=6, choices=MeterScope)
    multiplier = models.DecimalField(
        _("multiplier"), max_digits=10, decimal_places=6, validators=[MaxValueValidator(1000)]
    )
    idle_w = models.DecimalField(
        _("watts without work"),
        max_digits=8,
        decimal_places=1,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_WATTS)],
    )
    limit_w = models.DecimalField(
        _("most watts"),
        max_digits=8,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_WATTS)],
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = EnergyProbeQuerySet.as_manager()

    class Meta:
        verbose_name = _("energy meter")
        verbose_name_plural = _("energy meters")
        constraints = (
            models.UniqueConstraint(
                fields=("server",),
                condition=Q(ended_at__isnull=True),
                name="one_energy_meter_per_server",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=EnergyUnit.values), name="a_meter_counts_in_a_known_unit"
            ),
            models.CheckConstraint(
                condition=Q(scope__in=MeterScope.values), name="a_meter_has_a_known_scope"
            ),
            models.CheckConstraint(
                condition=Q(multiplier__gt=0) & Q(idle_w__gte=0), name="a_meter_is_never_negative"
            ),
            models.CheckConstraint(
                condition=Q(limit_w__isnull=True) | Q(limit_w__gte=models.F("idle_w")),
                name="a_meter_allows_what_is_drawn_without_work",
            ),
            models.CheckConstraint(
                condition=Q(url__regex=r"^https?://[^\s@?#]+$"),
                name="a_meters_address_carries_no_secret",
            ),
        )

    def __str__(self) -> str:
        return self.metric
