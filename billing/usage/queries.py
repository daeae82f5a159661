"""What pages and exports read of the accounts: sums of a period by day, month, model and key; and its requests.

Everything starts from what its reader asks (`asked`) and takes a constant number of queries. What is a sum comes from
the roll-ups; requests narrow their ids first, so that only the period's partitions are read. Models, servers and
institutions are named whoever reads: the catalogue and who serves are common. Keys and applications are named only to
those who may see them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model, Q, Sum

from billing.enums import Scope
from billing.models import (
    FAILED,
    WAITS_MS,
    UsageRecord,
    UsageSumQuerySet,
)
from billing.periods import Period
from billing.usage.asked import OF_ALL, OF_INSTITUTIONS, OF_KEYS, Asked, Part, covering
from billing.usage.rows import NOTHING, Counts, DayUsage, KeyUsage, Latency, Request, Totals
from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.fleet.models import InferenceServer
from federation.members.models import Institution
from federation.people.models import User

CHUNK = 2000
"""Rows of an export that are fetched, and named, at once."""
MILLISECOND = timedelta(milliseconds=1)


_SUMS = {
    "n_requests": Sum("requests", default=0),
    "n_errors": Sum("requests", filter=Q(status__in=FAILED), default=0),
    "n_prompt": Sum("prompt_tokens", default=0),
    "n_cached": Sum("cached_tokens", default=0),
    "n_completion": Sum("completion_tokens", default=0),
    "n_reasoning": Sum("reasoning_tokens", default=0),
    "n_cost": Sum("cost_nano", default=0),
    "n_audio": Sum("audio_ms", default=0),
    "n_images": Sum("images", default=0),
    "n_own": Sum("own_nano", default=0),
}
_WAITS = {f"within_{bound}": Sum(f"wait_{bound}", default=0) for bound in WAITS_MS}
_TOLD_AS_STORED = (
    "id", "received_at", "finished_at", "model_asked", "endpoint", "stream", "priority",
    "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "usage_source",
    "status", "http_status", "error_code", "attempts", "is_demo", "data_class", "cost_nano",
    "audio_ms", "images",
    "energy_method", "energy_version", "energy_mj", "energy_low_mj", "energy_high_mj", "gpu_ms",
    "batch_milli", "pue_milli", "factors",
)  # fmt: skip


def usage_by_day(asked: Asked) -> list[DayUsage]:
    """Return the use of each model on each day in Paris on which it was used, in the days' order."""
    return _by_time(asked.by_day)


def usage_by_month(asked: Asked) -> list[DayUsage]:
    """The same by month, each under its first day; of the period's first and last month, its days alone."""
    found: dict[tuple[date, UUID], DayUsage] = {}
    for sums, sign in asked.parts:
        for usage in _by_time(sums):
            month = usage.day.replace(day=1)
            before = found.get((month, usage.model_id))
            counts = usage.counts * sign + (before.counts if before else NOTHING)
            found[month, usage.model_id] = replace(usage, day=month, counts=counts)
    used = (usage for usage in found.values() if usage.counts != NOTHING)
    return sorted(used, key=lambda usage: (usage.day, usage.model_id))


def usage_by_key(asked: Asked) -> list[KeyUsage]:
    """Return the use of each key, the most tokens first; of those that the reader may not see, by institution."""
    rows = _by_key(asked)
    institutions = named(Institution, "short_name", {asking for asking, *_ in rows})
    keys = _visible_keys(asked.user, {key for _asking, key, _counts in rows if key})
    found: dict[tuple[UUID, UUID | None], Counts] = defaultdict(lambda: NOTHING)
    for asking, key, counts in rows:
        found[asking, key if key in keys else None] += counts
    usages = [
        KeyUsage(
            key_id=key,
            key=keys[key].name if key else "",
            application=keys[key].application if key else "",
            institution=institutions.get(asking, ""),
            counts=counts,
        )
        for (asking, key), counts in found.items()
        if counts != NOTHING
    ]
    return sorted(usages, key=lambda usage: (-usage.counts.tokens, usage.institution, usage.key))


def _by_key(asked: Asked) -> list[tuple[UUID, UUID | None, Counts]]:
    """Return sums by asking institution and key; None for keys of others, where these need not be read one by one."""
    if asked.is_of_institutions and asked.scope == Scope.SERVED:
        own = _rows_by_key(covering(asked.where & asked.of_visible_keys, asked.period))
        whole = [
            (asking, None, Counts(*counts) * sign)
            for sums, sign in covering(asked.where, asked.period, OF_INSTITUTIONS)
            for asking, *counts in _grouped(sums, "asking_institution_id")
        ]
        return [*own, *whole, *((asking, None, counts * -1) for asking, _key, counts in own)]
    levels = OF_KEYS if asked.is_of_institutions and not asked.model else OF_ALL
    return _rows_by_key(covering(asked.where, asked.period, levels))


def _rows_by_key(parts: Sequence[Part]) -> list[tuple[UUID, UUID | None, Counts]]:
    by = ("asking_institution_id", "key_id")
    return [
        (asking, key, Counts(*counts) * sign)
        for sums, sign in parts
        for asking, key, *counts in _grouped(sums, *by)
    ]


def usage_of_key(key: ApiKey, period: Period) -> list[tuple[str, Counts]]:
    """Return what a key has used of each model, by the models' names. For whoever holds the key."""
    found: dict[UUID, Counts] = defaultdict(lambda: NOTHING)
    for sums, sign in sums_of_key(key, period):
        for model, *counts in _grouped(sums, "model_id"):
            found[model] += Counts(*counts) * sign
    names = named(AIModel, "slug", set(found))
    used = {model: counts for model, counts in found.items() if counts != NOTHING}
    return sorted((names.get(model, str(model)), counts) for model, counts in used.items())


def sums_of_key(key: ApiKey, period: Period) -> list[Part]:
    """Return what together is the period of a key. For whoever holds the key."""
    return covering(Q(key_id=key.pk), period)


def totals(asked: Asked) -> Totals:
    counts, first_tokens, waits = NOTHING, 0, [0] * len(WAITS_MS)
    for sums, sign in asked.parts:
        row = sums.aggregate(**_SUMS, **_WAITS, n_first=Sum("first_tokens", default=0))
        counts += Counts(*(row[name] for name in _SUMS)) * sign
        first_tokens += sign * row["n_first"]
        waits = [n + sign * row[name] for n, name in zip(waits, _WAITS, strict=True)]
    return Totals(counts=counts, latency=_latency(first_tokens, waits) if first_tokens else None)


def _latency(first_tokens: int, waits: Sequence[int]) -> Latency:
    """Return the bounds (`WAITS_MS`) that so many of the waits keep; None beyond the last."""
    within = list(accumulate(waits))

    def bound(percent: int) -> int | None:
        kept = (
            ms for ms, n in zip(WAITS_MS, within, strict=True) if n * 100 >= first_tokens * percent
        )
        return next(kept, None)

    return Latency(bound(50), bound(95), bound(99))


def latest_requests(asked: Asked, limit: int) -> list[Request]:
    """Return the requests of the period that arrived last, the latest first."""
    return told(asked.user, list(asked.records.order_by("-id")[:limit]))


def csv_rows(asked: Asked) -> Iterator[Request]:
    """Yield every request of the period in the order of arrival, however many; holds no cursor open."""
    records = asked.records.order_by("id")
    chunk = list(records[:CHUNK])
    while chunk:
        yield from told(asked.user, chunk)
        chunk = list(records.filter(id__gt=chunk[-1].id)[:CHUNK])


def _by_time(sums: UsageSumQuerySet) -> list[DayUsage]:
    rows = _grouped(sums, "since", "model_id")
    names = named(AIModel, "slug", {model for _day, model, *_ in rows})
    return [
        DayUsage(day, model, names.get(model, str(model)), Counts(*counts))
        for day, model, *counts in rows
    ]


def _grouped(sums: UsageSumQuerySet, *by: str) -> list[tuple[Any, ...]]:
    """Return rows of the values of `by`, in their order, followed by those of `Counts`."""
    return list(sums.order_by(*by).values_list(*by).annotate(**_SUMS))


def told(user: User, records: Sequence[UsageRecord]) -> list[Request]:
    """Return what `user` may know of these requests. Four queries, none for no request."""
    asked = {record.asked_model_id for record in records}
    models = named(AIModel, "slug", asked | {record.model_id for record in records})
    servers = named(InferenceServer, "name", {record.server_id for record in records})
    involved: set[UUID | None] = {record.asking_institution_id for record in records}
    involved |= {record.serving_institution_id for record in records}
    institutions = named(Institution, "short_name", involved)
    keys = _visible_keys(user, {record.key_id for record in records})
    return [
        Request(
            **{column: getattr(record, column) for column in _TOLD_AS_STORED},
            client_request_id=record.client_request_id if record.key_id in keys else "",
            key=keys.get(record.key_id, NAMELESS).name,
            application=keys.get(record.key_id, NAMELESS).application,
            asking=institutions.get(record.asking_institution_id, ""),
            serving=institutions.get(record.serving_institution_id, ""),
            server=servers.get(record.server_id, ""),
            model=models.get(record.model_id, record.model_asked),
            stood_in_for=models.get(record.asked_model_id, ""),
            first_token_ms=milliseconds(record.first_token_at, record.received_at),
            duration_ms=milliseconds(record.finished_at, record.received_at) or 0,
            billed_nano=0 if _is_own(record) else record.cost_nano,
        )
        for record in records
    ]


def _is_own(record: UsageRecord) -> bool:
    return record.serving_institution_id == record.asking_institution_id


class KeyNames(NamedTuple):
    name: str
    application: str


NAMELESS = KeyNames("", "")


def _visible_keys(user: User, ids: Collection[UUID]) -> dict[UUID, KeyNames]:
    """Return the names of those keys among `ids` that `user` may see."""
    keys = ApiKey.objects.for_user(user).filter(pk__in=ids)
    rows = keys.values_list("pk", "name", "application__name") if ids else ()
    return {pk: KeyNames(*names) for pk, *names in rows}


def named(kind: type[Model], column: str, ids: Collection[UUID | None]) -> dict[UUID | None, str]:
    """Return what the rows of `ids` are called; an id without a row is absent."""
    rows = kind._default_manager.filter(pk__in=ids).values_list("pk", column) if ids else ()
    return dict(rows)


def milliseconds(until: datetime | None, since: datetime) -> int | None:
    return None if until is None else max((until - since) // MILLISECOND, 0)
