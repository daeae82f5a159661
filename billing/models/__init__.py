"""The accounts' tables, imported from here whatever file they are in."""

from billing.models.records import (
    FAILED,
    LIMITED,
    MAX_DATA_CLASS,
    OUR_TIMES,
    STATUS_LABELS,
    USAGE_SOURCE_LABELS,
    Attempt,
    AttemptQuerySet,
    ImportedRequest,
    ImportedRequestQuerySet,
    UsageRecord,
    UsageRecordQuerySet,
)
from billing.models.rollups import (
    KEY,
    WAITS_MS,
    UsageDay,
    UsageHour,
    UsageMonth,
    UsageSum,
    UsageSumQuerySet,
)

__all__ = [
    "FAILED",
    "KEY",
    "LIMITED",
    "MAX_DATA_CLASS",
    "OUR_TIMES",
    "STATUS_LABELS",
    "USAGE_SOURCE_LABELS",
    "WAITS_MS",
    "Attempt",
    "AttemptQuerySet",
    "ImportedRequest",
    "ImportedRequestQuerySet",
    "UsageDay",
    "UsageHour",
    "UsageMonth",
    "UsageRecord",
    "UsageRecordQuerySet",
    "UsageSum",
    "UsageSumQuerySet",
]
