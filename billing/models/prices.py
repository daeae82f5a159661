"""What a model's use costs, and the fee on it: versions with a beginning, never changed once they have begun.

Whole nano-euros: 150 per token is 0.15 € per million. A trigger refuses every change, and the removal of a version
that is in force or was.
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from billing.enums import PriceKind
from billing.models.scopes import reads_all_accounts
from federation.base import Row
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User

DEAREST_NANO = 10**9
"""1 € a unit. With the most tokens that a record holds, a cost stays a 64-bit number."""
ALL_OF_IT = 10_000
"""Basis points: hundredths of a per cent."""
LONGEST_NOTE = 500
UNITS = (
    "prompt_nano",
    "cached_nano",
    "completion_nano",
    "embedding_nano",
    "audio_second_nano",
    "image_nano",
)
SINGLE = ("audio_second_nano", "image_nano")
"""Of these, those whose price is said for one, not for a million."""


def _price(label: object) -> models.BigIntegerField:  # type: ignore[type-arg]
    return models.BigIntegerField(label, null=True, blank=True)  # type: ignore[arg-type]


class PriceVersionQuerySet(models.QuerySet["PriceVersion"]):
    def for_user(self, user: User | AnonymousUser) -> "PriceVersionQuerySet":
        """The price list is every member's."""
        return self.filter(model__in=AIModel.objects.for_user(user))

    def at(self, moment: datetime) -> "PriceVersionQuerySet":
        """Return of each model the version in force at `moment`."""
        begun = self.filter(valid_from__lte=moment)
        return begun.order_by("model_id", "-valid_from").distinct("model_id")

    def ahead(self) -> "PriceVersionQuerySet":
        return self.filter(valid_from__gt=timezone.now()).order_by("valid_from")


class PriceVersion(Row):
    """What each unit of a model costs from a moment on, in nano-euros; null where the unit is not sold.

    `cached_nano` null: a token found in a cache costs what any token of the prompt does.
    """

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="prices", verbose_name=_("model")
    )
    valid_from = models.DateTimeField(_("valid from"))
    kind = models.CharField(
        _("kind"), max_length=16, choices=PriceKind.choices, default=PriceKind.PROVISIONAL
    )
    prompt_nano = _price(_("prompt token"))
    cached_nano = _price(_("prompt token found in a cache"))
    completion_nano = _price(_("completion token"))
    embedding_nano = _price(_("token of an embedding"))
    audio_second_nano = _price(_("second of audio"))
    image_nano = _price(_("image"))
    note = models.CharField(_("note"), max_length=LONGEST_NOTE, blank=True)
    set_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("set by")
    )

    objects = PriceVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ("model_id", "-valid_from")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("model", "valid_from"), name="a_model_has_one_price_at_a_time"
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{unit}__isnull": True})
                    | Q(**{f"{unit}__range": (0, DEAREST_NANO)}),
                    name=f"a_price_of_{unit.removesuffix('_nano')}_is_possible",
                )
                for unit in UNITS
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.valid_from:%Y-%m-%d %H:%M}"

    @property
    def is_ahead(self) -> bool:
        return self.valid_from > timezone.now()


class FeeVersionQuerySet(models.QuerySet["FeeVersion"]):
    def for_user(self, user: User | AnonymousUser) -> "FeeVersionQuerySet":
        """The general fee is every member's; a special one its institution's, and the federation's."""
        if reads_all_accounts(user):
            return self
        general = Q(institution=None)
        return self.filter(general | Q(institution__in=Institution.objects.for_user(user)))


class FeeVersion(Row):
    """What part of a cost the federation keeps, in basis points; an institution's own version comes first."""

    institution = models.ForeignKey(
        Institution,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="fees",
        verbose_name=_("institution"),
    )
    valid_from = models.DateTimeField(_("valid from"))
    basis_points = models.PositiveIntegerField(
        _("basis points"), validators=[MaxValueValidator(ALL_OF_IT)]
    )
    note = models.CharField(_("note"), max_length=LONGEST_NOTE, blank=True)
    set_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("set by")
    )

    objects = FeeVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("fee")
        verbose_name_plural = _("fees")
        ordering = ("-valid_from",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("institution", "valid_from"),
                nulls_distinct=False,
                name="an_institution_has_one_fee_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(basis_points__lte=ALL_OF_IT), name="a_fee_is_at_most_all_of_it"
            ),
        ]

    def __str__(self) -> str:
        percent = Decimal(self.basis_points) / 100
        return str(_("%(percent)s%%") % {"percent": number_format(percent.normalize())})

    @property
    def is_ahead(self) -> bool:
        return self.valid_from > timezone.now()
