"""`/manage/api/usage`: what a key has used, and what is left to it, as JSON. The key itself is the proof."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from billing.budgeting.standing import Shown, stand
from billing.impact.carbon import DIGITS
from billing.impact.interval import Interval, significant
from billing.models import Budget
from billing.money import euros
from billing.periods import Period, last_days
from billing.usage.footprint import Footprint, of_sums
from billing.usage.queries import sums_of_key, usage_of_key
from billing.usage.rows import Counts
from dashboards.forms import DEFAULT_DAYS, MOST_DAYS
from dashboards.views.limits import rows_left
from federation.access.bearer import KeyBearer
from federation.access.models import ApiKey, Limit
from routing.core.enums import BudgetScope

router = Router(auth=KeyBearer(), tags=["usage"])


class Asked(Schema):
    """Days in Paris, both included. Without them, the last 30."""

    first: date | None = None
    last: date | None = None


class Used(Schema):
    """`cached_tokens` are among the prompt's, `reasoning_tokens` among the completion's; amounts are exact.

    `cost_eur` is what it costs, whoever pays: `billed_eur`, which budgets count and statements ask for, and
    `own_servers_eur`, which the institution's own servers answered and nobody is billed for.
    """

    requests: int
    errors: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_eur: Decimal
    billed_eur: Decimal
    own_servers_eur: Decimal
    audio_ms: int
    images: int


class Bounds(Schema):
    low: float
    central: float
    high: float


class Taken(Schema):
    """Energy of the sites, CO2e with the machines' share; `metered_share` of the energy was measured or calibrated.

    Answers without a figure are counted apart: theirs is not zero.
    """

    energy_wh: Bounds
    co2e_g: Bounds
    water_ml: Bounds
    metered_share: float
    answers_without_a_figure: int


class OfModel(Schema):
    model: str
    used: Used


class Remaining(Schema):
    """A limit that bounds the key, its application or its institution; nulls where no router says."""

    measure: str
    limit: int
    remaining: int | None
    full_again_at: datetime | None


class Left(Schema):
    """A budget that bounds the key, its application, the application's owner or the institution.

    Amounts are in `unit`: nano-euros that are billed, tokens or requests. Those of a person's budget are null: it
    counts what else they use, and a key is in others' hands. Only a hard one refuses. Something is free again at
    `renewed_at`, null for never.
    """

    scope: str
    unit: str
    window: str
    hard: bool
    limit: int | None
    used: int | None
    remaining: int | None
    used_up: bool
    renewed_at: datetime | None


class Usage(Schema):
    key: str
    application: str
    institution: str
    first: date
    last: date
    total: Used
    impact: Taken
    models: list[OfModel]
    remaining: list[Remaining]
    budgets: list[Left]


@router.get("", response=Usage, summary="What this key has used, and what is left to it")
def usage(request: HttpRequest, asked: Query[Asked]) -> Usage:
    """Sums are exact up to the last request that was stored, seconds ago."""
    key: ApiKey = request.auth  # type: ignore[attr-defined]  # KeyBearer
    period = _period(asked)
    models = usage_of_key(key, period)
    total = sum((counts for _name, counts in models), start=Counts(0, 0, 0, 0, 0, 0))
    return Usage(
        key=key.name,
        application=key.application.name,
        institution=key.application.institution.name,
        first=period.start_day,
        last=period.end_day,
        total=_used(total),
        impact=_taken(of_sums(sums_of_key(key, period))),
        models=[OfModel(model=name, used=_used(counts)) for name, counts in models],
        remaining=_remaining(key),
        budgets=[_left(each) for each in stand(_bounding(key))],
    )


def _period(asked: Asked) -> Period:
    last = asked.last or last_days(1).end_day
    first = asked.first or last - timedelta(days=DEFAULT_DAYS - 1)
    try:
        period = Period(first, last)
    except ValueError as error:
        raise HttpError(422, f"That is no period: {error}.") from error
    if len(period.days) > MOST_DAYS:
        raise HttpError(422, f"At most {MOST_DAYS} days at once.")
    return period


def _used(counts: Counts) -> Used:
    return Used(
        requests=counts.requests,
        errors=counts.errors,
        prompt_tokens=counts.prompt_tokens,
        cached_tokens=counts.cached_tokens,
        completion_tokens=counts.completion_tokens,
        reasoning_tokens=counts.reasoning_tokens,
        cost_eur=euros(counts.cost_nano),
        billed_eur=euros(counts.billed_nano),
        own_servers_eur=euros(counts.own_nano),
        audio_ms=counts.audio_ms,
        images=counts.images,
    )


def _taken(footprint: Footprint) -> Taken:
    return Taken(
        energy_wh=_bounds(footprint.impact.energy_kwh.scaled(1_000)),
        co2e_g=_bounds(footprint.impact.co2e_g),
        water_ml=_bounds(footprint.impact.water_ml),
        metered_share=significant(footprint.metered_share, DIGITS),
        answers_without_a_figure=footprint.unknown,
    )


def _bounds(figure: Interval) -> Bounds:
    shown = figure.rounded(DIGITS)
    return Bounds(low=shown.low, central=shown.central, high=shown.high)


def _remaining(key: ApiKey) -> list[Remaining]:
    now = timezone.now()
    return [
        Remaining(
            measure=row.limit.measure,
            limit=row.limit.most,
            remaining=row.quota.remaining if row.quota else None,
            full_again_at=now + timedelta(milliseconds=row.quota.reset_ms) if row.quota else None,
        )
        for row in rows_left(key, Limit.objects.all())[0]
    ]


def _bounding(key: ApiKey) -> list[Budget]:
    return list(Budget.objects.all().bounding(key.application, key).order_by("pk"))


def _left(shown: Shown) -> Left:
    budget = shown.budget
    is_told = budget.scope != BudgetScope.PERSON
    return Left(
        scope=budget.scope,
        unit=budget.unit,
        window=budget.window,
        hard=budget.hard,
        limit=budget.most if is_told else None,
        used=shown.spent if is_told else None,
        remaining=shown.remaining if is_told else None,
        used_up=not shown.remaining,
        renewed_at=shown.until,
    )
