"""What `billing.usage.queries` answers with: small frozen rows of integers, dates and names."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import add, attrgetter
from uuid import UUID

from billing.models import LIMITED


@dataclass(frozen=True)
class Counts:
    """Requests and tokens, audio and images, and what they cost, whoever pays.

    `cached_tokens` are among the prompt's, `reasoning_tokens` among the completion's.
    """

    requests: int
    errors: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_nano: int = 0
    audio_ms: int = 0
    images: int = 0
    own_nano: int = 0
    """Of the cost, what own servers answered: nobody is billed for it."""

    @property
    def billed_nano(self) -> int:
        return self.cost_nano - self.own_nano

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def audio_seconds(self) -> float:
        return self.audio_ms / 1000

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*map(add, _fields_of(self), _fields_of(other)))

    def __mul__(self, sign: int) -> "Counts":
        """Less than nothing with -1: what is taken away."""
        return Counts(*(value * sign for value in _fields_of(self)))


_fields_of = attrgetter(*(each.name for each in fields(Counts)))
NOTHING = Counts(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class DayUsage:
    """A model's use on one day."""

    day: date
    model_id: UUID
    model: str
    counts: Counts


@dataclass(frozen=True)
class KeyUsage:
    """A key's use. Keys that the reader may not see are one row per institution, without id or name."""

    key_id: UUID | None
    key: str
    application: str
    institution: str
    counts: Counts


@dataclass(frozen=True)
class Latency:
    """Milliseconds from arrival to the first token: the bound that so many percent of the requests keep.

    Bounds are `billing.models.WAITS_MS`; None is beyond the last.
    """

    p50: int | None
    p95: int | None
    p99: int | None


@dataclass(frozen=True)
class Totals:
    """`latency` is None when no request brought a first token."""

    counts: Counts
    latency: Latency | None


@dataclass(frozen=True)
class Request:
    """One request as its reader may see it; texts are empty where there is nothing, or nothing for them."""

    id: UUID
    client_request_id: str
    received_at: datetime
    finished_at: datetime
    key: str
    application: str
    asking: str
    serving: str
    server: str
    model: str
    model_asked: str
    endpoint: str
    stream: bool
    priority: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    usage_source: str
    first_token_ms: int | None
    duration_ms: int
    status: str
    http_status: int
    error_code: str
    attempts: int
    is_demo: bool
    data_class: str
    cost_nano: int
    energy_method: str
    energy_version: int
    energy_mj: int
    energy_low_mj: int
    energy_high_mj: int
    gpu_ms: int
    batch_milli: int
    pue_milli: int
    factors: str
    stood_in_for: str
    """The model asked for, where another one that was declared as its fallback answered."""
    audio_ms: int = 0
    images: int = 0
    billed_nano: int = 0
    """Of the cost; nothing of what an institution's own servers answered."""

    @property
    def is_limited(self) -> bool:
        """Whether a limit refused it. A server's own refusal may bear the same code, but is an attempt."""
        return self.error_code in LIMITED and not self.attempts
