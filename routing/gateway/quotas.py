"""What clients are told of their limits: headers under OpenAI's names, and in words the one that is reached."""

from collections.abc import Iterator

from routing.core.enums import BudgetScope, BudgetUnit, LimitScope, Measure
from routing.core.request import Allowance, Quota
from routing.core.table import Budget, Limit

_WORDS = {
    Measure.REQUESTS_PER_MINUTE: "requests per minute",
    Measure.REQUESTS_PER_DAY: "requests per day",
    Measure.TOKENS_PER_MINUTE: "tokens per minute",
    Measure.TOKENS_PER_DAY: "tokens per day",
    Measure.AT_ONCE: "requests at once",
}
_BUDGETS = {
    BudgetUnit.NANO_EUROS: "in euros",
    BudgetUnit.TOKENS: "of tokens",
    BudgetUnit.REQUESTS: "of requests",
}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def quota_headers(allowance: Allowance | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers; nothing about what is not limited."""
    if allowance is None:
        return
    for kind, quota in ((b"requests", allowance.requests), (b"tokens", allowance.tokens)):
        if quota is not None:
            yield from _headers_of(kind, quota)


def limit_reached(limit: Limit, retry_after_ms: int) -> str:
    """Return a sentence: which limit, whose, and until when."""
    if limit.measure is Measure.AT_ONCE:
        until = "as soon as one of them ends"
    else:
        until = f"in {duration_in_words(retry_after_ms)}"
    return f"{_named(limit)} reached; free again {until}"


def over_limit(limit: Limit) -> str:
    """Return a sentence about a request that no waiting makes small enough."""
    return f"This request alone is larger than the limit: {_named(limit)[0].lower()}{_named(limit)[1:]}"


def budget_short(budget: Budget, what: str) -> str:
    """Return a sentence: what is wrong, and whose budget it is."""
    match budget.scope:
        case BudgetScope.KEY:
            whose = "this key"
        case BudgetScope.PERSON:
            whose = "this key's owner"
        case BudgetScope.FEDERATION:
            whose = "the federation"
        case scope:
            whose = f"{scope} ‘{budget.name}’"
    return f"{what}: the budget {_BUDGETS[budget.unit]} of {whose}"


def duration_in_words(milliseconds: int) -> str:
    """Return a duration by its two largest units, such as `3 h 20 min`, never shorter than it is."""
    rest = max(1, -(-milliseconds // 1000))
    largest = next(number for number, (size, _) in enumerate(_UNITS) if rest >= size)
    smallest = _UNITS[min(largest + 1, len(_UNITS) - 1)][0]
    rest = -(-rest // smallest) * smallest
    words = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words)


def duration(milliseconds: int) -> str:
    """Return a duration as OpenAI writes it: `120ms`, `12s`, `6m0s`, `23h59m10s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, seconds = divmod(-(-milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _headers_of(kind: bytes, quota: Quota) -> Iterator[tuple[bytes, bytes]]:
    yield b"x-ratelimit-limit-" + kind, b"%d" % quota.limit
    yield b"x-ratelimit-remaining-" + kind, b"%d" % quota.remaining
    yield b"x-ratelimit-reset-" + kind, duration(quota.reset_ms).encode()


def _named(limit: Limit) -> str:
    match limit.scope:
        case LimitScope.KEY:
            whose = "this key"
        case LimitScope.APPLICATION:
            whose = f"application ‘{limit.name}’"
        case LimitScope.INSTITUTION:
            whose = f"institution ‘{limit.name}’"
    return f"Limit of {limit.most} {_WORDS[limit.measure]} of {whose}"
