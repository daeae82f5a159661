"""Servers that come and go with a job: the token by which a job proves whose it is, and what it holds meanwhile.

Between jobs such a server is paused, as one whose hours are over. A lease that nobody renews expires.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.fleet.enums import HELD_LEASES, LeaseState
from federation.fleet.models.servers import InferenceServer
from federation.people.models import User
from routing.core.keys import digest

LEASE = timedelta(seconds=30)
"""How long a lease lasts from one word of its job to the next."""
HEARTBEAT = timedelta(seconds=5)
"""How often a job speaks, unless it is told otherwise."""
LONGEST_JOB_NAME = 100


class ServerTokenQuerySet(models.QuerySet["ServerToken"]):
    def for_user(self, user: User | AnonymousUser) -> "ServerTokenQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def in_force(self) -> "ServerTokenQuerySet":
        return self.filter(revoked_at__isnull=True)

    def known_as(self, text: str) -> "ServerTokenQuerySet":
        return self.in_force().filter(digest=ServerToken.digest_of(text))


class ServerToken(Row):
    """The secret of one server's jobs; only its digest is kept. `ending` are its last characters, to tell it by."""

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="tokens", verbose_name=_("server")
    )
    digest = models.CharField(max_length=64, unique=True)
    ending = models.CharField(_("ends in"), max_length=4)
    made_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("made by")
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = ServerTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("token of a server")
        verbose_name_plural = _("tokens of servers")
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="a_server_token_is_a_digest"
            ),
        )

    def __str__(self) -> str:
        return f"{self.server} …{self.ending}"

    @staticmethod
    def digest_of(text: str) -> str:
        return digest(settings.PEPPER.encode(), text)


class LeaseQuerySet(models.QuerySet["Lease"]):
    def for_user(self, user: User | AnonymousUser) -> "LeaseQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def held(self) -> "LeaseQuerySet":
        return self.filter(state__in=HELD_LEASES)

    def open(self) -> "LeaseQuerySet":
        return self.filter(state=LeaseState.OPEN)

    def silent(self) -> "LeaseQuerySet":
        """Those of which nothing was heard for too long."""
        return self.held().filter(heard_at__lt=timezone.now() - LEASE)


class Lease(Row):
    """A job's hold of a server, at `base_url`. `number` counts its heartbeats: one that comes late is told from news.

    `job` is what the cluster calls it. It takes nothing new from `ends_at` on, where its end is known.
    """

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="leases", verbose_name=_("server")
    )
    token = models.ForeignKey(
        ServerToken, models.PROTECT, related_name="leases", verbose_name=_("token")
    )
    job = models.CharField(_("job"), max_length=LONGEST_JOB_NAME)
    base_url = models.CharField(_("address"), max_length=500)
    state = models.CharField(_("state"), max_length=8, choices=LeaseState, default=LeaseState.OPEN)
    number = models.PositiveBigIntegerField(_("heartbeats"), default=0)
    heard_at = models.DateTimeField(_("heard of"), default=timezone.now)
    ends_at = models.DateTimeField(_("takes nothing new from"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = LeaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("server",),
                condition=Q(state=LeaseState.OPEN),
                name="one_open_lease_per_server",
            ),
            models.CheckConstraint(
                condition=Q(state__in=LeaseState.values), name="a_lease_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(HELD_LEASES)) ^ Q(ended_at__isnull=False),
                name="a_lease_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("created_at")),
                name="a_lease_ends_after_it_begins",
            ),
        )
        indexes = (
            models.Index(
                fields=["heard_at"], condition=Q(state__in=sorted(HELD_LEASES)), name="held_leases"
            ),
        )

    def __str__(self) -> str:
        return f"{self.server} · {self.job}"

    @property
    def is_held(self) -> bool:
        return self.state in HELD_LEASES

    @property
    def expires_at(self) -> datetime:
        return self.heard_at + LEASE
