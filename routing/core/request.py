"""A request as the decisions see it: the ticket that asks, what is decided, what is told afterwards.

Serialisable structs from the first day, because they are also the messages of `routing.dispatch`: ids and
durations, never a time of day, a socket or a body. `(id, attempt)` names an attempt everywhere.
"""

from enum import StrEnum

import msgspec

from routing.core.enums import Lane, Reason, RoutingMode, Strategy
from routing.core.pricing import Accounted, Standings
from routing.core.retry import Failure
from routing.core.table import Budget, Limit


class Ticket(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A request that wants a server. Durations in milliseconds, estimates in tokens."""

    id: str
    gateway: str
    incarnation: str
    model_id: str
    institution_id: str
    application_id: str
    key_id: str
    priority: int
    mode: RoutingMode
    endpoint: str
    stream: bool
    prompt_estimate: int
    max_tokens: int = 0
    """The longest answer asked for, 0 when the client did not say."""
    prompt_most: int = 0
    """What the prompt is hardly longer than, for hard budgets; 0 where there are none, or nothing is known."""
    answers: int = 1
    """How many answers, to all prompts together."""
    audio_ms: int = 0
    """Of the sound that is sent: what its file says, else the most that it can be."""
    prefix: tuple[int, ...] = ()
    """Hashes of the text's first 1, 2, 4 … KiB (`routing.core.affinity`)."""
    weight: float = 1.0
    """The institution's share beside others of its class."""
    waited_ms: int = 0
    deadline_in_ms: int = 570_000
    attempt: int = 1
    excluded: tuple[str, ...] = ()
    threshold: int | None = None
    """Refuse at once when more than so many wait for the model."""
    labels: tuple[str, ...] = ()
    """What every site that serves it must carry (`routing.core.labels`), at a second attempt too."""
    holder_id: str = ""
    """Whose budget as a person counts it (`routing.core.table.Principal`)."""


class Quota(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How much is left of a limit; `reset_ms` is when all of it is free again, if nothing more is used."""

    limit: int
    remaining: int
    reset_ms: int


class Allowance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The limits of requests and of tokens that a request's key meets first, None where there is none."""

    requests: Quota | None = None
    tokens: Quota | None = None


class Explanation(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Why an attempt got its server, and when: kept with the usage record and shown to those whom it concerns.

    `candidates` could ever have served it, `free` could have started it at that moment; `in_flight` is what the
    chosen server ran already, `known_tokens` what it likely knew of the prompt, `waited_ms` the time since the
    request came, or since its last attempt failed. No id and no name: whom it is about stands beside it.
    """

    lane: Lane
    mode: RoutingMode
    strategy: Strategy
    reason: Reason
    candidates: int
    free: int
    in_flight: int
    known_tokens: int
    waited_ms: int

    @property
    def in_words(self) -> str:
        """Return the choice as one line, for a header."""
        return (
            f"{self.strategy}: {self.free} of {self.candidates} servers free, "
            f"{self.in_flight} in flight here"
        )


class Grant(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Leave to try one server. `(id, attempt)` names it everywhere."""

    id: str
    attempt: int
    server_id: str
    deployment_id: str
    epoch: int
    explain: Explanation
    allowance: Allowance | None = None


class RefusalCode(StrEnum):
    """Why a ticket gets no server."""

    NO_SERVER = "no_server"
    """Nobody serves the model."""
    RULES = "rules"
    """The owners of the model's servers do not serve the institution, the class, or guests at this hour."""
    NOT_HOSTED = "not_hosted"
    """Only own servers were allowed, and the institution has none for this model."""
    LABELS = "labels"
    """No server of the model stands at a site with the labels that were asked for."""
    ENDPOINT = "endpoint"
    """No server of the model answers this endpoint."""
    ALL_DOWN = "all_down"
    """Every server that could serve it is ejected, or runs another model just now."""
    FULL = "full"
    """The deadline passed, or the room is too long to enter."""
    ATTEMPTS = "attempts"
    """No attempt is left, or no server that has not failed it yet; or the attempt named is none that runs."""
    RETRY_BUDGET = "retry_budget"
    """Too many of the model's recent requests were retries: more would only add to the load."""
    LIMIT = "limit"
    """A limit of the key, its application or its institution is reached."""
    OVER_LIMIT = "over_limit"
    """The request alone is larger than such a limit: later it would be refused, too."""
    BUDGET = "budget"
    """A hard budget that counts the request is used up."""
    BUDGET_IN_USE = "budget_in_use"
    """What such a budget leaves is reserved for requests that run."""
    BUDGET_UNKNOWN = "budget_unknown"
    """What such a budget leaves was not heard in time."""
    THRESHOLD = "threshold"
    """More requests wait for the model than the key wishes to wait behind."""
    MINIMUM = "minimum"
    """The model has fallen below its minimum service: what is left is kept for higher classes."""


class Refusal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """No server for this ticket. `retry_after_ms` is 0 when nothing says how long it will last.

    `limit` is the one that is reached, when it is for a limit, `budget` when it is for a budget, which begins anew
    at `renewed_at` (Unix seconds, None for never); `fallback_id` is the model that may serve it all the same.
    """

    id: str
    code: RefusalCode
    retry_after_ms: int
    limit: Limit | None = None
    allowance: Allowance | None = None
    fallback_id: str | None = None
    budget: Budget | None = None
    renewed_at: int | None = None


class Recall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An attempt is taken back: the gateway closes it and asks for another, if it may, giving `why`.

    Its server has stopped (`timeout`), let it wait in a queue of its own (`queued`), or operators have stopped
    it (`gone`).
    """

    id: str
    attempt: int
    why: Failure


Decision = Grant | Refusal | Recall


class Place(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where a waiting ticket stands, as far as can be told: who comes next may still overtake it, or leave.

    `position` is 1 for the next of `waiting`; `wait_ms` is 0 when nothing says how long it will last.
    """

    position: int
    waiting: int
    wait_ms: int


class Started(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="started"):
    id: str
    attempt: int


class FirstToken(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="first_token"):
    id: str
    attempt: int
    after_ms: int


OK = "ok"
"""The server answered, were it to refuse a client's mistake."""
UNUSED = "unused"
"""Nothing was learnt of the server: it was not asked, or the client left before it could answer."""


class Ended(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="ended"):
    """The attempt is over, and the request with it. `outcome` is `OK`, `UNUSED`, or a `retry.Failure`."""

    id: str
    attempt: int
    outcome: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Withdrawn(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="withdrawn"):
    """The client left before a grant was used."""

    id: str


class Progress(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="progress"):
    """What a server's streams have written since the last report; sent while any runs, twice a second.

    `stream_ms` is the sum over the streams past their first token, `silent_ms` the time since any had a token.
    """

    server_id: str
    tokens: int
    stream_ms: int
    silent_ms: int


class Gauges(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="gauges"):
    """What a server's own metrics say. `memory_use` is the share of its context memory, `memory` its tokens.

    `ours` is what this router had in flight there when they were read; `memory` is 0 when it does not say.
    """

    server_id: str
    running: int
    waiting: int
    memory_use: float
    memory: int = 0
    ours: int = 0


Event = Started | FirstToken | Ended | Accounted | Standings | Withdrawn | Progress | Gauges


class ServerLoad(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A server as the dispatcher sees it now.

    `limit` is what its owner or its health allows, None when nothing limits it; `learnt_limit` is None where
    no model goes by it. `ejections` counts how often it was set aside.
    """

    health: str
    in_flight: int
    limit: int | None
    failures: int
    retry_in_ms: int
    learnt_limit: float | None = None
    ejections: int = 0


class MinimumLoad(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a critical model stands: what counts now, what must be there, and for how long it has been so or not.

    `sheds`: whether lower classes are refused so that the others are served.
    """

    servers: int
    sites: int
    least_servers: int
    least_sites: int
    is_met: bool
    sheds: bool
    since_ms: int

    @property
    def missing(self) -> int:
        """Servers that are missing, or sites where those are more; 0 when the minimum is there."""
        return max(0, self.least_servers - self.servers, self.least_sites - self.sites)


class ModelLoad(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A model now. `available_servers` are live and healthy; they may be full."""

    in_flight: int
    waiting: int
    available_servers: int
    waiting_by_class: dict[int, int] = {}
    minimum: MinimumLoad | None = None


class LoadView(msgspec.Struct, frozen=True, kw_only=True):
    """For `/v1/models`, Retry-After and the live pages. Keys are ids."""

    servers: dict[str, ServerLoad]
    models: dict[str, ModelLoad]
