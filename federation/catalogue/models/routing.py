"""Routing policies: how the requests for a model are shared out, one version after the other."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.catalogue.enums import (
    SETTING_LABELS,
)
from federation.catalogue.models.names import AIModel
from federation.people.models import User
from routing.core.enums import PriorityClass, RoutingSetting

MOST_SHARES = 90
"""Per cent that may be guaranteed to the lower classes together, so that something is left to the highest."""
LONGEST_WAIT = 3600
"""Seconds; a router's own limit bounds it further."""


class RoutingPolicyQuerySet(models.QuerySet["RoutingPolicy"]):
    def for_user(self, user: User | AnonymousUser) -> "RoutingPolicyQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))

    def current(self) -> "RoutingPolicyQuerySet":
        return self.filter(current=True)

    def current_of(self, model: AIModel) -> "RoutingPolicy":
        """Return the policy in force; a model that was never given one has the usual, as number 0."""
        return self.current().filter(model=model).first() or RoutingPolicy(model=model)


def _share(label: Any, usual: int) -> Any:
    bounds = [MinValueValidator(1), MaxValueValidator(MOST_SHARES)]
    return models.PositiveSmallIntegerField(label, default=usual, validators=bounds)


class RoutingPolicy(Row):
    """How requests for a model are shared out: one version of its settings, of which one is current.

    A trigger keeps every field but `current`: a change is a new version. Shares are per cent of what is served
    that a class has at least, while it waits; never 0, so that nobody starves. `longest_wait` is in seconds.
    """

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="routing_policies", verbose_name=_("model")
    )
    number = models.PositiveIntegerField(_("version"), default=0)
    setting = models.CharField(
        _("setting"),
        max_length=32,
        choices=SETTING_LABELS,
        default=RoutingSetting.AFFINITY.value,
    )
    share_p4 = _share(_("minimum share of P4, in per cent"), 5)
    share_p3 = _share(_("minimum share of P3, in per cent"), 5)
    share_p2 = _share(_("minimum share of P2, in per cent"), 3)
    share_p1 = _share(_("minimum share of P1, in per cent"), 2)
    longest_wait = models.PositiveSmallIntegerField(
        _("longest wait, in seconds"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_WAIT)],
    )
    forward_priority = models.BooleanField(_("tell vLLM the class"), default=False)
    current = models.BooleanField(_("current"), default=False)
    set_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("set by")
    )

    objects = RoutingPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("routing policy")
        verbose_name_plural = _("routing policies")
        constraints = (
            models.UniqueConstraint(
                fields=("model", "number"), name="a_routing_policy_has_a_number_of_its_own"
            ),
            models.UniqueConstraint(
                fields=("model",),
                condition=Q(current=True),
                name="one_current_routing_policy_per_model",
            ),
            models.CheckConstraint(
                condition=Q(setting__in=sorted(SETTING_LABELS)), name="a_routing_setting_is_known"
            ),
            models.CheckConstraint(
                condition=Q(share_p4__gte=1, share_p3__gte=1, share_p2__gte=1, share_p1__gte=1),
                name="every_class_has_a_minimum",
            ),
            models.CheckConstraint(
                condition=Q(
                    share_p4__lte=MOST_SHARES - F("share_p3") - F("share_p2") - F("share_p1")
                ),
                name="minimum_shares_leave_something",
                violation_error_message=_("The minimum shares are at most 90 per cent together."),
            ),
            models.CheckConstraint(
                condition=Q(longest_wait__isnull=True)
                | Q(longest_wait__gte=1, longest_wait__lte=LONGEST_WAIT),
                name="a_longest_wait_is_between_a_second_and_an_hour",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.number}"

    @property
    def shares(self) -> dict[PriorityClass, int]:
        """Per cent by class, the highest first; P5 has what is left."""
        return {
            PriorityClass.P4: self.share_p4,
            PriorityClass.P3: self.share_p3,
            PriorityClass.P2: self.share_p2,
            PriorityClass.P1: self.share_p1,
        }
