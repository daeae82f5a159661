"""What records use of budgets: counted in the statement that stores them, and from the sums for a budget that is new.

A request counts when a part of it was answered (`posting.SERVED`): as one, with its tokens, and with what is billed for
it, so not where its institution's own server answered. `routing.core.pricing.counted` says the same of one request.
It counts for the person who owns its application when it is stored: what changes hands later stays where it was.

Text of SQL: `billing.records.intake` runs it; `stored` are the batch's new records.
"""

from datetime import datetime
from uuid import UUID

from django.db import connection

from billing.ledger.posting import SERVED
from billing.models import Budget, BudgetGrant, BudgetHour, Holder, UsageHour
from billing.models.budgets import THE_FEDERATION
from federation.access.models import Application
from routing.core.enums import BudgetScope, BudgetUnit

COLUMNS = {
    BudgetScope.KEY: "key_id",
    BudgetScope.APPLICATION: "application_id",
    BudgetScope.INSTITUTION: "asking_institution_id",
    BudgetScope.MODEL: "model_id",
}
"""Scope → the column of records and sums that holds whose they are; a person's are told by the application, and all
are the federation's."""
_SERVED = ", ".join(f"'{status.value}'" for status in SERVED)
_IS_BILLED = "serving_institution_id IS DISTINCT FROM asking_institution_id"
_NANO = f"coalesce(sum(cost_nano) FILTER (WHERE {_IS_BILLED}), 0)"
_TOKENS = "sum(prompt_tokens::bigint + completion_tokens)"
_KEY = ", ".join(COLUMNS.values())
_SCOPES = ", ".join(
    [f"('{scope.value}', {column})" for scope, column in COLUMNS.items()]
    + [f"('{BudgetScope.FEDERATION.value}', '{THE_FEDERATION}'::uuid)"]
)
_HELD = f"""
FROM {Application._meta.db_table} application JOIN {Holder._meta.db_table} holder
    ON holder.user_id = application.owner_id AND holder.institution_id = application.institution_id
"""
_HOURS, _GRANTS = BudgetHour._meta.db_table, BudgetGrant._meta.db_table

USED = f"""
SELECT budget.id AS budget_id, summed.hour, sum(CASE budget.unit
    WHEN '{BudgetUnit.NANO_EUROS.value}' THEN summed.nano
    WHEN '{BudgetUnit.TOKENS.value}' THEN summed.tokens
    ELSE summed.requests END)::bigint AS spent
FROM (
    SELECT date_trunc('hour', finished_at, 'UTC') AS hour, {_KEY},
        {_NANO} AS nano, {_TOKENS} AS tokens, count(*) AS requests
    FROM stored WHERE status IN ({_SERVED}) GROUP BY hour, {_KEY}
) summed
CROSS JOIN LATERAL (
    VALUES {_SCOPES}
    UNION ALL
    SELECT '{BudgetScope.PERSON.value}', holder.id {_HELD} WHERE application.id = summed.application_id
) scope (kind, id)
JOIN {Budget._meta.db_table} budget
    ON budget.scope = scope.kind AND budget.scope_id = scope.id AND budget.ended_at IS NULL
GROUP BY budget.id, summed.hour
"""
"""By budget in force and hour, what new records use."""
HOURS = f"""
INSERT INTO {_HOURS} (budget_id, hour, spent)
SELECT budget_id, hour, spent FROM used WHERE spent > 0 ORDER BY budget_id, hour
ON CONFLICT (budget_id, hour) DO UPDATE SET spent = {_HOURS}.spent + excluded.spent
"""
GRANTS = f"""
INSERT INTO {_GRANTS} (budget_id, spent, granted, incarnation)
SELECT budget_id, sum(spent), 0, '' FROM used WHERE spent > 0 GROUP BY budget_id ORDER BY budget_id
ON CONFLICT (budget_id) DO UPDATE SET spent = {_GRANTS}.spent + excluded.spent
"""

_FORGOTTEN = f"(SELECT max(since) FROM {UsageHour._meta.db_table} WHERE key_id = application_id)"
"""The last hour whose sums name no key any more (`billing.records.retention`): what keys used before is not told."""
_SUM_OF = {
    BudgetUnit.NANO_EUROS: _NANO,
    BudgetUnit.TOKENS: _TOKENS,
    BudgetUnit.REQUESTS: "sum(requests)",
}


def used_before(
    scope: BudgetScope, scope_id: UUID, unit: BudgetUnit, since: datetime | None
) -> list[tuple[datetime, int]]:
    """Return by hour what was used already, from the sums. Exact while no batch is being stored (`hold_the_books`)."""
    whose = f"AND {COLUMNS[scope]} = %(id)s" if scope in COLUMNS else ""
    if scope is BudgetScope.PERSON:
        whose = f"AND application_id IN (SELECT application.id {_HELD} WHERE holder.id = %(id)s)"
    from_then = "AND since >= %(since)s" if since else ""
    statement = f"""
        SELECT since, ({_SUM_OF[unit]})::bigint AS spent FROM {UsageHour._meta.db_table}
        WHERE status IN ({_SERVED}) {whose} {from_then} GROUP BY since HAVING {_SUM_OF[unit]} > 0
        ORDER BY since
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, {"id": scope_id, "since": since})
        return [(hour, spent) for hour, spent in cursor.fetchall()]


def wrong_budgets() -> int:
    """Return how many budgets in force are not the sum of their hours, or of what was used since they were set.

    The latter is not asked of a person's: applications may have changed hands.
    """
    owners = {
        **{scope: f"hour.{column} = begun.scope_id" for scope, column in COLUMNS.items()},
        BudgetScope.FEDERATION: "true",
    }
    told = " UNION ALL ".join(  # a scope at a time: the hours are read once for all its budgets
        f"""
        SELECT begun.id, CASE begun.unit WHEN '{BudgetUnit.NANO_EUROS.value}' THEN {_NANO}
            WHEN '{BudgetUnit.TOKENS.value}' THEN {_TOKENS} ELSE sum(requests) END AS spent
        FROM begun JOIN {UsageHour._meta.db_table} hour ON {is_its} AND hour.since > begun.moment
        WHERE begun.scope = '{scope.value}' AND hour.status IN ({_SERVED}) GROUP BY begun.id, begun.unit
        """
        for scope, is_its in owners.items()
    )
    statement = f"""
        WITH begun AS (
            SELECT id, scope, scope_id, unit, greatest(created_at,
                CASE WHEN scope = '{BudgetScope.KEY.value}' THEN {_FORGOTTEN} END) AS moment
            FROM {Budget._meta.db_table} WHERE ended_at IS NULL
        ), kept AS (
            SELECT begun.id, sum(spent) AS spent, sum(spent) FILTER (WHERE hour > begun.moment) AS later
            FROM begun JOIN {_HOURS} ON budget_id = begun.id GROUP BY begun.id
        ), told AS ({told})
        SELECT count(*) FROM begun
        JOIN {_GRANTS} stood ON stood.budget_id = begun.id
        LEFT JOIN kept ON kept.id = begun.id LEFT JOIN told ON told.id = begun.id
        WHERE stood.spent <> coalesce(kept.spent, 0) OR (begun.scope <> '{BudgetScope.PERSON.value}'
            AND coalesce(kept.later, 0) <> coalesce(told.spent, 0))
    """
    with connection.cursor() as cursor:
        cursor.execute(statement)
        count: int = cursor.fetchone()[0]
    return count
