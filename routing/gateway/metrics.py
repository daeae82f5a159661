"""What has happened since the router's start, counted as it happens and told by `readings`.

Counted by ids and told by names, so that nobody outside the register can make a label. Kept as plain numbers:
prometheus_client's counters take 13 µs of CPU for a request where these take 2, and its rendering of 20 models
and 20 servers holds up every stream for 49 ms.
"""

from bisect import bisect_left
from collections import Counter, defaultdict

from routing.core.accounting import Closed
from routing.core.enums import Endpoint, RequestStatus
from routing.gateway.errors import Code
from routing.gateway.exchange import Cut

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Bounds of all histograms: from what nobody notices to the longest that a request may wait or run."""
PROMPT, CACHED, COMPLETION = "prompt", "cached_prompt", "completion"
SERVERS_OWN = "upstream_error"
"""Stands for every code that servers invent."""
_CODES = frozenset({*Code, *Cut, "context_length_exceeded"})
_ENDPOINTS = frozenset(Endpoint)

ModelClass = tuple[str, int]
"""A model's id and a priority class."""


class Distribution:
    """How often something took how long. `counts` has one number for each bound, and one for what is beyond."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds


class Metrics:
    """Counters and distributions, by the ids of models and servers."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int, str, str]] = Counter()
        """By model, class, endpoint and status as accounted."""
        self.errors: Counter[tuple[str, str]] = Counter()
        """By model, empty before there is one, and code."""
        self.attempts: Counter[tuple[str, str]] = Counter()
        """By server and outcome."""
        self.tokens: Counter[tuple[str, str]] = Counter()
        """By model and kind."""
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        """By the model asked for and the one that served in its place."""
        self.waits: dict[ModelClass, Distribution] = defaultdict(Distribution)
        self.first_tokens: dict[ModelClass, Distribution] = defaultdict(Distribution)
        self.durations: dict[ModelClass, Distribution] = defaultdict(Distribution)
        self.server_first_tokens: dict[str, Distribution] = defaultdict(Distribution)

    def count(self, closed: Closed) -> None:
        """Count a request that has ended."""
        opened, model_id = closed.opened, closed.model_id
        if closed.fallback_id:
            self.fallbacks[opened.model_id, closed.fallback_id] += 1
        endpoint = opened.endpoint if opened.endpoint in _ENDPOINTS else Endpoint.OTHER
        self.requests[model_id, opened.priority, endpoint, closed.status] += 1
        if closed.status is RequestStatus.OK:
            seconds = closed.finished_at - opened.received_at
            self.durations[model_id, opened.priority].observe(seconds)
        if closed.error_code:
            self.count_error(closed.error_code, model_id)
        for attempt in closed.attempts:
            self.attempts[attempt.server_id, attempt.outcome] += 1
        self.tokens[model_id, PROMPT] += closed.prompt_tokens
        self.tokens[model_id, CACHED] += closed.cached_tokens
        self.tokens[model_id, COMPLETION] += closed.completion_tokens

    def count_error(self, code: str | None, model_id: str = "") -> None:
        """Count what a client was told, or why its request was cut."""
        self.errors[model_id, code if code and code in _CODES else SERVERS_OWN] += 1
