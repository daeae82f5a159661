"""What meters told of servers, window by window and later by the hour, whose it was; and by how much the model of
energy errs there.
"""

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.records import OUR_TIMES
from federation.fleet.enums import MeterScope
from federation.fleet.models import InferenceServer
from federation.people.models import User

LONGEST_FAULT = 16
MOST_FAULTS = 16
LONGEST_MACHINE = 200


class EnergyWindowQuerySet(models.QuerySet["EnergyWindow"]):
    def for_user(self, user: User | AnonymousUser) -> "EnergyWindowQuerySet":
        servers = InferenceServer.objects.for_user(user)
        return self.filter(server_id__in=servers.values("pk"))

    def settled(self) -> "EnergyWindowQuerySet":
        return self.filter(settled_at__isnull=False)


class EnergyWindow(models.Model):
    """A stretch of a server's time, as its meter told it; once it is settled, whose its energy was.

    `measured_mj` is of the `covered_ms` that are known. `deployment_id` is there when all the work was one model's on
    one described `machine`; `modelled_mj` is what the model of energy expected of that work, of what the meter sees.
    """

    id = models.BigAutoField(primary_key=True)
    server_id = models.UUIDField(_("inference server"))
    probe_id = models.UUIDField(_("energy meter"))
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("until"))
    scope = models.CharField(_("what it sees"), max_length=6, choices=MeterScope)
    measured_mj = models.BigIntegerField(_("measured energy in millijoules"))
    covered_ms = models.BigIntegerField(_("milliseconds that are known"))
    idle_mw = models.BigIntegerField(_("milliwatts without work"))
    batch_milli = models.IntegerField(_("requests at a time, in thousandths"))
    prompt_tokens = models.BigIntegerField(_("prompt tokens"), null=True)
    cached_tokens = models.BigIntegerField(_("cached tokens"), null=True)
    completion_tokens = models.BigIntegerField(_("completion tokens"), null=True)
    faults = ArrayField(models.CharField(max_length=LONGEST_FAULT), verbose_name=_("faults"))

    settled_at = models.DateTimeField(_("settled"), null=True)
    idle_mj = models.BigIntegerField(_("without work"), default=0)
    local_mj = models.BigIntegerField(_("the host’s own use"), default=0)
    attributed_mj = models.BigIntegerField(_("of the federation’s requests"), default=0)
    deployment_id = models.UUIDField(_("deployment"), null=True)
    machine = models.CharField(_("machine"), max_length=LONGEST_MACHINE, blank=True)
    modelled_mj = models.BigIntegerField(_("as modelled"), default=0)

    objects = EnergyWindowQuerySet.as_manager()

    class Meta:
        verbose_name = _("window of measured energy")
        verbose_name_plural = _("windows of measured energy")
        indexes = (
            models.Index(
                fields=["server_id", "end"],
                condition=Q(settled_at__isnull=True),
                name="windows_to_settle",
            ),
            models.Index(fields=["start"], name="windows_by_time"),
        )
        constraints = (
            models.UniqueConstraint(fields=("server_id", "start"), name="a_window_is_told_once"),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True)
                | Q(measured_mj=F("idle_mj") + F("local_mj") + F("attributed_mj")),
                name="a_settled_window_is_shared_out_whole",
            ),
            models.CheckConstraint(
                condition=Q(
                    measured_mj__gte=0,
                    covered_ms__gte=0,
                    idle_mw__gte=0,
                    idle_mj__gte=0,
                    local_mj__gte=0,
                    attributed_mj__gte=0,
                ),
                name="a_window_is_never_negative",
            ),
            models.CheckConstraint(
                condition=Q(start__range=OUR_TIMES, end__range=OUR_TIMES, end__gt=F("start")),
                name="a_window_lies_in_our_times",
            ),
        )

    def __str__(self) -> str:
        return f"{self.server_id} {self.start}"


class EnergyHourQuerySet(models.QuerySet["EnergyHour"]):
    def for_user(self, user: User | AnonymousUser) -> "EnergyHourQuerySet":
        servers = InferenceServer.objects.for_user(user)
        return self.filter(server_id__in=servers.values("pk"))


class EnergyHour(models.Model):
    """The windows of a server that began in an hour, once they are old: a row for each thing that its meters saw.

    `faults` has each as often as they had it. What begins in the hour and comes later is refused
    (`billing.energy.hours`).
    """

    id = models.BigAutoField(primary_key=True)
    server_id = models.UUIDField(_("inference server"))
    hour = models.DateTimeField(_("hour"))
    scope = models.CharField(_("what it sees"), max_length=6, choices=MeterScope)
    windows = models.IntegerField(_("windows"))
    measured_mj = models.BigIntegerField(_("measured energy in millijoules"))
    idle_mj = models.BigIntegerField(_("without work"))
    local_mj = models.BigIntegerField(_("the host’s own use"))
    attributed_mj = models.BigIntegerField(_("of the federation’s requests"))
    covered_ms = models.BigIntegerField(_("milliseconds that are known"))
    total_ms = models.BigIntegerField(_("milliseconds of all windows"))
    faults = ArrayField(models.CharField(max_length=LONGEST_FAULT), verbose_name=_("faults"))

    objects = EnergyHourQuerySet.as_manager()

    class Meta:
        verbose_name = _("hour of measured energy")
        verbose_name_plural = _("hours of measured energy")
        indexes = (models.Index(fields=["hour"], name="energy_by_hour"),)
        constraints = (
            models.UniqueConstraint(
                fields=("server_id", "hour", "scope"), name="an_hour_of_energy_is_kept_once"
            ),
            models.CheckConstraint(
                condition=Q(measured_mj=F("idle_mj") + F("local_mj") + F("attributed_mj")),
                name="an_hour_of_energy_is_shared_out_whole",
            ),
            models.CheckConstraint(
                condition=Q(
                    windows__gt=0,
                    idle_mj__gte=0,
                    local_mj__gte=0,
                    attributed_mj__gte=0,
                    covered_ms__gte=0,
                    total_ms__gte=0,
                ),
                name="an_hour_of_energy_is_never_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.server_id} {self.hour}"


class EnergyCalibrationQuerySet(models.QuerySet["EnergyCalibration"]):
    def for_user(self, user: User | AnonymousUser) -> "EnergyCalibrationQuerySet":
        servers = InferenceServer.objects.for_user(user)
        return self.filter(server_id__in=servers.values("pk"))

    def newest(self) -> "EnergyCalibrationQuerySet":
        """The last of each deployment."""
        return self.order_by("deployment_id", "-id").distinct("deployment_id")


class EnergyCalibration(models.Model):
    """Measured over modelled, of a model on a server as it was described then; the newest of a deployment is in force.

    `windows` is the number of windows with work that it was reckoned from.
    """

    id = models.BigAutoField(primary_key=True)
    deployment_id = models.UUIDField(_("deployment"))
    server_id = models.UUIDField(_("inference server"))
    probe_id = models.UUIDField(_("energy meter"))
    machine = models.CharField(_("machine"), max_length=LONGEST_MACHINE, blank=True)
    scope = models.CharField(_("what the meter sees"), max_length=6, choices=MeterScope)
    factor = models.FloatField(_("measured over modelled"))
    windows = models.IntegerField(_("windows"))
    at = models.DateTimeField(_("reckoned"))

    objects = EnergyCalibrationQuerySet.as_manager()

    class Meta:
        verbose_name = _("calibration")
        verbose_name_plural = _("calibrations")
        indexes = (models.Index(fields=["deployment_id", "id"], name="newest_calibration"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(factor__gt=0, windows__gt=0), name="a_calibration_is_above_zero"
            ),
        )

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.factor}"
