"""Whether the accounts hold together: records name what is in the register, lie in their month, and are summed right;
what meters told is shared out whole, and invoices are what was issued.

Nothing is mended here. A record that names something unknown is kept as it came; without a known server it has
no serving institution, and waits in suspense.
"""

import logging
from collections.abc import Mapping

from django.db import connection
from django.db.models import F, Model

from billing.budgeting.spending import wrong_budgets
from billing.invoicing import checks as invoices
from billing.ledger import balances
from billing.models import EnergyHour, EnergyWindow, UsageRecord
from billing.periods import Period
from billing.records import partitions
from billing.records.rollups import LEVELS, wrong_sums
from federation.access.models import ApiKey, Application
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment, InferenceServer
from federation.members.models import Institution

NAMED: Mapping[str, type[Model]] = {
    "key_id": ApiKey,
    "application_id": Application,
    "asking_institution_id": Institution,
    "serving_institution_id": Institution,
    "server_id": InferenceServer,
    "deployment_id": Deployment,
    "model_id": AIModel,
    "asked_model_id": AIModel,
}
"""Column of the records → what it names."""
logger = logging.getLogger(__name__)


def findings(period: Period | None = None) -> list[str]:
    """Return a line for each thing that is wrong, with records of `period` alone when it is given.

    Whether ledger and invoices agree with them is asked of all of them only.
    """
    records = UsageRecord.objects.all()
    if period is not None:
        records = records.ended_in(period)
    found = []
    for column, kind in NAMED.items():
        strangers = records.filter(**{f"{column}__isnull": False}).exclude(
            **{f"{column}__in": kind._default_manager.values("pk")}
        )
        if column == "key_id":
            strangers = strangers.exclude(key_id=F("application_id"))  # it is forgotten
        if count := strangers.count():
            found.append(f"{count} usage records have a {column} that is not in the register")
    found += [
        f"{count} rows of {table} lie outside every month's partition"
        for table, count in partitions.strays().items()
    ]
    if count := wrong_budgets():
        found.append(f"{count} budgets are not the sum of what is used of them")
    found += [
        f"{count} rows of {level._meta.db_table} are not the sum of their records"
        for level in LEVELS
        if (count := wrong_sums(level, period))
    ]
    if period is None:
        found += _energy_findings() + balances.findings() + invoices.findings()
    return found


def _energy_findings() -> list[str]:
    """Whether windows of measured energy are shared out whole, and records have of each server what they gave."""
    shared = F("idle_mj") + F("local_mj") + F("attributed_mj")
    found = [
        f"{count} {what} of measured energy are not shared out whole"
        for what, rows in (
            ("windows", EnergyWindow.objects.settled()),
            ("hours", EnergyHour.objects.all()),
        )
        if (count := rows.exclude(measured_mj=shared).count())
    ]
    with connection.cursor() as cursor:
        cursor.execute(_UNLIKE_SERVERS)
        found += [
            f"requests at server {server} have {records} mJ of the {windows} mJ that its windows gave"
            for server, records, windows in cursor.fetchall()
        ]
    return found


_UNLIKE_SERVERS = f"""
SELECT server_id, coalesce(given.mj, 0), coalesce(told.mj, 0)
FROM (
    SELECT server_id, sum(measured_mj) AS mj FROM {UsageRecord._meta.db_table}
    WHERE measured_mj <> 0 GROUP BY server_id
) given
FULL JOIN (
    SELECT server_id, sum(attributed_mj) AS mj FROM (
        SELECT server_id, attributed_mj FROM {EnergyWindow._meta.db_table}
        UNION ALL SELECT server_id, attributed_mj FROM {EnergyHour._meta.db_table}
    ) kept GROUP BY server_id
) told USING (server_id)
WHERE coalesce(given.mj, 0) <> coalesce(told.mj, 0)
ORDER BY server_id
"""


def complain(period: Period) -> None:
    """Log an error for each finding of the period."""
    for finding in findings(period):
        logger.error("%s", finding)
