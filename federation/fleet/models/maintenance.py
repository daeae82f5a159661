"""When a server will be away: a maintenance with an end, or the date from which it takes nothing more."""

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.fleet.enums import MaintenanceState
from federation.fleet.models.servers import InferenceServer
from federation.people.models import User


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def for_user(self, user: User | AnonymousUser) -> "MaintenanceQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def ahead(self) -> "MaintenanceQuerySet":
        return self.filter(state__in=(MaintenanceState.PLANNED, MaintenanceState.UNDERWAY))


class Maintenance(Row):
    """The server drains at `starts_at`, and is back at `ends_at`; without an end it stays away."""

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="maintenances", verbose_name=_("server")
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(
        _("state"), max_length=9, choices=MaintenanceState, default=MaintenanceState.PLANNED
    )
    planned_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("planned by")
    )

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("maintenance")
        verbose_name_plural = _("maintenances")
        ordering = ("starts_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=MaintenanceState.values), name="a_maintenance_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="a_maintenance_ends_after_it_begins",
            ),
        )

    def __str__(self) -> str:
        return f"{self.server} {self.starts_at:%Y-%m-%d %H:%M}"
