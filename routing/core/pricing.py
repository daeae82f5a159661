"""What a request costs and what it uses of a budget: on the router's side the one place that says so.

The accounts say the same in SQL when they store a request (`billing.ledger.posting`, `billing.budgeting.spending`); a
test compares both. Whole numbers only: nano-euros, tokens, milliseconds of sound, images. Sound is rounded half up to
the nano-euro, once in a request.
"""

import msgspec

from routing.core.enums import BudgetUnit, Endpoint, RequestStatus

MILLISECONDS = 1000
"""In a second, the unit in which sound is sold."""
MOST_TOKENS = 2**31 - 1
"""What a record holds of a count, of milliseconds and of images too."""
COUNTED = frozenset({RequestStatus.OK, RequestStatus.ABANDONED, RequestStatus.INTERRUPTED})
"""How a request may end of which a part was answered."""


class Price(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Nano-euros a token of each kind, a second of sound, an image; 0 where the kind is not sold."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    embedding: int = 0
    audio_second: int = 0
    image: int = 0


FREE = Price()


Position = tuple[int, int]
"""A place in a router's spool: the number of a segment, and bytes from its start."""


class Accounted(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="accounted"):
    """A request's closing line is written: what the accounts will make of it. `position` is its end in the spool."""

    id: str
    key_id: str
    application_id: str
    institution_id: str
    model_id: str
    server_id: str | None
    endpoint: str
    status: RequestStatus
    http_status: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    position: Position
    audio_ms: int = 0
    images: int = 0
    holder_id: str = ""


class Standing(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a budget stands, in its unit, cumulative since it began: `spent` is stored, `granted` may be used.

    `limit` is as far as may be granted in this window; `renewed_at` is when another begins (Unix seconds), None for
    never.
    """

    budget_id: str
    spent: int
    granted: int
    limit: int
    renewed_at: int | None = None


class Standings(msgspec.Struct, frozen=True, tag="standings"):
    """Clerk → router: how budgets stand once all is counted that lies in its spool up to `position`."""

    incarnation: str
    position: Position
    each: tuple[Standing, ...]


def cost(
    price: Price,
    endpoint: str,
    prompt: int,
    cached: int,
    completion: int,
    audio_ms: int = 0,
    images: int = 0,
) -> int:
    """Return nano-euros for so many tokens, `cached` being a part of `prompt`, so much sound and so many images."""
    beside = _beside(price, audio_ms, images)
    if endpoint == Endpoint.EMBEDDINGS:
        return _whole(prompt) * price.embedding + beside
    prompt, cached = _whole(prompt), _whole(cached)
    return (
        max(prompt - cached, 0) * price.prompt
        + min(cached, prompt) * price.cached
        + _whole(completion) * price.completion
        + beside
    )


def dearest(
    price: Price, endpoint: str, prompt: int, completion: int, audio_ms: int = 0, images: int = 0
) -> int:
    """Return the most that a request of these tokens may cost, whatever of its prompt is in a cache."""
    beside = _beside(price, audio_ms, images)
    if endpoint == Endpoint.EMBEDDINGS:
        return prompt * price.embedding + beside
    return prompt * max(price.prompt, price.cached) + completion * price.completion + beside


def _beside(price: Price, audio_ms: int, images: int) -> int:
    """Return what sound and images cost."""
    sound = (_whole(audio_ms) * price.audio_second + MILLISECONDS // 2) // MILLISECONDS
    return sound + _whole(images) * price.image


def counted(ended: Accounted, unit: BudgetUnit, price: Price, *, is_own: bool) -> int:
    """Return what a request uses of a budget of this unit.

    `is_own`: its institution's own server answered, which nobody is billed for.
    """
    if ended.status not in COUNTED:
        return 0
    match unit:
        case BudgetUnit.REQUESTS:
            return 1
        case BudgetUnit.TOKENS:
            return _whole(ended.prompt_tokens) + _whole(ended.completion_tokens)
        case BudgetUnit.NANO_EUROS:
            if is_own or not 200 <= ended.http_status <= 299:
                return 0
            used = ended.prompt_tokens, ended.cached_tokens, ended.completion_tokens
            return cost(price, ended.endpoint, *used, ended.audio_ms, ended.images)


def _whole(count: int) -> int:
    return min(max(count, 0), MOST_TOKENS)
