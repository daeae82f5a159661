"""The accounts' tables, imported from here whatever file they are in."""

from billing.models.ledger import (
    LONGEST_REASON,
    Account,
    AccountingPeriod,
    Transfer,
    UsageCharge,
)
from billing.models.prices import ALL_OF_IT, DEAREST_NANO, UNITS, FeeVersion, PriceVersion
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
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from billing.models.statements import Statement, StatementLine

__all__ = [
    "ACCOUNTANTS",
    "ALL_OF_IT",
    "DEAREST_NANO",
    "FAILED",
    "KEY",
    "LIMITED",
    "LONGEST_REASON",
    "MAX_DATA_CLASS",
    "OUR_TIMES",
    "STATUS_LABELS",
    "UNITS",
    "USAGE_SOURCE_LABELS",
    "WAITS_MS",
    "Account",
    "AccountingPeriod",
    "Attempt",
    "AttemptQuerySet",
    "FeeVersion",
    "ImportedRequest",
    "ImportedRequestQuerySet",
    "PriceVersion",
    "Statement",
    "StatementLine",
    "Transfer",
    "UsageCharge",
    "UsageDay",
    "UsageHour",
    "UsageMonth",
    "UsageRecord",
    "UsageRecordQuerySet",
    "UsageSum",
    "UsageSumQuerySet",
    "reads_all_accounts",
]
