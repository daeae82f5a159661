"""Conformity runs and their lines: what a router found when it asked a server."""

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.fleet.enums import OPEN_RUNS, RunState, RunTrigger
from federation.fleet.models.servers import Deployment, InferenceServer
from federation.people.models import User
from routing.core.conformity import Check, Finding, RunKind, Verdict

OPEN = sorted(OPEN_RUNS)


class ConformityRunQuerySet(models.QuerySet["ConformityRun"]):
    def for_user(self, user: User | AnonymousUser) -> "ConformityRunQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def open(self) -> "ConformityRunQuerySet":
        return self.filter(state__in=OPEN)

    def break_off(self) -> None:
        """End those that are open, with nothing said of their server; a key that one tries is not taken."""
        self.open().update(state=RunState.BROKEN, ended_at=timezone.now(), sealed_key="")

    def concluded(self) -> "ConformityRunQuerySet":
        """Runs that say something of their server."""
        return self.filter(state__in=(RunState.PASSED, RunState.FAILED))


class ConformityRun(Row):
    """One examination of a server. `connection` is the clerk's to the router that makes it, until `leased_until`.

    A run asks for one model: `deployment` is the one that it looks at, chosen by who asked for it or at its beginning.

    One that `tries_key` shows the access key of `sealed_key`, sealed for the server, in the place of the server's own;
    its end empties it. `key_taken`: whether that key is the server's own since, None before that is known.
    """

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="runs", verbose_name=_("server")
    )
    deployment = models.ForeignKey(
        Deployment,
        models.PROTECT,
        related_name="runs",
        null=True,
        blank=True,
        verbose_name=_("deployment"),
    )
    kind = models.CharField(
        _("kind"),
        max_length=12,
        choices={RunKind.CONFORMITY.value: _("checks"), RunKind.REPLAY.value: _("prompts")},
        default=RunKind.CONFORMITY.value,
    )
    trigger = models.CharField(_("occasion"), max_length=12, choices=RunTrigger)
    state = models.CharField(_("state"), max_length=8, choices=RunState, default=RunState.QUEUED)
    asked_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("asked by")
    )
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    connection = models.CharField(max_length=64, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    sealed_key = models.TextField(blank=True, db_default="")
    tries_key = models.BooleanField(default=False, db_default=False)
    key_taken = models.BooleanField(null=True, blank=True)

    objects = ConformityRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("conformity run")
        verbose_name_plural = _("conformity runs")
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("server", "kind"),
                condition=Q(state__in=OPEN),
                name="one_open_run_of_a_kind_per_server",
            ),
            models.CheckConstraint(
                condition=Q(state__in=RunState.values), name="a_run_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in RunKind]), name="a_run_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, ended_at__isnull=True)
                | (~Q(state__in=OPEN) & Q(ended_at__isnull=False)),
                name="a_run_has_an_end_when_it_is_over",
            ),
            models.CheckConstraint(
                condition=Q(sealed_key="") | Q(state__in=OPEN),
                name="a_key_is_tried_by_an_open_run_alone",
            ),
        )

    def __str__(self) -> str:
        return f"{self.server} {self.kind}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_RUNS


class ConformityLineQuerySet(models.QuerySet["ConformityLine"]):
    def for_user(self, user: User | AnonymousUser) -> "ConformityLineQuerySet":
        return self.filter(run__in=ConformityRun.objects.for_user(user))


class ConformityLine(Row):
    """What one check found: codes and figures of our own, never a text that a server sent."""

    run = models.ForeignKey(ConformityRun, models.CASCADE, related_name="lines")
    check_name = models.CharField(
        _("check"), max_length=24, choices=[(check.value, check.value) for check in Check]
    )
    verdict = models.CharField(
        _("verdict"), max_length=8, choices=[(each.value, each.value) for each in Verdict]
    )
    finding = models.CharField(
        _("finding"), max_length=24, choices=[(each.value, each.value) for each in Finding]
    )
    figures = models.JSONField(_("figures"), default=dict, blank=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds"))

    objects = ConformityLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("line of a report")
        verbose_name_plural = _("lines of reports")
        ordering = ("created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("run", "check_name"), name="a_run_has_one_line_per_check"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=[each.value for each in Verdict]),
                name="a_verdict_is_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.check_name} {self.verdict}"
