"""The simulated fleet and its requests in the words of the core: tables and tickets."""

import hashlib
from collections.abc import Iterable

from bench.simulation.engine import Server
from bench.simulation.requests import Request
from routing.core import table
from routing.core.affinity import FIRST_BYTES, MOST_HASHES
from routing.core.enums import (
    Endpoint,
    LifecycleStage,
    Limiting,
    RoutingMode,
    ServerState,
    Strategy,
)
from routing.core.request import Ticket
from routing.core.usage import BYTES_PER_TOKEN

MODEL_ID = "model"


def table_of(
    servers: Iterable[Server], strategy: Strategy, limiting: Limiting, version: int
) -> table.Table:
    """Return a table with one model, served by all of `servers`."""
    entries = {server.name: _entry(server) for server in servers}
    model = table.Model(
        id=MODEL_ID,
        name=MODEL_ID,
        stage=LifecycleStage.PRODUCTION,
        created=0,
        owned_by="simulation",
        strategy=strategy,
        limiting=limiting,
        deployments=tuple(
            table.Deployment(id=f"{MODEL_ID} at {name}", server_id=name, served_name=MODEL_ID)
            for name in entries
        ),
    )
    names = table.Names(models={MODEL_ID: model}, aliases={MODEL_ID: MODEL_ID})
    return table.Table(
        names=table.NamesSection(version=version, names=names),
        servers=table.ServersSection(version=version, servers=entries),
    )


def ticket_of(request: Request) -> Ticket:
    """Return the ticket that a gateway would offer. The prompt's estimate is exact; nobody says a length."""
    institution, kind = request.institution, request.kind
    return Ticket(
        id=str(request.id),
        gateway="simulation",
        incarnation="1",
        model_id=MODEL_ID,
        institution_id=institution,
        application_id=f"{institution} {kind}",
        key_id=f"{institution} {kind} {request.priority}",
        priority=request.priority,
        mode=RoutingMode.PRIVATE_FIRST if request.is_owners else RoutingMode.ANY,
        endpoint=Endpoint.CHAT,
        stream=request.is_streamed,
        prompt_estimate=request.prompt,
        prefix=_prefix_of(request),
        deadline_in_ms=round(request.deadline * 1000),
    )


def _prefix_of(request: Request) -> tuple[int, ...]:
    """Return a number for each boundary that lies within the prompt; turns of a conversation share theirs."""
    text = request.session or f"alone {request.id}"
    size = request.prompt * BYTES_PER_TOKEN
    digest = hashlib.blake2b(text.encode(), digest_size=7).digest()
    first = int.from_bytes(digest, "big") * MOST_HASHES
    return tuple(first + place for place in range(MOST_HASHES) if FIRST_BYTES << place <= size)


def _entry(server: Server) -> table.Server:
    return table.Server(
        id=server.name,
        name=server.name,
        institution_id=server.owner,
        institution=server.owner,
        site=server.owner,
        engine="vllm" if server.spec.has_metrics else "ollama",
        base_url=f"http://{server.name.lower()}.example",
        state=ServerState.LIVE,
    )
