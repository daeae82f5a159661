"""The known cast as the router sees it: tables, tickets, and a clock that moves when it is told to."""

from collections.abc import Sequence
from typing import Any

import msgspec

from routing.core.enums import LifecycleStage, RoutingMode, ServerState, Strategy
from routing.core.request import Grant, Ticket
from routing.core.table import (
    Deployment,
    Model,
    Names,
    NamesSection,
    Server,
    ServersSection,
    Table,
)

MODEL = "gpt-oss-120b"


class Clock:
    """Seconds, called like `time.monotonic`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        self.now += seconds
        return self.now


def a_server(server_id: str = "rennes-1", **changes: Any) -> Server:
    """Return a live server, of the institution before the dash in its id."""
    server = Server(
        id=server_id,
        name=server_id,
        institution_id=server_id.split("-")[0],
        institution=server_id.split("-")[0].title(),
        site="Beaulieu",
        engine="vllm",
        base_url=f"http://{server_id}.example",
        state=ServerState.LIVE,
    )
    return msgspec.structs.replace(server, **changes)


def a_model(*servers: str, name: str = MODEL, **changes: Any) -> Model:
    """Return a model that each of `servers` serves."""
    model = Model(
        id=name,
        name=name,
        stage=LifecycleStage.PRODUCTION,
        created=0,
        owned_by="ilaas",
        strategy=Strategy.LEAST_BUSY,
        deployments=tuple(
            Deployment(id=f"{name}@{server}", server_id=server, served_name=name)
            for server in servers
        ),
    )
    return msgspec.structs.replace(model, **changes)


def a_table(servers: Sequence[Server], models: Sequence[Model] = (), *, version: int = 1) -> Table:
    """Return a table of `servers`, with one model on all of them unless `models` are given."""
    models = models or [a_model(*(server.id for server in servers))]
    names = Names(
        models={model.id: model for model in models},
        aliases={model.name: model.id for model in models},
    )
    return Table(
        names=NamesSection(version=version, names=names),
        servers=ServersSection(version=version, servers={server.id: server for server in servers}),
    )


def a_ticket(ticket_id: str = "t1", **changes: Any) -> Ticket:
    """Return a chat request of Orléans, a consumer."""
    ticket = Ticket(
        id=ticket_id,
        gateway="g",
        incarnation="i",
        model_id=MODEL,
        institution_id="orleans",
        application_id="portal",
        key_id=f"key of {ticket_id}",
        priority=3,
        mode=RoutingMode.ANY,
        endpoint="chat/completions",
        stream=True,
        prompt_estimate=10,
    )
    return msgspec.structs.replace(ticket, **changes)


def granted(decision: object) -> Grant:
    """Return `decision`, which must be a grant."""
    assert isinstance(decision, Grant), decision
    return decision
