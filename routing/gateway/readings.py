"""What `/metrics` shows: the counters by the names in the table, and how things stand now.

Names and their meaning are an interface: dashboards and alerts ask for them (`deploy/`, docs/operations.md).
"""

import resource
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import chain

from routing.core.enums import Health, PriorityClass, ServerState
from routing.core.table import SERVED_STAGES, Model
from routing.dispatch.messages import LoadView
from routing.gateway.endpoints.health import readiness
from routing.gateway.exposition import Family, Kind
from routing.gateway.gateway import Gateway
from routing.gateway.metrics import Distribution, Metrics, ModelClass

COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
BY_CLASS = ("model", "class")
_STARTED_AT = time.time()

Names = Mapping[str, str]
"""Names by id."""


def families(gateway: Gateway, *, clerk_is_here: bool) -> Iterable[Family]:
    """Return everything; what has left the table is no longer told."""
    table, load = gateway.table, gateway.dispatcher.load()
    models = {model.id: model.name for model in table.names.names.models.values()}
    servers = {server.id: server.name for server in table.servers.servers.values()}
    return chain(
        _router(gateway, clerk_is_here),
        _requests(gateway.metrics, models),
        _attempts(gateway.metrics, servers),
        _models(gateway, load),
        _servers(load, servers),
    )


def _router(gateway: Gateway, clerk_is_here: bool) -> Iterator[Family]:
    spool = gateway.spool
    segments = spool.segment_sizes()
    used = resource.getrusage(resource.RUSAGE_SELF)
    status, _ = readiness(gateway)
    versions = [((name,), version) for name, version in gateway.versions.items()]
    single = (
        ("ilaas_ready", "1 when new requests are taken.", int(status == HTTPStatus.OK)),
        ("ilaas_clerk_connected", "1 when a clerk hands over the register.", int(clerk_is_here)),
        ("ilaas_open_requests", "Admitted requests that have not ended.", len(gateway.journeys)),
        ("ilaas_open_connections", "Connections of clients.", len(gateway.connections)),
        ("ilaas_held_bytes", "Bodies and answers held in memory.", gateway.bodies.taken),
        ("ilaas_spool_bytes", "What the spool's segments hold.", sum(segments)),
        ("ilaas_spool_segments", "Segments the clerk has not finished with.", len(segments)),
        ("ilaas_spool_writable", "1 while the spool takes lines.", int(spool.writable)),
        ("process_start_time_seconds", "When the router started, Unix time.", _STARTED_AT),
    )
    for name, meaning, value in single:
        yield Family(name, GAUGE, meaning, (), [((), value)])
    seconds = used.ru_utime + used.ru_stime
    about_cpu = "CPU used by the router, in seconds."
    yield Family("process_cpu_seconds_total", COUNTER, about_cpu, (), [((), seconds)])
    yield Family(
        "ilaas_stopped",
        GAUGE,
        "What operators have stopped at once.",
        ("what", "name"),
        [((stop.what.value, stop.name), 1) for stop in gateway.stops.each],
    )
    about_table = "Version of the table in force, by section."
    yield Family("ilaas_table_version", GAUGE, about_table, ("section",), versions)


def _requests(metrics: Metrics, models: Names) -> Iterator[Family]:
    named = {"": "", **models}
    yield Family(
        "ilaas_requests_total",
        COUNTER,
        "Requests that have ended, by status as accounted.",
        ("model", "class", "endpoint", "status"),
        [
            ((named[model_id], f"P{priority}", endpoint, status), count)
            for (model_id, priority, endpoint, status), count in metrics.requests.items()
            if model_id in named
        ],
    )
    yield Family(
        "ilaas_errors_total",
        COUNTER,
        "What clients were told, or why requests were cut; without a model: refused before it was known.",
        ("model", "code"),
        _named(metrics.errors, named),
    )
    yield Family(
        "ilaas_fallback_requests_total",
        COUNTER,
        "Requests that another model answered in the place of the one asked for.",
        ("model", "fallback"),
        [
            ((models[asked], models[served]), count)
            for (asked, served), count in metrics.fallbacks.items()
            if asked in models and served in models
        ],
    )
    yield Family(
        "ilaas_tokens_total",
        COUNTER,
        "Tokens of requests that have ended; cached_prompt is a part of prompt.",
        ("model", "kind"),
        _named(metrics.tokens, models),
    )
    for name, meaning, found in (
        ("ilaas_queue_seconds", "Wait for the first server, or until it ended.", metrics.waits),
        (
            "ilaas_time_to_first_token_seconds",
            "From the request to its first token, of streams.",
            metrics.first_tokens,
        ),
        (
            "ilaas_request_seconds",
            "From the request to the end of its answer, of those answered.",
            metrics.durations,
        ),
    ):
        yield Family(name, HISTOGRAM, meaning, BY_CLASS, _by_class(found, models))


def _attempts(metrics: Metrics, servers: Names) -> Iterator[Family]:
    yield Family(
        "ilaas_attempts_total",
        COUNTER,
        "Attempts at servers, by outcome.",
        ("server", "outcome"),
        _named(metrics.attempts, servers),
    )
    yield Family(
        "ilaas_server_time_to_first_token_seconds",
        HISTOGRAM,
        "From asking a server to its first token, of streams.",
        ("server",),
        [
            ((servers[server_id],), found)
            for server_id, found in metrics.server_first_tokens.items()
            if server_id in servers
        ],
    )


def _models(gateway: Gateway, load: LoadView) -> Iterator[Family]:
    """Tell of every model that is served, and of every class in it, also when there is nothing."""
    served = [
        (model, load.models[model.id])
        for model in gateway.table.names.names.models.values()
        if model.stage in SERVED_STAGES
    ]
    yield Family(
        "ilaas_waiting_requests",
        GAUGE,
        "Requests in the waiting room.",
        BY_CLASS,
        [
            ((model.name, level.name), now.waiting_by_class.get(level, 0))
            for model, now in served
            for level in PriorityClass
        ],
    )
    for name, meaning, values in (
        (
            "ilaas_running_requests",
            "Requests at servers.",
            [now.in_flight for _, now in served],
        ),
        (
            "ilaas_model_servers",
            "Servers in service that serve the model.",
            [_live_servers(gateway, model) for model, _ in served],
        ),
        (
            "ilaas_model_available_servers",
            "Servers of the model that are in service and healthy.",
            [now.available_servers for _, now in served],
        ),
    ):
        samples = [((model.name,), value) for (model, _), value in zip(served, values, strict=True)]
        yield Family(name, GAUGE, meaning, ("model",), samples)
    critical = [(model.name, now.minimum) for model, now in served if now.minimum]
    yield Family(
        "ilaas_minimum_service_missing",
        GAUGE,
        "Servers, or sites, that a critical model lacks for its minimum service.",
        ("model",),
        [((name,), minimum.missing) for name, minimum in critical],
    )
    yield Family(
        "ilaas_minimum_service_sheds",
        GAUGE,
        "1 while lower classes of a critical model are refused for those that are protected.",
        ("model",),
        [((name,), int(minimum.sheds)) for name, minimum in critical],
    )


def _servers(load: LoadView, servers: Names) -> Iterator[Family]:
    now = [(servers[server_id], each) for server_id, each in load.servers.items()]
    for name, kind, meaning, values in (
        (
            "ilaas_server_in_flight",
            GAUGE,
            "Requests at the server.",
            [each.in_flight for _, each in now],
        ),
        (
            "ilaas_server_limit",
            GAUGE,
            "Requests at once that the owner, or a slow start, allows; absent without a limit.",
            [each.limit for _, each in now],
        ),
        (
            "ilaas_server_learnt_limit",
            GAUGE,
            "Requests at once that the server was learnt to take well.",
            [each.learnt_limit for _, each in now],
        ),
        (
            "ilaas_server_healthy",
            GAUGE,
            "1 when the server gets requests as usual, 0 when it is set aside or tried again.",
            [int(each.health == Health.HEALTHY) for _, each in now],
        ),
        (
            "ilaas_server_ejections_total",
            COUNTER,
            "How often the server was set aside.",
            [each.ejections for _, each in now],
        ),
    ):
        samples = [
            ((server,), value)
            for (server, _), value in zip(now, values, strict=True)
            if value is not None
        ]
        yield Family(name, kind, meaning, ("server",), samples)


def _named(
    counts: Mapping[tuple[str, str], int], names: Names
) -> list[tuple[tuple[str, ...], float | Distribution]]:
    """Return counters by an id and something else, by the name of the id."""
    return [
        ((names[identifier], other), count)
        for (identifier, other), count in counts.items()
        if identifier in names
    ]


def _by_class(
    found: Mapping[ModelClass, Distribution], models: Names
) -> list[tuple[tuple[str, ...], float | Distribution]]:
    return [
        ((models[model_id], f"P{level}"), distribution)
        for (model_id, level), distribution in found.items()
        if model_id in models
    ]


def _live_servers(gateway: Gateway, model: Model) -> int:
    servers = gateway.table.servers.servers
    found = {deployment.server_id for deployment in model.deployments}
    return sum(
        server_id in servers and servers[server_id].state is ServerState.LIVE for server_id in found
    )
