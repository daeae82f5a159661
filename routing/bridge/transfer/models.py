"""Models and their servers: what the chart's values and a consumer's environment say in the same words.

A consumer's variable `ROUTING_STRATEGY` is the chart's `routing_strategy`; so are all the others.
"""

from collections.abc import Mapping
from enum import StrEnum

from routing.bridge.transfer.meaning import Model, Server
from routing.bridge.transfer.reading import Entries, Field, Reading
from routing.core.enums import RoutingSetting
from routing.upstream.credentials import Secret
from routing.upstream.egress import parse_base_url
from routing.upstream.errors import EgressRefused


class Strategy(StrEnum):
    """`ROUTING_STRATEGY`."""

    ROUND_ROBIN = "round-robin"
    LEAST_BUSY = "least-busy"


class Policy(StrEnum):
    """`QUALITY_OF_SERVICE_POLICY`: when a request goes back into the queue."""

    NEVER = "warning-log"
    PERFORMANCE = "performance-based-requeue"
    PARALLEL = "parallel-requests-threshold-requeue"


class Handler(StrEnum):
    """`PRIORITY_HANDLER`: whether servers are told the class."""

    IGNORE = "ignore"
    VLLM = "vllm"


CONSUMER = frozenset(
    (
        *("log_level", "model", "vllm_servers", "routing_strategy", "priority_handler"),
        *("best_priority", "quality_of_service_policy", "default_max_parallel_requests"),
        *("time_to_first_token_threshold", "metrics_refresh_rate", "refresh_count_per_window"),
        *("ping_refresh_rate", "vllm_treatment_timeout_seconds", "max_vllm_connection_attempts"),
        *("initial_metrics_wait", "rabbitmq_host", "rabbitmq_port", "rabbitmq_user"),
        *("rabbitmq_password", "rpc_queue_expiration", "rpc_message_expiration"),
        *("rpc_max_priority", "use_probes", "probe_port", "avg_token_threshold"),
        *("nb_user_threshold", "rpc_reconnect_attempts"),
    )
)
"""Every setting of a consumer, the older versions' too."""
_SERVER = ("url", "token", "organization", "max_parallel_requests")


def read_settings(fields: Mapping[str, Field]) -> tuple[RoutingSetting, bool]:
    """Return how a model's requests are shared out, and whether servers are told the class."""
    strategy = fields["routing_strategy"].choice(Strategy) if "routing_strategy" in fields else None
    policy = None
    if "quality_of_service_policy" in fields:
        policy = fields["quality_of_service_policy"].choice(Policy)
    if strategy is Strategy.LEAST_BUSY and policy in (None, Policy.NEVER):
        fields["routing_strategy"].reading.note(
            fields["routing_strategy"].where,
            "where the dispatcher only logs that its servers are full, requests wait here",
        )
    handler = fields["priority_handler"].choice(Handler) if "priority_handler" in fields else None
    return _setting(strategy, policy), handler is Handler.VLLM


def _setting(strategy: Strategy | None, policy: Policy | None) -> RoutingSetting:
    """Return the row of the federation's table. Servers in turns have no figure that a policy of performance reads."""
    if strategy is Strategy.LEAST_BUSY:
        return RoutingSetting.LEAST_BUSY_REQUEUE
    if policy is Policy.PARALLEL:
        return RoutingSetting.ROUND_ROBIN_REQUEUE
    return RoutingSetting.ROUND_ROBIN


def read_servers(field: Field, default_max: int | None) -> tuple[Server, ...]:
    """Return a model's servers from a list, or a mapping by address. One that is there twice counts once."""
    found: dict[str, Server] = {}
    for each in _listed(field):
        server = _server(each, default_max)
        first = found.setdefault(server.url, server)
        if first is server or not server.url:
            continue
        if first == server:
            field.reading.note(each.where, f"the same server as {first.where}: taken once")
        else:
            each.refuse(f"the same server as {first.where}, with other values")
    if not found and not field.reading.faults:
        field.refuse("names no server")
    return tuple(server for url, server in found.items() if url)


def _listed(field: Field) -> list[Field]:
    """Return each server as a mapping with its `url` inside."""
    if not isinstance(field.value, Entries):
        return field.items()
    return [
        Field(_with_url(url, value), f"{field.where}[{number}]", field.reading)
        for number, (url, value) in enumerate(field.value.pairs())
    ]


def _with_url(url: str, value: object) -> object:
    return Entries([("url", url), *value.pairs()]) if isinstance(value, Entries) else value


def _server(field: Field, default_max: int | None) -> Server:
    fields = field.entries(_SERVER)
    if "url" not in fields and isinstance(field.value, Entries):
        field.at("url", None).refuse("is missing")
    most = default_max
    if "max_parallel_requests" in fields:
        most = fields["max_parallel_requests"].whole(1)
    return Server(
        url=_url(fields["url"]) if "url" in fields else "",
        organization=fields["organization"].text() if "organization" in fields else "",
        token=_token(fields.get("token")),
        max_parallel=most,
        where=field.where,
    )


def _token(field: Field | None) -> Secret | None:
    """Return a server's token, None where it is empty, as the dispatcher sends none then."""
    if field is None or field.value == "":
        return None
    text = field.text(longest=10_000)
    return Secret(text) if text else None


def _url(field: Field) -> str:
    text = field.text(longest=500)
    try:
        return parse_base_url(text).url if text else ""
    except EgressRefused as refusal:
        field.refuse(str(refusal))
        return ""


def check_models(models: tuple[Model, ...], reading: Reading) -> None:
    """Note a fault for each model and each server that stands for two things at once."""
    by_name: dict[str, Model] = {}
    by_url: dict[str, Server] = {}
    for model in models:
        first = by_name.setdefault(model.name.lower(), model)
        if first is not model:
            reading.refuse(model.where, f"clients ask for it by the same name as {first.where}")
        for server in model.servers:
            _check_server(by_url.setdefault(server.url, server), server, reading)


def _check_server(first: Server, server: Server, reading: Reading) -> None:
    """A server has one token, one owner and one ceiling here, whatever number of models it serves."""
    if first.token != server.token:
        reading.refuse(
            f"{server.where}.token", f"another one than at {first.where}: a server has one"
        )
    if first.organization != server.organization:
        reading.refuse(f"{server.where}.organization", f"another one than at {first.where}")
    if first.max_parallel != server.max_parallel:
        reading.note(
            f"{server.where}.max_parallel_requests",
            f"another one than at {first.where}: the larger counts, for all its models together",
        )
