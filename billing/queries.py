"""What pages and exports read of the usage records: counts of a period by day, model and key, and requests.

Everything starts from `for_user`, takes a constant number of queries, and narrows the ids first, so that only
the period's partitions are read. Models, servers and institutions are named whoever reads: the catalogue and who
serves are common. Keys and applications are named only to those who may see them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import UUID

from django.db.models import Aggregate, Count, DurationField, F, Model, Q, Sum
from django.db.models.functions import TruncDate

from billing.enums import Scope
from billing.models import FAILED, UsageRecord, UsageRecordQuerySet
from billing.periods import PARIS, Period
from billing.usage import NOTHING, Counts, DayUsage, KeyUsage, Latency, Request, Totals
from federation.access.models import OVERSEERS, ApiKey
from federation.catalogue.models import AIModel
from federation.fleet.models import InferenceServer
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User

CHUNK = 2000
"""Rows of an export that are fetched, and named, at once."""
MILLISECOND = timedelta(milliseconds=1)


class Narrowing(TypedDict, total=False):
    """What a page may ask for out of all that its reader sees. None, like absent, asks for all."""

    scope: Scope | None
    model: UUID | None
    key: UUID | None
    application: UUID | None


class Percentile(Aggregate):
    """`percentile_disc` of PostgreSQL: a value that is really among the rows."""

    function = "percentile_disc"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


_SUMS = {
    "n_requests": Count("pk"),
    "n_errors": Count("pk", filter=Q(status__in=FAILED)),
    "n_prompt": Sum("prompt_tokens", default=0),
    "n_cached": Sum("cached_tokens", default=0),
    "n_completion": Sum("completion_tokens", default=0),
    "n_reasoning": Sum("reasoning_tokens", default=0),
}
_TOLD_AS_STORED = (
    "id", "received_at", "finished_at", "model_asked", "endpoint", "stream", "priority",
    "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "usage_source",
    "status", "http_status", "error_code", "attempts", "is_demo", "data_class",
)  # fmt: skip


def scopes(user: User) -> list[Scope]:
    """Return what `user` may choose from, the smallest first."""
    found = [Scope.MINE]
    if user.institution_ids(*OVERSEERS):
        found += [Scope.INSTITUTION, Scope.SERVED]
    if user.sees_everything or user.has_role(Role.FINANCE):
        found.append(Scope.FEDERATION)
    return found


def usage_by_day(user: User, period: Period, **narrow: Unpack[Narrowing]) -> list[DayUsage]:
    """Return the use of each model on each day in Paris on which it was used, in the days' order."""
    day = TruncDate("finished_at", tzinfo=PARIS)
    rows = _grouped(_ended_in(user, period, narrow).annotate(day=day), "day", "model_id")
    names = _names(AIModel, "slug", {model for _day, model, *_ in rows})
    return [
        DayUsage(day, model, names.get(model, str(model)), Counts(*counts))
        for day, model, *counts in rows
    ]


def usage_by_key(user: User, period: Period, **narrow: Unpack[Narrowing]) -> list[KeyUsage]:
    """Return the use of each key, the most tokens first."""
    rows = _grouped(_ended_in(user, period, narrow), "asking_institution_id", "key_id")
    institutions = _names(Institution, "short_name", {asking for asking, *_ in rows})
    keys = _visible_keys(user, {key for _asking, key, *_ in rows})
    found: dict[tuple[UUID, UUID | None], Counts] = defaultdict(lambda: NOTHING)
    for asking, key, *counts in rows:
        found[asking, key if key in keys else None] += Counts(*counts)
    usages = [
        KeyUsage(
            key_id=key,
            key=keys[key].name if key else "",
            application=keys[key].application if key else "",
            institution=institutions.get(asking, ""),
            counts=counts,
        )
        for (asking, key), counts in found.items()
    ]
    return sorted(usages, key=lambda usage: (-usage.counts.tokens, usage.institution, usage.key))


def totals(user: User, period: Period, **narrow: Unpack[Narrowing]) -> Totals:
    waits = {
        name: Percentile(F("first_token_at") - F("received_at"), fraction=fraction)
        for name, fraction in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
    }
    row = _ended_in(user, period, narrow).aggregate(**_SUMS, **waits)
    measured = [row[name] // MILLISECOND for name in waits if row[name] is not None]
    return Totals(
        counts=Counts(*(row[name] for name in _SUMS)),
        latency=Latency(*measured) if measured else None,
    )


def latest_requests(
    user: User, period: Period, limit: int, **narrow: Unpack[Narrowing]
) -> list[Request]:
    """Return the requests of the period that arrived last, the latest first."""
    return told(user, list(_ended_in(user, period, narrow).order_by("-id")[:limit]))


def csv_rows(user: User, period: Period, **narrow: Unpack[Narrowing]) -> Iterator[Request]:
    """Yield every request of the period in the order of arrival, however many; holds no cursor open."""
    records = _ended_in(user, period, narrow).order_by("id")
    chunk = list(records[:CHUNK])
    while chunk:
        yield from told(user, chunk)
        chunk = list(records.filter(id__gt=chunk[-1].id)[:CHUNK])


def _selected(user: User, narrow: Narrowing) -> UsageRecordQuerySet:
    records = UsageRecord.objects.for_user(user)
    if scope := narrow.get("scope"):
        records = records.in_scope(user, scope)
    if model := narrow.get("model"):
        records = records.filter(model_id=model)
    if key := narrow.get("key"):
        records = records.of_keys(ApiKey.objects.for_user(user).filter(pk=key))
    if application := narrow.get("application"):
        records = records.of_keys(ApiKey.objects.for_user(user).filter(application=application))
    return records


def _ended_in(user: User, period: Period, narrow: Narrowing) -> UsageRecordQuerySet:
    return _selected(user, narrow).ended_in(period)


def _grouped(records: UsageRecordQuerySet, *by: str) -> list[tuple[Any, ...]]:
    """Return rows of the values of `by`, in their order, followed by those of `Counts`."""
    return list(records.order_by(*by).values_list(*by).annotate(**_SUMS))


def told(user: User, records: Sequence[UsageRecord]) -> list[Request]:
    """Return what `user` may know of these requests. Four queries, none for no request."""
    asked = {record.asked_model_id for record in records}
    models = _names(AIModel, "slug", asked | {record.model_id for record in records})
    servers = _names(InferenceServer, "name", {record.server_id for record in records})
    involved: set[UUID | None] = {record.asking_institution_id for record in records}
    involved |= {record.serving_institution_id for record in records}
    institutions = _names(Institution, "short_name", involved)
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
        )
        for record in records
    ]


class KeyNames(NamedTuple):
    name: str
    application: str


NAMELESS = KeyNames("", "")


def _visible_keys(user: User, ids: Collection[UUID]) -> dict[UUID, KeyNames]:
    """Return the names of those keys among `ids` that `user` may see."""
    keys = ApiKey.objects.for_user(user).filter(pk__in=ids)
    rows = keys.values_list("pk", "name", "application__name") if ids else ()
    return {pk: KeyNames(*names) for pk, *names in rows}


def _names(kind: type[Model], column: str, ids: Collection[UUID | None]) -> dict[UUID | None, str]:
    """Return what the rows of `ids` are called; an id without a row is absent."""
    rows = kind._default_manager.filter(pk__in=ids).values_list("pk", column) if ids else ()
    return dict(rows)


def milliseconds(until: datetime | None, since: datetime) -> int | None:
    return None if until is None else max((until - since) // MILLISECOND, 0)
