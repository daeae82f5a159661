"""What the ledger says: balances, and whether it agrees with the records."""

from collections.abc import Mapping
from datetime import date

from django.db import connection
from django.db.models import Sum

from billing.enums import AccountKind, TransferReason
from billing.models import Account, Transfer, UsageCharge, UsageRecord

UNPAID = f"""
WITH owed AS (
    SELECT posting_id, asking_institution_id AS asking, serving_institution_id AS serving, booked_month AS month,
        sum(cost_nano - fee_nano) AS usage, sum(fee_nano) AS fee
    FROM {UsageRecord._meta.db_table} WHERE posting_id IS NOT NULL GROUP BY 1, 2, 3, 4
), expected AS (
    SELECT concat_ws(':', part.reason, posting_id, asking, serving, month) AS key, part.amount
    FROM owed CROSS JOIN LATERAL (
        VALUES ('{TransferReason.USAGE.value}', usage), ('{TransferReason.FEE.value}', fee)
    ) part (reason, amount)
    WHERE part.amount > 0
), paid AS (
    SELECT key, amount_nano AS amount FROM {Transfer._meta.db_table} WHERE posting_id IS NOT NULL
)
SELECT count(*) FROM expected FULL JOIN paid USING (key)
WHERE expected.amount IS DISTINCT FROM paid.amount
"""
UNCHARGED = f"""
WITH told AS (
    SELECT booked_month, asking_institution_id AS asking, serving_institution_id AS serving, model_id, price_id,
        count(*) AS requests, sum(cost_nano) AS cost, sum(fee_nano) AS fee
    FROM {UsageRecord._meta.db_table} WHERE booked_month IS NOT NULL GROUP BY 1, 2, 3, 4, 5
), stored AS (
    SELECT booked_month, asking_institution_id AS asking, serving_institution_id AS serving, model_id, price_id,
        sum(requests) AS requests, sum(cost_nano) AS cost, sum(fee_nano) AS fee
    FROM {UsageCharge._meta.db_table} GROUP BY 1, 2, 3, 4, 5
)
SELECT count(*) FROM (
    (SELECT * FROM told EXCEPT SELECT * FROM stored) UNION (SELECT * FROM stored EXCEPT SELECT * FROM told)
) different
"""


def balances(*, month: date | None = None) -> Mapping[str, int]:
    """Return of each account what it received less what it gave, in nano-euros; of one month, when it is given."""
    transfers = Transfer.objects.all()
    if month is not None:
        transfers = transfers.filter(booked_month=month)
    found = dict.fromkeys(Account.objects.values_list("code", flat=True), 0)
    for side, sign in (("credit_id", 1), ("debit_id", -1)):
        rows = transfers.order_by().values_list(side).annotate(total=Sum("amount_nano"))
        for code, total in rows:
            found[code] += sign * total
    return found


def findings() -> list[str]:
    """Return a line for each thing in which ledger, charges and records disagree."""
    found = []
    with connection.cursor() as cursor:
        for text, statement in (
            ("transfers are not what their records cost", UNPAID),
            ("charges are not the sum of their records", UNCHARGED),
        ):
            cursor.execute(statement)
            if count := cursor.fetchone()[0]:
                found.append(f"{count} {text}")
    if rest := sum(balances().values()):
        found.append(f"the balances add up to {rest} nano-euros instead of nothing")
    if waiting := balances().get(AccountKind.SUSPENSE.value, 0):
        found.append(f"{waiting} nano-euros of institutions that are not in the register")
    return found
