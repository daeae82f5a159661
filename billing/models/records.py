"""What was used: a record per request and an attempt per server tried. No content, no person.

Both tables are partitioned by month of the request's id (`billing.records.partitions`) and hold no foreign key: what
they name is never deleted, and a record whose key or server is unknown is still kept. `billing.records.intake` writes;
`billing.records.imports` adds what another dispatcher had noted.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.impact.enums import Method
from billing.models.scopes import Readable
from billing.periods import Period
from federation.people.models import User
from routing.core.enums import RequestStatus, UsageSource
from routing.core.ids import uuid7
from routing.core.labels import MAX_LABELS, MAX_LENGTH

FAILED = (
    RequestStatus.CLIENT_ERROR,
    RequestStatus.SERVER_ERROR,
    RequestStatus.REFUSED,
    RequestStatus.INTERRUPTED,
)
"""Statuses counted as errors; a client that leaves (`abandoned`) is none."""

OUR_TIMES = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
"""A moment is a router's word: one that is infinite, or beyond Python's calendar, could not be read back."""

MAX_DATA_CLASS = 2 * MAX_LABELS * (MAX_LENGTH + 1)
"""Characters: a key's labels and a request's own."""

STATUS_LABELS = {
    RequestStatus.OK.value: _("answered"),
    RequestStatus.CLIENT_ERROR.value: _("request refused as wrong"),
    RequestStatus.SERVER_ERROR.value: _("server error"),
    RequestStatus.REFUSED.value: _("no server available"),
    RequestStatus.ABANDONED.value: _("client left"),
    RequestStatus.INTERRUPTED.value: _("interrupted"),
}

LIMITED = frozenset({"rate_limit_exceeded", "request_over_limit"})
"""The codes (`routing.gateway.errors.Code`) of requests that a limit refused before any server was asked."""

USAGE_SOURCE_LABELS = {
    UsageSource.SERVER.value: _("told by the server"),
    UsageSource.COUNTED.value: _("counted on the way"),
    UsageSource.ESTIMATED.value: _("estimated"),
    UsageSource.NONE.value: _("none"),
}


METHOD_LABELS = {
    Method.MEASURED.value: _("measured"),
    Method.CALIBRATED.value: _("calibrated"),
    Method.MODEL.value: _("modelled"),
    Method.EXTRAPOLATED.value: _("extrapolated"),
    Method.GPU_TIME.value: _("by GPU time"),
    Method.NONE.value: _("not known"),
}


def _millijoules(label: Any) -> Any:
    return models.BigIntegerField(label, default=0, db_default=0)


class UsageRecordQuerySet(Readable["UsageRecord"]):
    def ended_in(self, period: Period) -> Self:
        """Requests that ended on these days; their ids narrow the partitions that are read."""
        low, high = period.id_bounds
        start, end = period.bounds
        return self.filter(id__gte=low, id__lt=high, finished_at__gte=start, finished_at__lt=end)


class UsageRecord(models.Model):
    """One request, under its own id. Counts are whole numbers, `usage_source` says where they come from."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client_request_id = models.CharField(_("client's identifier"), max_length=128, blank=True)
    key_id = models.UUIDField(_("API key"))
    application_id = models.UUIDField(_("application"))
    asking_institution_id = models.UUIDField(_("asking institution"))
    serving_institution_id = models.UUIDField(_("serving institution"), null=True)
    server_id = models.UUIDField(_("inference server"), null=True)
    deployment_id = models.UUIDField(_("deployment"), null=True)
    model_id = models.UUIDField(
        _("model"), help_text=_("whose servers answered, or would have had to")
    )
    asked_model_id = models.UUIDField(
        _("model that a fallback stood in for"),
        null=True,
        help_text=_("the model asked for, where another one was declared to answer in its place"),
    )
    model_asked = models.CharField(_("model asked for"), max_length=200)
    model_served = models.CharField(_("model served"), max_length=200, blank=True)
    endpoint = models.CharField(_("endpoint"), max_length=64)
    stream = models.BooleanField(_("streamed"))
    priority = models.SmallIntegerField(_("class"))
    prompt_tokens = models.IntegerField(_("prompt tokens"))
    cached_tokens = models.IntegerField(_("cached tokens"))
    completion_tokens = models.IntegerField(_("completion tokens"))
    reasoning_tokens = models.IntegerField(_("reasoning tokens"))
    usage_source = models.CharField(
        _("source of the count"), max_length=16, choices=USAGE_SOURCE_LABELS
    )
    received_at = models.DateTimeField(_("received"))
    first_token_at = models.DateTimeField(_("first token"), null=True)
    finished_at = models.DateTimeField(_("finished"))
    status = models.CharField(_("status"), max_length=16, choices=STATUS_LABELS)
    http_status = models.SmallIntegerField(_("HTTP status"))
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    attempts = models.SmallIntegerField(_("attempts"))
    is_demo = models.BooleanField(_("demonstration data"), default=False)
    data_class = models.CharField(
        _("data class"),
        max_length=MAX_DATA_CLASS,
        blank=True,
        db_default="",
        help_text=_("labels that every site had to carry which served it, with commas between"),
    )

    booked_month = models.DateField(
        _("month of the accounts"), null=True, help_text=_("none for what does not count as served")
    )
    price_id = models.UUIDField(_("price"), null=True)
    cost_nano = models.BigIntegerField(_("cost in nano-euros"), default=0, db_default=0)
    fee_nano = models.BigIntegerField(_("of which the fee"), default=0, db_default=0)
    posting_id = models.UUIDField(_("posting"), null=True)
    audio_ms = models.BigIntegerField(_("milliseconds of audio"), default=0, db_default=0)
    images = models.IntegerField(_("images"), default=0, db_default=0)

    energy_method = models.CharField(
        _("how its energy is known"), max_length=12, choices=METHOD_LABELS, db_default=Method.NONE
    )
    energy_version = models.SmallIntegerField(_("version of the method"), default=0, db_default=0)
    energy_mj = _millijoules(_("energy of the site, in millijoules"))
    energy_low_mj = _millijoules(_("at least"))
    energy_high_mj = _millijoules(_("at most"))
    gpu_mj = _millijoules(_("energy of the GPUs as modelled, in millijoules"))
    gpu_ms = models.BigIntegerField(_("GPU milliseconds"), default=0, db_default=0)
    batch_milli = models.IntegerField(
        _("requests at a time, in thousandths"), default=0, db_default=0
    )
    pue_milli = models.IntegerField(_("PUE, in thousandths"), default=0, db_default=0)
    factors = models.CharField(_("factor set"), max_length=16, blank=True, db_default="")
    measured_mj = _millijoules(_("its part of what a meter told, in millijoules"))
    covered_ms = models.BigIntegerField(
        _("milliseconds at the server that a meter covers"), default=0, db_default=0
    )

    objects = UsageRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        # The id is the time of arrival: with it, one index gives a scope's period and its latest requests.
        indexes: ClassVar = [
            models.Index(fields=["key_id", "id"], name="usage_by_key"),
            models.Index(fields=["asking_institution_id", "id"], name="usage_by_asking"),
            models.Index(fields=["serving_institution_id", "id"], name="usage_by_serving"),
            models.Index(fields=["model_id", "id"], name="usage_by_model"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    prompt_tokens__gte=0,
                    cached_tokens__gte=0,
                    completion_tokens__gte=0,
                    reasoning_tokens__gte=0,
                ),
                name="tokens_are_never_negative",
            ),
            models.CheckConstraint(
                condition=Q(audio_ms__gte=0, images__gte=0),
                name="audio_and_images_are_never_negative",
            ),
            models.CheckConstraint(
                condition=Q(received_at__range=OUR_TIMES, finished_at__range=OUR_TIMES)
                & (Q(first_token_at__isnull=True) | Q(first_token_at__range=OUR_TIMES)),
                name="a_request_lies_in_our_times",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def for_user(self, user: User | AnonymousUser) -> "AttemptQuerySet":
        return self.filter(request_id__in=UsageRecord.objects.for_user(user).values("pk"))


class Attempt(models.Model):
    """One try of a request at one server; `outcome` is `ok` or why it failed.

    `explanation` is a `routing.core.request.Explanation`; like `ended_at` it is null where a router did not say.
    """

    pk = models.CompositePrimaryKey("request_id", "n")
    request_id = models.UUIDField(_("request"))
    n = models.SmallIntegerField(_("attempt"))
    server_id = models.UUIDField(_("inference server"))
    deployment_id = models.UUIDField(_("deployment"))
    started_at = models.DateTimeField(_("started"))
    outcome = models.CharField(_("outcome"), max_length=64)
    ended_at = models.DateTimeField(_("ended"), null=True)
    explanation = models.JSONField(_("explanation"), null=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(started_at__range=OUR_TIMES), name="an_attempt_lies_in_our_times"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__range=OUR_TIMES),
                name="an_attempt_ends_in_our_times",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.n}"


class ImportedRequestQuerySet(models.QuerySet["ImportedRequest"]):
    def for_user(self, user: User | AnonymousUser) -> "ImportedRequestQuerySet":
        return self.filter(request_id__in=UsageRecord.objects.for_user(user).values("pk"))


class ImportedRequest(models.Model):
    """What another dispatcher noted of a request beyond its usage record; having one tells where that comes from.

    Servers and strategies are its own words. Such a request was served before the federation's accounts began:
    it is counted, and never charged.
    """

    request_id = models.UUIDField(_("request"), primary_key=True)
    origin = models.CharField(_("origin"), max_length=32)
    server = models.CharField(_("inference server"), max_length=255, blank=True)
    server_organization = models.CharField(_("serving institution"), max_length=255, blank=True)
    sent_at = models.DateTimeField(_("sent to the server"), null=True)
    strategy = models.CharField(_("strategy"), max_length=255, blank=True)
    requeue_count = models.IntegerField(_("times requeued"), null=True)
    max_parallel_requests = models.IntegerField(_("most requests at once"), null=True)
    current_parallel_requests = models.IntegerField(_("requests at that moment"), null=True)
    performance_score = models.FloatField(_("performance score"), null=True)
    routing_mode = models.CharField(_("servers"), max_length=255, blank=True)

    objects = ImportedRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("imported request")
        verbose_name_plural = _("imported requests")

    def __str__(self) -> str:
        return f"{self.origin} {self.request_id}"
