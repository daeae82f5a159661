"""What the ledger says: balances, and whether it agrees with the records and with what institutions are handed."""

from collections.abc import Mapping
from datetime import date

from django.db import connection
from django.db.models import Sum

from billing.enums import OWED_LINES, AccountKind, PeriodState, TransferReason
from billing.ledger import posting, sums
from billing.models import (
    Account,
    AccountingPeriod,
    CostPool,
    DocumentSeries,
    Note,
    NoteLine,
    PriceVersion,
    Statement,
    Transfer,
    UsageCharge,
    UsageRecord,
    YearShare,
)
from billing.periods import ids_of_months
from billing.statements.statement import NANO_PER_CENT
from federation.catalogue.models import AIModel

_OWED = ", ".join(f"'{kind.value}'" for kind in sorted(OWED_LINES))
_OF_DOCUMENTS = f"(SELECT * FROM {Transfer._meta.db_table} WHERE reason <> '{TransferReason.MERGER.value}') transfer"
"""What a merger moves from one institution's accounts to another's stands in no document."""

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


def _uncharged(which: str = "true") -> str:
    """Return the statement that counts the sums in which requests and charges differ, of those `which`."""
    return f"""
WITH told AS (
    {posting.charged(f"(SELECT * FROM {UsageRecord._meta.db_table} WHERE {which})")}
), stored AS (
    SELECT {posting.COLUMNS} FROM {UsageCharge._meta.db_table}
    WHERE %(month)s::date IS NULL OR booked_month = %(month)s::date
)
SELECT count(*) FROM (
    (SELECT * FROM told EXCEPT SELECT * FROM stored) UNION (SELECT * FROM stored EXCEPT SELECT * FROM told)
) different
"""


PRICES_GONE = f"""
SELECT count(*) FROM {UsageCharge._meta.db_table} charge
WHERE price_id IS NOT NULL AND NOT EXISTS (SELECT FROM {PriceVersion._meta.db_table} WHERE id = charge.price_id)
"""
UNPRICED = f"""
SELECT count(*) FROM {UsageRecord._meta.db_table} record
JOIN {AIModel._meta.db_table} model ON model.id = record.model_id
WHERE booked_month IS NOT NULL AND price_id IS NULL AND NOT is_demo AND EXISTS (
    SELECT FROM {PriceVersion._meta.db_table}
    WHERE model_id = model.id AND (valid_from <= record.finished_at OR record.finished_at < model.created_at)
)
"""
"""Records that are free by mistake: their model had a price, or was not in the register then but has a price now. A
demonstration's history lies before its register."""
UNSAID = f"""
WITH said AS (
    SELECT month, institution_id, sum(granted_cents - used_cents) AS consumer, sum(served_cents) AS host
    FROM (
        SELECT period_id AS month, institution_id, used_cents, served_cents, granted_cents
        FROM {Statement._meta.db_table}
        UNION ALL
        SELECT booked_month, institution_id, used_cents, served_cents, granted_cents FROM {Note._meta.db_table}
    ) document GROUP BY 1, 2
), expected AS (
    SELECT month, part.kind || ':' || institution_id AS code, part.cents * {NANO_PER_CENT} AS nano
    FROM said JOIN {AccountingPeriod._meta.db_table} period USING (month) CROSS JOIN LATERAL (
        VALUES ('{AccountKind.CONSUMER.value}', consumer), ('{AccountKind.HOST.value}', host)
    ) part (kind, cents)
    WHERE period.state = '{PeriodState.CLOSED.value}' AND part.cents <> 0
), moved AS (
    SELECT month, code, sum(nano) AS nano FROM (
        SELECT booked_month AS month, credit_id AS code, amount_nano AS nano FROM {_OF_DOCUMENTS}
        UNION ALL
        SELECT booked_month, debit_id, -amount_nano FROM {_OF_DOCUMENTS}
    ) side
    JOIN {AccountingPeriod._meta.db_table} period USING (month)
    JOIN {Account._meta.db_table} account USING (code)
    WHERE period.state = '{PeriodState.CLOSED.value}'
        AND account.kind IN ('{AccountKind.CONSUMER.value}', '{AccountKind.HOST.value}')
    GROUP BY 1, 2 HAVING sum(nano) <> 0
)
SELECT count(*) FROM expected FULL JOIN moved USING (month, code)
WHERE expected.nano IS DISTINCT FROM moved.nano
"""
GAPS = f"""
WITH used AS (
    SELECT number FROM {Statement._meta.db_table} WHERE number <> ''
    UNION ALL SELECT number FROM {Note._meta.db_table}
), counted AS (
    SELECT split_part(number, '-', 1)::int AS year, count(*) AS documents,
        max(split_part(number, '-', 2)::int) AS last
    FROM used GROUP BY 1
)
SELECT count(*) FROM counted FULL JOIN {DocumentSeries._meta.db_table} series USING (year)
WHERE counted.documents IS DISTINCT FROM series.last OR counted.last IS DISTINCT FROM series.last
"""
UNEVEN = f"""
SELECT count(*) FROM {Note._meta.db_table} note
LEFT JOIN (
    SELECT note_id, coalesce(sum(cents) FILTER (WHERE kind IN ({_OWED})), 0) AS used,
        coalesce(sum(cents) FILTER (WHERE kind NOT IN ({_OWED})), 0) AS served
    FROM {NoteLine._meta.db_table} GROUP BY 1
) line ON line.note_id = note.id
WHERE note.used_cents IS DISTINCT FROM line.used OR note.served_cents IS DISTINCT FROM line.served
"""
UNSHARED = f"""
SELECT count(*) FROM {CostPool._meta.db_table} pool
LEFT JOIN (
    SELECT pool_id, sum(final_cents) AS final, sum(final_cents - billed_cents) AS owed,
        sum(earned_cents - paid_cents) AS earned
    FROM {YearShare._meta.db_table} GROUP BY 1
) share ON share.pool_id = pool.id
LEFT JOIN (
    SELECT pool_id, sum(used_cents) AS owed, sum(served_cents) AS earned FROM {Note._meta.db_table}
    WHERE pool_id IS NOT NULL GROUP BY 1
) note ON note.pool_id = pool.id
WHERE pool.posted_at IS NOT NULL AND (
    coalesce(share.final, 0) <> pool.amount_cents
    OR coalesce(share.owed, 0) <> coalesce(note.owed, 0) OR coalesce(share.earned, 0) <> coalesce(note.earned, 0)
)
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


def is_charged(month: date) -> bool:
    """Return whether a month's charges are its requests, in everything that a statement tells.

    Requests are looked for in the months that charges name; where they differ, in all: a router's clock may be wrong.
    """
    charges = UsageCharge.objects.filter(booked_month=month)
    low, high = ids_of_months([month, *charges.values_list("origin_month", flat=True)])
    booked = "booked_month = %(month)s"
    with connection.cursor() as cursor:
        for which in (f"{booked} AND id >= %(low)s AND id < %(high)s", booked):
            cursor.execute(_uncharged(which), {"month": month, "low": low, "high": high})
            if not cursor.fetchone()[0]:
                return True
    return False


def documents_findings() -> list[str]:
    """Return a line for each thing in which documents disagree with the ledger, their numbers or a year's costs."""
    found = []
    with connection.cursor() as cursor:
        for text, statement in (
            ("accounts of closed months are not what statements and credit notes say", UNSAID),
            ("years have a gap in the numbers of their documents", GAPS),
            ("credit notes or adjustments are not the sum of their lines", UNEVEN),
            ("years are not shared out to exactly their costs", UNSHARED),
        ):
            cursor.execute(statement)
            if count := cursor.fetchone()[0]:
                found.append(f"{count} {text}")
    return found


def findings() -> list[str]:
    """Return a line for each thing in which ledger, charges and records disagree."""
    found = []
    with connection.cursor() as cursor:
        for text, statement in (
            ("transfers are not what their records cost", UNPAID),
            ("charges are not the sum of their records", _uncharged()),
            (
                "charges name a price that is not there: their statements tell amounts only",
                PRICES_GONE,
            ),
            ("usage records are without a price, by a clock that was wrong", UNPRICED),
            ("accounts’ months are not the sum of their transfers and charges", sums.WRONG),
        ):
            cursor.execute(statement, {"month": None})
            if count := cursor.fetchone()[0]:
                found.append(f"{count} {text}")
    found += documents_findings()
    stood = balances()
    if rest := sum(stood.values()):
        found.append(f"the balances add up to {rest} nano-euros instead of nothing")
    if waiting := stood.get(AccountKind.SUSPENSE.value, 0):
        found.append(f"{waiting} nano-euros of institutions that are not in the register")
    return found
