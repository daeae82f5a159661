"""Private networks of a site into which the federation lets the router, asked for and decided about."""

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.fleet.enums import OPEN_SITE_GRANTS, SiteGrantState
from federation.fleet.models.servers import Site
from federation.people.models import User
from routing.upstream.ports import written

MOST_PORTS = 20


class SiteEgressGrantQuerySet(models.QuerySet["SiteEgressGrant"]):
    def for_user(self, user: User | AnonymousUser) -> "SiteEgressGrantQuerySet":
        return self.filter(site__in=Site.objects.for_user(user))

    def in_force(self) -> "SiteEgressGrantQuerySet":
        """Those that let the router in today; a worker withdraws the others within a minute of midnight."""
        lasting = Q(until__isnull=True) | Q(until__gte=timezone.localdate())
        return self.filter(lasting, state=SiteGrantState.GRANTED)

    def over(self) -> "SiteEgressGrantQuerySet":
        """Those whose last day is past though nobody has withdrawn them."""
        return self.filter(state=SiteGrantState.GRANTED, until__lt=timezone.localdate())

    def open(self) -> "SiteEgressGrantQuerySet":
        return self.filter(state__in=OPEN_SITE_GRANTS)


class SiteEgressGrant(Row):
    """Leave for the router to reach every server of a site in one private network, on these ports.

    `until` is the last day, in Paris. `answer` is why it was declined.
    """

    site = models.ForeignKey(
        Site, models.PROTECT, related_name="egress_grants", verbose_name=_("site")
    )
    network = models.CharField(_("network"), max_length=43)
    ports = ArrayField(
        models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(65535)]),
        verbose_name=_("ports"),
        size=MOST_PORTS,
    )
    reason = models.CharField(_("reason"), max_length=200)
    until = models.DateField(_("last day"), null=True, blank=True)
    state = models.CharField(
        _("state"), max_length=9, choices=SiteGrantState, default=SiteGrantState.ASKED
    )
    asked_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("asked by")
    )
    decided_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("decided by")
    )
    answer = models.CharField(_("answer"), max_length=200, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = SiteEgressGrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("network permission of a site")
        verbose_name_plural = _("network permissions of sites")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("site", "network", "ports"),
                condition=Q(state__in=sorted(OPEN_SITE_GRANTS)),
                name="a_network_is_asked_for_once",
                violation_error_message=_("This network is asked for, or allowed, already."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=SiteGrantState.values), name="a_site_grant_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(ports__len__gte=1, ports__len__lte=MOST_PORTS),
                name="a_site_grant_names_some_ports",
            ),
            models.CheckConstraint(
                condition=~Q(reason="") & (~Q(state=SiteGrantState.DECLINED) | ~Q(answer="")),
                name="a_site_grant_says_why",
            ),
        )

    def __str__(self) -> str:
        return f"{self.network} · {self.written_ports}"

    @property
    def written_ports(self) -> str:
        return written(frozenset(self.ports))
