"""What records cost, and who owes it to whom: in the statement that stores them, for each batch.

A request counts when something of the model's reached its client. Its price is the served model's that was in force
when it ended; what the institution that asked served itself costs the same, and nothing is transferred for it. Where
the month in which it ended is closed, the accounts have it in the first that is not.

A router's clock may be wrong. Nothing ends before it came: such an end counts as the arrival, which the id tells, too.
Nothing is booked in a month to come, or charged by a price that has not begun: an end ahead counts as now.

Text of SQL: `billing.records.intake` runs it; `stored` are the batch's new records.
"""

from billing.enums import OWN_ACCOUNTS, AccountKind, PeriodState, TransferReason
from billing.ledger.sums import account_of
from billing.models import (
    Account,
    AccountingPeriod,
    FeeVersion,
    PriceVersion,
    Transfer,
    UsageCharge,
)
from billing.models.prices import ALL_OF_IT
from billing.periods import PARIS
from federation.fleet.models import InferenceServer, Site
from federation.members.models import Institution
from routing.core.enums import RequestStatus
from routing.core.pricing import MILLISECONDS

SERVED = (RequestStatus.OK, RequestStatus.ABANDONED, RequestStatus.INTERRUPTED)
"""How a request may end of which a part was answered; one that died with its router has no HTTP status."""
_EMBEDDINGS = "embeddings"
_SERVED = ", ".join(f"'{status.value}'" for status in SERVED)
_MONTH = f"date_trunc('month', {{moment}} AT TIME ZONE '{PARIS.key}')::date"
ENDED = "to_timestamp(greatest(u.finished_at, u.received_at))"
"""When a request of `usage_staging u` ended."""

PRICED = f"""
CROSS JOIN LATERAL (SELECT {ENDED} AS at, least({ENDED}, statement_timestamp()) AS charged_at) ended
LEFT JOIN LATERAL (
    SELECT greatest(
        {_MONTH.format(moment="ended.charged_at")},
        (SELECT (max(month) + interval '1 month')::date FROM {AccountingPeriod._meta.db_table}
            WHERE state = '{PeriodState.CLOSED.value}')
    ) AS month
    WHERE %(charged)s AND u.status IN ({_SERVED}) AND u.http_status BETWEEN 200 AND 299
) booked ON true
LEFT JOIN LATERAL (
    SELECT id, prompt_nano, coalesce(cached_nano, prompt_nano) AS cached_nano, completion_nano, embedding_nano,
        audio_second_nano, image_nano
    FROM {PriceVersion._meta.db_table}
    WHERE model_id = u.model_id AND valid_from <= ended.charged_at
    ORDER BY valid_from DESC LIMIT 1
) price ON booked.month IS NOT NULL
CROSS JOIN LATERAL (
    SELECT CASE WHEN price.id IS NULL THEN 0
        WHEN u.endpoint = '{_EMBEDDINGS}' THEN n.prompt * coalesce(price.embedding_nano, 0)
        ELSE greatest(n.prompt - n.cached, 0) * coalesce(price.prompt_nano, 0)
            + least(n.cached, n.prompt) * coalesce(price.cached_nano, 0)
            + n.completion * coalesce(price.completion_nano, 0)
    END
        + (n.audio_ms * coalesce(price.audio_second_nano, 0) + {MILLISECONDS // 2}) / {MILLISECONDS}
        + n.images * coalesce(price.image_nano, 0) AS nano
) cost
LEFT JOIN LATERAL (
    SELECT basis_points FROM {FeeVersion._meta.db_table}
    WHERE (institution_id = u.asking_institution_id OR institution_id IS NULL)
        AND valid_from <= ended.charged_at
    ORDER BY institution_id NULLS LAST, valid_from DESC LIMIT 1
) fee ON cost.nano > 0 AND site.institution_id IS DISTINCT FROM u.asking_institution_id
"""
"""Behind `usage_staging u`, its `site` and its whole numbers `n`: adds `ended`, `booked`, `price`, `cost` and `fee`.

A second of audio has a price, a request milliseconds: it is rounded half up to the nano-euro, once.
"""
FEE = f"floor(cost.nano::numeric * coalesce(fee.basis_points, 0) / {ALL_OF_IT})::bigint"

_ONLY_ONE = ", ".join(
    f"('{kind.value}', NULL::uuid)" for kind in AccountKind if kind not in OWN_ACCOUNTS
)
ACCOUNTS = f"""
INSERT INTO {Account._meta.db_table} (code, kind, institution_id)
SELECT concat_ws(':', kind, institution.id) AS code, kind, institution.id
FROM (
    VALUES {_ONLY_ONE}
    UNION
    SELECT '{AccountKind.CONSUMER.value}', asking_institution_id FROM usage_staging
    UNION
    SELECT '{AccountKind.HOST.value}', site.institution_id FROM usage_staging
    JOIN {InferenceServer._meta.db_table} server ON server.id = usage_staging.server_id
    JOIN {Site._meta.db_table} site ON site.id = server.site_id
) named (kind, id)
LEFT JOIN {Institution._meta.db_table} institution ON institution.id = named.id
WHERE (named.id IS NULL) = (institution.id IS NULL)
ORDER BY code
ON CONFLICT (code) DO NOTHING
"""
"""The federation's accounts, and those of who asks and serves, before anything is transferred between them."""

_CHARGED = (
    "booked_month, origin_month, asking_institution_id, serving_institution_id, model_id, price_id"
)
_CHARGES = (
    "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "embedding_tokens", "cost_nano", "fee_nano",
    "audio_ms", "images",
)  # fmt: skip
_OF_TEXT = f"FILTER (WHERE endpoint <> '{_EMBEDDINGS}')"
_GROWN = ", ".join(
    f"{column} = {UsageCharge._meta.db_table}.{column} + excluded.{column}" for column in _CHARGES
)
COLUMNS = f"{_CHARGED}, {', '.join(_CHARGES)}"
"""Of charges, all but their id."""


def charged(records: str) -> str:
    """Return the SELECT that sums `records` to charges, in the order of `COLUMNS`."""
    return f"""
SELECT booked_month, {_MONTH.format(moment="finished_at")} AS origin_month, asking_institution_id,
    serving_institution_id, model_id, price_id, count(*) AS requests,
    coalesce(sum(greatest(prompt_tokens - cached_tokens, 0)) {_OF_TEXT}, 0)::bigint AS prompt_tokens,
    coalesce(sum(least(cached_tokens, prompt_tokens)) {_OF_TEXT}, 0)::bigint AS cached_tokens,
    coalesce(sum(completion_tokens) {_OF_TEXT}, 0)::bigint AS completion_tokens,
    coalesce(sum(prompt_tokens) FILTER (WHERE endpoint = '{_EMBEDDINGS}'), 0)::bigint AS embedding_tokens,
    sum(cost_nano)::bigint AS cost_nano, sum(fee_nano)::bigint AS fee_nano, sum(audio_ms)::bigint AS audio_ms,
    sum(images)::bigint AS images
FROM {records} counted WHERE booked_month IS NOT NULL
GROUP BY {_CHARGED}
"""


def as_charges(records: str) -> str:
    """Return the same as rows of the model, which are in no table."""
    return f"SELECT 0 AS id, summed.* FROM ({charged(records)}) summed"


CHARGES = f"""
INSERT INTO {UsageCharge._meta.db_table} ({COLUMNS}) {charged("stored")} ORDER BY {_CHARGED}
ON CONFLICT ({_CHARGED}) DO UPDATE SET {_GROWN}
"""


TRANSFERS = f"""
INSERT INTO {Transfer._meta.db_table} (
    id, created_at, key, debit_id, credit_id, amount_nano, booked_month, reason, note, posting_id
)
SELECT gen_random_uuid(), now(),
    concat_ws(':', part.reason, %(posting)s, owed.asking, owed.serving, owed.month),
    owed.debit, part.credit, part.amount, owed.month, part.reason, '', %(posting)s::uuid
FROM (
    SELECT asking_institution_id AS asking, serving_institution_id AS serving, booked_month AS month,
        {account_of(AccountKind.CONSUMER, "asking_institution_id")} AS debit,
        {account_of(AccountKind.HOST, "serving_institution_id")} AS credit,
        sum(cost_nano) AS cost, sum(fee_nano) AS fee
    FROM stored
    WHERE cost_nano > 0 AND serving_institution_id IS DISTINCT FROM asking_institution_id
    GROUP BY asking_institution_id, serving_institution_id, booked_month
) owed
CROSS JOIN LATERAL (
    VALUES ('{TransferReason.USAGE.value}', owed.credit, owed.cost - owed.fee),
        ('{TransferReason.FEE.value}', '{AccountKind.FEE.value}', owed.fee)
) part (reason, credit, amount)
WHERE part.amount > 0 AND owed.debit <> part.credit
RETURNING *
"""
COUNTED = "(SELECT * FROM stored WHERE booked_month IS NOT NULL)"
