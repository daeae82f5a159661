"""How ended requests become usage records: COPY into staging, then one INSERT that skips what is there already.

The only writer of the records, their attempts, their sums, what they cost and what they use of budgets
(`billing.records.rollups`, `billing.ledger.posting`, `billing.budgeting.spending`), and of the day on which a key was
last used. Storing the same request again, in any order, changes nothing. Counts and texts beyond a column's range are
cut to it rather than refused: they are a server's or a client's words.
"""

from collections.abc import Iterable, Sequence

import msgspec
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from billing.budgeting import spending
from billing.impact.enums import Method
from billing.ledger import posting, sums
from billing.ledger.books import share_the_books
from billing.models import MAX_DATA_CLASS, Attempt, UsageRecord
from billing.periods import PARIS
from billing.records.rollups import LEVELS, addition
from federation.access.models import ApiKey
from federation.fleet.models import InferenceServer, Site
from routing.core.accounting import Closed, Energy
from routing.core.ids import uuid7
from routing.core.request import Explanation

STAGING = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS usage_staging (
    id uuid, client_request_id text, key_id uuid, application_id uuid, asking_institution_id uuid,
    server_id uuid, deployment_id uuid, model_id uuid, model_asked text, model_served text,
    endpoint text, stream boolean, priority smallint, prompt_tokens numeric, cached_tokens numeric,
    completion_tokens numeric, reasoning_tokens numeric, usage_source text, received_at float8,
    first_token_at float8, finished_at float8, status text, http_status smallint, error_code text,
    attempts smallint, data_class text, asked_model_id uuid,
    audio_ms numeric DEFAULT 0, images numeric DEFAULT 0,
    energy_method text DEFAULT '{Method.NONE.value}', energy_version smallint DEFAULT 0,
    energy_mj bigint DEFAULT 0, energy_low_mj bigint DEFAULT 0, energy_high_mj bigint DEFAULT 0,
    gpu_mj bigint DEFAULT 0, gpu_ms bigint DEFAULT 0, batch_milli integer DEFAULT 0, pue_milli integer DEFAULT 0,
    factors text DEFAULT ''
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS attempt_staging (
    request_id uuid, n smallint, server_id uuid, deployment_id uuid, started_at float8, outcome text,
    ended_at float8, explanation jsonb
) ON COMMIT DELETE ROWS;
DELETE FROM usage_staging;
DELETE FROM attempt_staging;
"""
_WHOLE = {
    short: f"least(greatest(u.{short}_tokens, 0), {2**31 - 1})::bigint AS {short}"
    for short in ("prompt", "cached", "completion", "reasoning")
} | {
    name: f"least(greatest(u.{name}, 0), {2**31 - 1})::bigint AS {name}"
    for name in ("audio_ms", "images")
}
_ENERGY = (
    "energy_method, energy_version, energy_mj, energy_low_mj, energy_high_mj, gpu_mj, gpu_ms, batch_milli,"
    " pue_milli, factors"
)
_INSERT = f"""
WITH stored AS (
    INSERT INTO {UsageRecord._meta.db_table} (
        id, client_request_id, key_id, application_id, asking_institution_id,
        serving_institution_id, server_id, deployment_id, model_id, model_asked, model_served,
        endpoint, stream, priority, prompt_tokens, cached_tokens, completion_tokens,
        reasoning_tokens, usage_source, received_at, first_token_at, finished_at, status,
        http_status, error_code, attempts, is_demo, data_class, asked_model_id,
        booked_month, price_id, cost_nano, fee_nano, posting_id, audio_ms, images, {_ENERGY}
    )
    SELECT
        u.id, u.client_request_id, u.key_id, u.application_id, u.asking_institution_id,
        site.institution_id, u.server_id, u.deployment_id, u.model_id, u.model_asked,
        u.model_served, u.endpoint, u.stream, u.priority, n.prompt, n.cached, n.completion,
        n.reasoning, u.usage_source, to_timestamp(u.received_at), to_timestamp(u.first_token_at),
        ended.at, u.status, u.http_status, u.error_code, u.attempts,
        %(is_demo)s, u.data_class, u.asked_model_id,
        booked.month, price.id, cost.nano, {posting.FEE},
        CASE WHEN cost.nano > 0 AND site.institution_id IS DISTINCT FROM u.asking_institution_id
            THEN %(posting)s::uuid END, n.audio_ms, n.images, {_ENERGY}
    FROM usage_staging u
    LEFT JOIN {InferenceServer._meta.db_table} server ON server.id = u.server_id
    LEFT JOIN {Site._meta.db_table} site ON site.id = server.site_id
    CROSS JOIN LATERAL (SELECT {", ".join(_WHOLE.values())}) n
    {posting.PRICED}
    ON CONFLICT (id) DO NOTHING
    RETURNING *
), tried AS (
    INSERT INTO {Attempt._meta.db_table} (
        request_id, n, server_id, deployment_id, started_at, outcome, ended_at, explanation
    )
    SELECT a.request_id, a.n, a.server_id, a.deployment_id, to_timestamp(a.started_at), a.outcome,
        to_timestamp(a.ended_at), a.explanation
    FROM attempt_staging a JOIN stored ON stored.id = a.request_id
    ON CONFLICT (request_id, n) DO NOTHING
),
{", ".join(f"{level._meta.model_name} AS ({addition(level, 'stored')})" for level in LEVELS)},
charges AS ({posting.CHARGES}),
transfers AS ({posting.TRANSFERS}),
account_months AS ({sums.addition("transfers", posting.COUNTED)}),
used AS ({spending.USED}),
budget_hours AS ({spending.HOURS}),
budget_grants AS ({spending.GRANTS})
SELECT count(*) FROM stored
"""
# An attempt is kept only with the record that it belongs to: a second version of a record brings none.
# Once per key and day, not per request: the first record of a day writes, the others find it written.
_LAST_USE = f"""
UPDATE {ApiKey._meta.db_table} key SET last_used_on = used.day
FROM (
    SELECT key_id, max(({posting.ENDED} AT TIME ZONE '{PARIS.key}')::date) AS day
    FROM usage_staging u GROUP BY key_id
) used
WHERE key.id = used.key_id AND (key.last_used_on IS NULL OR key.last_used_on < used.day)
"""
_NULL = "\\N"
MOST_WHOLE = 2**31 - 1
"""Of a column of whole numbers."""
_NO_ENERGY = "\t".join((Method.NONE.value, *("0" for _ in range(8)), ""))
_encode = msgspec.json.Encoder().encode
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


def store(ended: Sequence[Closed], *, is_demo: bool = False, charged: bool = True) -> int:
    """Store what is not yet stored, with what it costs; return how many requests that were.

    Requests from before the accounts began are not `charged`. Raises `DataError` or `IntegrityError` when a record
    cannot be stored at all (an id that is none): the caller's transaction is then undone as a whole.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGING)
        _copy("usage_staging", map(_usage_line, ended))
        _copy("attempt_staging", _attempt_lines(ended))
        return store_staged(cursor, is_demo=is_demo, charged=charged)


def store_staged(cursor: CursorWrapper, *, is_demo: bool = False, charged: bool = True) -> int:
    """Store what lies in the staging tables of this transaction; return how many requests that were."""
    share_the_books()
    cursor.execute(posting.ACCOUNTS)
    cursor.execute(_INSERT, {"is_demo": is_demo, "charged": charged, "posting": str(uuid7())})
    stored: int = cursor.fetchone()[0]
    cursor.execute(_LAST_USE)
    return stored


def _copy(table: str, lines: Iterable[str]) -> None:
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN") as copy,
    ):
        copy.write("".join(lines))


def _usage_line(ended: Closed) -> str:
    """Return a record in COPY's text format, in the columns' order."""
    asked = ended.opened
    return (
        f"{asked.id}\t{_text(asked.client_request_id, 128)}\t{asked.key_id}\t"
        f"{asked.application_id}\t{asked.institution_id}\t{ended.server_id or _NULL}\t"
        f"{ended.deployment_id or _NULL}\t{ended.model_id}\t{_text(asked.model_asked, 200)}\t"
        f"{_text(ended.model_served, 200)}\t{_text(asked.endpoint, 64)}\t{asked.stream}\t"
        f"{asked.priority}\t{ended.prompt_tokens}\t{ended.cached_tokens}\t"
        f"{ended.completion_tokens}\t{ended.reasoning_tokens}\t{ended.usage_source}\t"
        f"{asked.received_at}\t{_NULL if ended.first_token_at is None else ended.first_token_at}\t"
        f"{ended.finished_at}\t{ended.status}\t{ended.http_status}\t"
        f"{_text(ended.error_code, 64)}\t{len(ended.attempts)}\t"
        f"{_text(','.join(asked.data_class), MAX_DATA_CLASS)}\t"
        f"{asked.model_id if ended.fallback_id else _NULL}\t"
        f"{ended.audio_ms}\t{ended.images}\t{_energy(ended.energy)}\n"
    )


def _energy(told: Energy | None) -> str:
    """Return the columns of `_ENERGY`."""
    if told is None:
        return _NO_ENERGY
    batch_milli = min(told.batch_milli, MOST_WHOLE)
    return (
        f"{told.method}\t{told.version}\t{told.mj}\t{told.low_mj}\t{told.high_mj}\t{told.gpu_mj}\t"
        f"{told.gpu_ms}\t{batch_milli}\t{told.pue_milli}\t{told.factors}"
    )


def _attempt_lines(ended: Sequence[Closed]) -> Iterable[str]:
    for request in ended:
        for n, tried in enumerate(request.attempts, start=1):
            yield (
                f"{request.opened.id}\t{n}\t{tried.server_id}\t{tried.deployment_id}\t"
                f"{tried.started_at}\t{_text(tried.outcome, 64)}\t"
                f"{_NULL if tried.ended_at is None else tried.ended_at}\t"
                f"{_explanation(tried.explanation)}\n"
            )


def _explanation(explanation: Explanation | None) -> str:
    """Return the JSON, which needs no escaping: its texts are codes of ours."""
    return _NULL if explanation is None else _encode(explanation).decode()


def _text(value: str, limit: int) -> str:
    """Return the text cut to `limit` and escaped for COPY; most need none, and asking is the cheaper part."""
    text = value[:limit]
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPED)
