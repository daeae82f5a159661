"""How transfers become sums by account and month: added where they are made, so that both are there or neither.

Text of SQL: `billing.records.intake` runs it for a batch, `billing.operations.entries` for one transfer.
"""

from billing.enums import AccountKind
from billing.models import Account, AccountMonth, Transfer, UsageCharge

_TABLE = AccountMonth._meta.db_table
_SUMS = ("received_nano", "given_nano", "own_nano")
_COLUMNS = ", ".join(_SUMS)
_GROWN = ", ".join(f"{column} = {_TABLE}.{column} + excluded.{column}" for column in _SUMS)
NOTHING_COUNTED = f"(SELECT * FROM {UsageCharge._meta.db_table} WHERE false)"


def account_of(kind: AccountKind, institution: str) -> str:
    """Return the code of an institution's account; of one that nobody knows, that of `suspense`."""
    return (
        f"coalesce((SELECT code FROM {Account._meta.db_table} WHERE code = '{kind.value}:' || {institution}),"
        f" '{AccountKind.SUSPENSE.value}')"
    )


def summed(transfers: str, counted: str) -> str:
    """Return the SELECT that sums `transfers`, and of the requests or charges `counted` who asked and who served."""
    return f"""
SELECT account_id, month, {", ".join(f"sum({column})::bigint AS {column}" for column in _SUMS)}
FROM (
    SELECT credit_id AS account_id, booked_month AS month, amount_nano AS received_nano, 0 AS given_nano, 0 AS own_nano
    FROM {transfers} credited
    UNION ALL
    SELECT debit_id, booked_month, 0, amount_nano, 0 FROM {transfers} debited
    UNION ALL
    SELECT side.account_id, booked_month, 0, 0, side.own_nano
    FROM (
        SELECT asking_institution_id AS asking, serving_institution_id AS serving, booked_month, sum(cost_nano) AS nano
        FROM {counted} counted GROUP BY 1, 2, 3
    ) pair
    CROSS JOIN LATERAL (
        SELECT {account_of(AccountKind.CONSUMER, "asking")}, CASE WHEN asking = serving THEN nano ELSE 0 END
        UNION ALL
        SELECT {account_of(AccountKind.HOST, "serving")}, 0 WHERE serving IS NOT NULL
    ) side (account_id, own_nano)
) part
GROUP BY account_id, month ORDER BY account_id, month
"""


def addition(transfers: str, counted: str = NOTHING_COUNTED) -> str:
    """Return the INSERT that adds these to the sums. Rows are touched in one order whoever writes."""
    return f"""
INSERT INTO {_TABLE} (account_id, month, {_COLUMNS}) {summed(transfers, counted)}
ON CONFLICT (account_id, month) DO UPDATE SET {_GROWN}
"""


ONE = addition(f"(SELECT * FROM {Transfer._meta.db_table} WHERE id = %(transfer)s)")
"""For one transfer that is made."""
WRONG = f"""
WITH told AS ({summed(Transfer._meta.db_table, UsageCharge._meta.db_table)})
SELECT count(*) FROM told FULL JOIN {_TABLE} stored USING (account_id, month)
WHERE {" OR ".join(f"told.{column} IS DISTINCT FROM stored.{column}" for column in _SUMS)}
"""
"""How many sums are not those of the transfers and charges, or are missing, or too many."""
