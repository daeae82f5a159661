"""What was used, summed: by hour, by day and by month in Paris, each of them exact at any moment.

By all that tells requests apart; and by day and month by institutions and models alone, by who served alone, and by
keys alone: what the pages of those who see much read. `billing.records.rollups` adds to all of them in the transaction
that stores the records; nothing else writes them.
"""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.records import STATUS_LABELS
from billing.models.scopes import Readable
from billing.periods import Period

WAITS_MS = (100, 200, 350, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000, 30_000)
"""Milliseconds up to which waits for a first token are counted, each wait at the first bound that it keeps."""


def _sum(label: Any, **options: Any) -> Any:
    return models.BigIntegerField(label, default=0, **options)


class UsageSumQuerySet(Readable[Any]):
    """Sums of whole days or months, as the model's `since` says."""

    def between(self, period: Period) -> Self:
        """Return the sums of what ended on these days. Of months, only those that lie in the period whole."""
        return self.filter(since__range=(period.start_day, period.end_day))


class UsageSum(models.Model):
    """Requests that ended in one stretch of time, alike in all of `KEY`."""

    KEY: ClassVar[tuple[str, ...]]
    """What, with the time, tells one sum from another."""

    id = models.BigAutoField(primary_key=True)
    status = models.CharField(_("status"), max_length=16, choices=STATUS_LABELS)
    requests = _sum(_("requests"))
    prompt_tokens = _sum(_("prompt tokens"))
    cached_tokens = _sum(_("cached tokens"))
    completion_tokens = _sum(_("completion tokens"))
    reasoning_tokens = _sum(_("reasoning tokens"))
    cost_nano = _sum(_("cost in nano-euros"))
    fee_nano = _sum(_("of which the fee"))
    own_nano = _sum(_("of which own servers’, which is not billed"), db_default=0)
    energy_mj = _sum(_("energy of the sites, in millijoules"), db_default=0)
    energy_low_mj = _sum(_("at least"), db_default=0)
    energy_high_mj = _sum(_("at most"), db_default=0)
    metered_mj = _sum(_("of which measured or calibrated"), db_default=0)
    unknown_energy = _sum(_("answered requests whose energy is not known"), db_default=0)
    gpu_ms = _sum(_("GPU milliseconds"), db_default=0)
    duration_ms = _sum(_("milliseconds from arrival to end"))
    first_tokens = _sum(_("requests that brought a first token"))
    audio_ms = models.BigIntegerField(_("milliseconds of audio"), default=0, db_default=0)
    images = models.BigIntegerField(_("images"), default=0, db_default=0)

    objects = UsageSumQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.pk}"


for _ms in WAITS_MS:
    UsageSum.add_to_class(f"wait_{_ms}", models.IntegerField(default=0))


def _constraints(key: tuple[str, ...]) -> list[models.BaseConstraint]:
    return [
        models.UniqueConstraint(
            fields=("since", *key), nulls_distinct=False, name="%(class)s_is_one_sum"
        ),
        models.CheckConstraint(condition=Q(requests__gte=0), name="%(class)s_counts"),
    ]


_BY_ASKING = models.Index(fields=["asking_institution_id", "since"], name="%(class)s_by_asking")
_BY_SERVING = models.Index(fields=["serving_institution_id", "since"], name="%(class)s_by_serving")
_BY_KEY = models.Index(fields=["key_id", "since"], name="%(class)s_by_key")


_WHOLE = (
    "asking_institution_id",
    "serving_institution_id",
    "key_id",
    "application_id",
    "model_id",
    "server_id",
    "status",
    "factors",
)
_OF_INSTITUTIONS = (
    "asking_institution_id",
    "serving_institution_id",
    "model_id",
    "status",
    "factors",
)
_OF_SERVING = ("serving_institution_id", "model_id", "status", "factors")
_OF_KEYS = ("asking_institution_id", "key_id", "application_id", "status")


class WholeSum(UsageSum):
    KEY: ClassVar = _WHOLE
    asking_institution_id = models.UUIDField(_("asking institution"))
    serving_institution_id = models.UUIDField(_("serving institution"), null=True)
    key_id = models.UUIDField(_("API key"))
    application_id = models.UUIDField(_("application"))
    model_id = models.UUIDField(_("model"))
    server_id = models.UUIDField(_("inference server"), null=True)
    factors = models.CharField(_("factor set"), max_length=16, blank=True, db_default="")

    class Meta(UsageSum.Meta):
        abstract = True
        constraints: ClassVar = _constraints(_WHOLE)
        indexes: ClassVar = [_BY_KEY, _BY_ASKING, _BY_SERVING]


class InstitutionSum(UsageSum):
    """Whosever keys asked, whichever server answered."""

    KEY: ClassVar = _OF_INSTITUTIONS
    asking_institution_id = models.UUIDField(_("asking institution"))
    serving_institution_id = models.UUIDField(_("serving institution"), null=True)
    model_id = models.UUIDField(_("model"))
    factors = models.CharField(_("factor set"), max_length=16, blank=True, db_default="")

    class Meta(UsageSum.Meta):
        abstract = True
        constraints: ClassVar = _constraints(_OF_INSTITUTIONS)
        indexes: ClassVar = [_BY_ASKING, _BY_SERVING]


class ServingSum(UsageSum):
    """Whoever asked."""

    KEY: ClassVar = _OF_SERVING
    serving_institution_id = models.UUIDField(_("serving institution"), null=True)
    model_id = models.UUIDField(_("model"))
    factors = models.CharField(_("factor set"), max_length=16, blank=True, db_default="")

    class Meta(UsageSum.Meta):
        abstract = True
        constraints: ClassVar = _constraints(_OF_SERVING)
        indexes: ClassVar = [_BY_SERVING]


class KeySum(UsageSum):
    """Whatever was asked, whoever answered."""

    KEY: ClassVar = _OF_KEYS
    asking_institution_id = models.UUIDField(_("asking institution"))
    key_id = models.UUIDField(_("API key"))
    application_id = models.UUIDField(_("application"))

    class Meta(UsageSum.Meta):
        abstract = True
        constraints: ClassVar = _constraints(_OF_KEYS)
        indexes: ClassVar = [_BY_ASKING]


class UsageHour(WholeSum):
    since = models.DateTimeField(_("hour"))

    class Meta(WholeSum.Meta):
        verbose_name = _("usage of an hour")
        verbose_name_plural = _("usage by hour")


class UsageDay(WholeSum):
    since = models.DateField(_("day"))

    class Meta(WholeSum.Meta):
        verbose_name = _("usage of a day")
        verbose_name_plural = _("usage by day")
        indexes: ClassVar = [
            *WholeSum.Meta.indexes,
            models.Index(fields=["model_id", "since"], name="usageday_by_model"),
        ]


class UsageMonth(WholeSum):
    since = models.DateField(_("first day of the month"))

    class Meta(WholeSum.Meta):
        verbose_name = _("usage of a month")
        verbose_name_plural = _("usage by month")


class InstitutionDay(InstitutionSum):
    since = models.DateField(_("day"))

    class Meta(InstitutionSum.Meta):
        verbose_name = _("institutions’ usage of a day")
        verbose_name_plural = _("institutions’ usage by day")


class InstitutionMonth(InstitutionSum):
    since = models.DateField(_("first day of the month"))

    class Meta(InstitutionSum.Meta):
        verbose_name = _("institutions’ usage of a month")
        verbose_name_plural = _("institutions’ usage by month")


class ServingDay(ServingSum):
    since = models.DateField(_("day"))

    class Meta(ServingSum.Meta):
        verbose_name = _("what an institution served in a day")
        verbose_name_plural = _("what institutions served by day")


class ServingMonth(ServingSum):
    since = models.DateField(_("first day of the month"))

    class Meta(ServingSum.Meta):
        verbose_name = _("what an institution served in a month")
        verbose_name_plural = _("what institutions served by month")


class KeyDay(KeySum):
    since = models.DateField(_("day"))

    class Meta(KeySum.Meta):
        verbose_name = _("a key’s usage of a day")
        verbose_name_plural = _("keys’ usage by day")


class KeyMonth(KeySum):
    since = models.DateField(_("first day of the month"))

    class Meta(KeySum.Meta):
        verbose_name = _("a key’s usage of a month")
        verbose_name_plural = _("keys’ usage by month")
