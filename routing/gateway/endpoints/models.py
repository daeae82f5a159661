"""`/v1/models` and `/v1/models/{id}`: the models that a key may use, with where they run and how busy they are.

A model stays listed while its servers are down; asking it answers 503.
"""

from typing import Any

import msgspec

from routing.core.enums import ServerState
from routing.core.table import Model, Principal, Table
from routing.dispatch.messages import LoadView, ModelLoad
from routing.gateway.errors import ApiError, Code
from routing.gateway.lifecycle import model_named

_IDLE = ModelLoad(in_flight=0, waiting=0, available_servers=0)
_ABSENT = frozenset({ServerState.SUSPENDED, ServerState.RETIRED})


def list_models(table: Table, principal: Principal, load: LoadView) -> bytes:
    """Return the list as OpenAI has it, by name, each with what is ours."""
    models = sorted(table.names.names.models.values(), key=lambda model: model.name)
    data = [_item(model, table, load) for model in models if principal.may_use(model)]
    return msgspec.json.encode({"object": "list", "data": data})


def one_model(
    table: Table, principal: Principal, load: LoadView, name: str, now: float
) -> tuple[bytes, Model]:
    """Return a model by its name or an alias. Raises `ApiError` 404 for one that the key may not use, too."""
    model = model_named(table, name, now)
    if not principal.may_use(model):
        raise ApiError(Code.UNKNOWN_MODEL, f"Unknown model `{name[:100]}`")
    return msgspec.json.encode(_item(model, table, load)), model


def _item(model: Model, table: Table, load: LoadView) -> dict[str, Any]:
    now = load.models.get(model.id, _IDLE)
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "max_model_len": model.max_model_len,
        "capabilities": model.capabilities,
        "lifecycle": model.stage,
        **_end(model),
        "sites": _sites(model, table),
        "load": {
            "in_flight": now.in_flight,
            "waiting": now.waiting,
            "available_servers": now.available_servers,
        },
    }


def _end(model: Model) -> dict[str, Any]:
    """Return when a model was deprecated and when it ends, in epoch seconds as `created`, and what follows it."""
    if model.end is None:
        return {}
    told = {
        "deprecated_at": model.end.announced_at,
        "sunset": model.end.at,
        "successor": model.end.successor,
    }
    return {name: value for name, value in told.items() if value is not None}


def _sites(model: Model, table: Table) -> list[str]:
    servers = (table.servers.servers.get(each.server_id) for each in model.deployments)
    return sorted({server.site for server in servers if server and server.state not in _ABSENT})
