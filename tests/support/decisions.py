"""The known cast as the router sees it: tables, tickets, a decider, and a clock that moves when it is told to."""

from collections.abc import Sequence
from typing import Any

import msgspec

from routing.core.assignment import Decider
from routing.core.enums import (
    Lane,
    LifecycleStage,
    Limiting,
    Reason,
    RoutingMode,
    ServerState,
    Strategy,
)
from routing.core.request import OK, Decision, Ended, Explanation, Grant, Ticket
from routing.core.retry import Failure
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
        limiting=Limiting.GIVEN,
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


def an_explanation(**changes: Any) -> Explanation:
    """Return why a request of an ordinary class got the only server there is, at once."""
    explanation = Explanation(
        lane=Lane.CLASS,
        mode=RoutingMode.ANY,
        strategy=Strategy.LEAST_BUSY,
        reason=Reason.ONLY_ONE,
        candidates=1,
        free=1,
        in_flight=0,
        known_tokens=0,
        waited_ms=0,
    )
    return msgspec.structs.replace(explanation, **changes)


def granted(decision: object) -> Grant:
    """Return `decision`, which must be a grant."""
    assert isinstance(decision, Grant), decision
    return decision


class House:
    """A decider with a clock, told what a gateway would tell it."""

    def __init__(self, *servers: Server, models: tuple[Model, ...] = ()) -> None:
        self.decider = Decider()
        self.clock = Clock()
        self.show(*servers, models=models)

    def show(self, *servers: Server, models: tuple[Model, ...] = ()) -> list[Decision]:
        return self.decider.replace_table(a_table(servers, models), self.clock())

    def offer(self, ticket: Ticket | str, **changes: Any) -> Decision | None:
        if isinstance(ticket, str):
            ticket = a_ticket(ticket, **changes)
        return next(iter(self.decider.offer(ticket, self.clock())), None)

    def grant(self, ticket: str, **changes: Any) -> Grant:
        return granted(self.offer(ticket, **changes))

    def end(self, grant: Grant, outcome: str = OK) -> list[Decision]:
        event = Ended(id=grant.id, attempt=grant.attempt, outcome=outcome)
        return self.decider.report(event, self.clock())

    def fail(
        self, grant: Grant, why: Failure = Failure.LOST, retry_after_ms: int = 0
    ) -> Decision | None:
        """Ask for another attempt, and return what is decided about it."""
        decisions = self.decider.retry(grant.id, grant.attempt, why, self.clock(), retry_after_ms)
        return next((each for each in decisions if each.id == grant.id), None)

    def eject(self, server_id: str) -> None:
        self.decider.probed(server_id, ok=False, failure=Failure.CONNECT, now=self.clock())

    def pass_time(self, seconds: float) -> list[Decision]:
        return self.decider.tick(self.clock.advance(seconds))

    def in_flight(self, server_id: str) -> int:
        return self.decider.load(self.clock()).servers[server_id].in_flight

    def health(self, server_id: str) -> str:
        return self.decider.load(self.clock()).servers[server_id].health
