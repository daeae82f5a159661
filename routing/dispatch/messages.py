"""What passes through the door. Serialisable structs from the first day: ids and durations, never a time of
day, a socket or a body, so that the same messages can travel to another process or machine."""

import msgspec

from routing.core.enums import RoutingMode


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
    waited_ms: int = 0
    deadline_in_ms: int = 570_000
    attempt: int = 1
    excluded: tuple[str, ...] = ()


class Grant(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Leave to try one server. `(id, attempt)` names it everywhere."""

    id: str
    attempt: int
    server_id: str
    deployment_id: str
    epoch: int
    explain: str


class Refusal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """No server for this ticket. `code` is one of `routing.core.assignment.RefusalCode`."""

    id: str
    code: str
    retry_after_ms: int


class Started(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="started"):
    id: str
    attempt: int


class FirstToken(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="first_token"):
    id: str
    attempt: int
    after_ms: int


class Ended(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="ended"):
    """The attempt is over. `outcome` is `ok`, `unused`, or a `routing.core.retry.Failure`."""

    id: str
    attempt: int
    outcome: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Withdrawn(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="withdrawn"):
    """The client left before a grant was used."""

    id: str


Event = Started | FirstToken | Ended | Withdrawn


class ServerLoad(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A server as the dispatcher sees it now."""

    health: str
    in_flight: int
    limit: int | None
    failures: int
    retry_in_ms: int


class ModelLoad(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    in_flight: int
    waiting: int
    available_servers: int


class LoadView(msgspec.Struct, frozen=True, kw_only=True):
    """For `/v1/models`, Retry-After and the live pages. Keys are ids."""

    servers: dict[str, ServerLoad]
    models: dict[str, ModelLoad]
