"""What `Decider` promises, under every order of events that Hypothesis finds, with a clock that it moves."""

from collections.abc import Collection
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from routing.core.assignment import Decider
from routing.core.candidates import all_down, find_candidates
from routing.core.enums import Health, PriorityClass, RoutingMode, ServerState, Strategy
from routing.core.request import (
    OK,
    UNUSED,
    Decision,
    Ended,
    FirstToken,
    Grant,
    Recall,
    Refusal,
    RefusalCode,
    Started,
    Ticket,
    Withdrawn,
)
from routing.core.retry import MAX_ATTEMPTS, WAS_BUSY, Failure
from routing.core.table import Minimum, Table
from tests.support.decisions import a_model, a_server, a_table, a_ticket

SERVERS = ("rennes-1", "rennes-2", "reims-1")
MODELS = {"gpt-oss-120b": SERVERS, "llama-3.1-8b": SERVERS[1:], "mistral-small": SERVERS[:1]}
LABELLED = SERVERS[:2]
"""Whose sites carry `hds`."""
servers = st.sampled_from(SERVERS)
failures = st.sampled_from(Failure)
states = st.sampled_from(
    [ServerState.LIVE] * 4 + [ServerState.STAGING, ServerState.DRAINING, ServerState.SUSPENDED]
)


class Traffic(RuleBasedStateMachine):
    """Keeps a ledger of its own, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.decider = Decider()
        self.now = 0.0
        self.waiting: dict[str, Ticket] = {}
        self.running: dict[str, Grant] = {}
        self.failed_at: dict[str, set[str]] = {}
        self.failures: dict[str, int] = {}
        self.arrived: dict[str, int] = {}
        self.expires: dict[str, float] = {}
        self.finished: list[Grant] = []
        self.tickets: dict[str, Ticket] = {}
        self.limits: dict[str, int | None] = {}
        self.states: dict[str, ServerState] = {}
        self.trials: dict[str, Grant] = {}

    # What happens.

    @initialize(strategy=st.sampled_from(Strategy))
    def open_the_house(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.put_table({}, {})

    @rule(
        limits=st.dictionaries(servers, st.integers(1, 3)),
        states=st.dictionaries(servers, states),
        gone=st.sets(st.sampled_from(sorted(MODELS)), max_size=1),
    )
    def the_table_changes(
        self, limits: dict[str, int], states: dict[str, ServerState], gone: set[str]
    ) -> None:
        self.put_table(limits, states, gone)

    @rule(
        model=st.sampled_from([*MODELS, "unknown"]),
        institution=st.sampled_from(["orleans", "rennes"]),
        mode=st.sampled_from(RoutingMode),
        labels=st.sampled_from([(), (), ("hds",), ("own",)]),
        endpoint=st.sampled_from(["chat/completions", "embeddings"]),
        patience=st.integers(0, 30_000),
        count=st.integers(1, 4),
    )
    def tickets_come(
        self,
        model: str,
        institution: str,
        mode: RoutingMode,
        labels: tuple[str, ...],
        endpoint: str,
        patience: int,
        count: int,
    ) -> None:
        for _ in range(count):
            ticket = a_ticket(
                f"t{len(self.tickets)}",
                model_id=model,
                institution_id=institution,
                mode=mode,
                labels=labels,
                endpoint=endpoint,
                deadline_in_ms=patience,
                key_id=institution,
            )
            self.tickets[ticket.id] = self.waiting[ticket.id] = ticket
            self.arrived[ticket.id] = len(self.tickets)
            self.expires[ticket.id] = self.now + patience / 1000
            self.failed_at[ticket.id] = set()
            self.failures[ticket.id] = 0
            self.take(self.decider.offer(ticket, self.now))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def a_ticket_is_offered_again(self, data: st.DataObject) -> None:
        open_ones = sorted([*self.waiting, *self.running])
        if not open_ones:
            return
        ticket_id = data.draw(st.sampled_from(open_ones))
        decisions = self.decider.offer(self.tickets[ticket_id], self.now)
        assert decisions == ([self.running[ticket_id]] if ticket_id in self.running else [])

    @precondition(lambda self: self.running)
    @rule(data=st.data(), why=failures, pause=st.sampled_from([0, 0, 3000]))
    def an_attempt_fails(self, data: st.DataObject, why: Failure, pause: int) -> None:
        grant = self.pick_running(data)
        if why not in WAS_BUSY:
            self.failed_at[grant.id].add(grant.server_id)
            self.failures[grant.id] += 1
        self.waiting[grant.id] = self.tickets[grant.id]
        self.take(self.decider.retry(grant.id, grant.attempt, why, self.now, pause))
        if self.failures[grant.id] == MAX_ATTEMPTS:
            assert grant.id not in self.running
            assert grant.id not in self.waiting

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from([OK, OK, OK, UNUSED, *Failure]))
    def an_attempt_ends(self, data: st.DataObject, outcome: str) -> None:
        grant = self.pick_running(data)
        self.take(self.decider.report(_ended(grant, outcome), self.now))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_first_token_comes(self, data: st.DataObject) -> None:
        grant = self.running[data.draw(st.sampled_from(sorted(self.running)))]
        self.decider.report(Started(id=grant.id, attempt=grant.attempt), self.now)
        token = FirstToken(id=grant.id, attempt=grant.attempt, after_ms=1)
        self.take(self.decider.report(token, self.now))

    @precondition(lambda self: self.waiting or self.running)
    @rule(data=st.data())
    def a_client_leaves(self, data: st.DataObject) -> None:
        ticket_id = data.draw(st.sampled_from(sorted([*self.waiting, *self.running])))
        self.waiting.pop(ticket_id, None)
        if grant := self.running.pop(ticket_id, None):
            self.finished.append(grant)
        self.take(self.decider.report(Withdrawn(id=ticket_id), self.now))

    @precondition(lambda self: self.finished)
    @rule(data=st.data(), outcome=st.sampled_from([OK, Failure.CONNECT]))
    def old_news_comes_again(self, data: st.DataObject, outcome: str) -> None:
        grant = data.draw(st.sampled_from(self.finished))
        before = self.decider.load(self.now)
        assert self.decider.report(_ended(grant, outcome), self.now) == []
        token = FirstToken(id=grant.id, attempt=grant.attempt, after_ms=1)
        assert self.decider.report(token, self.now) == []
        (refusal,) = self.decider.retry(grant.id, grant.attempt, Failure.LOST, self.now)
        assert isinstance(refusal, Refusal)
        assert self.decider.load(self.now) == before

    @rule(seconds=st.sampled_from([0.01, 0.5, 1.0, 2.0, 5.0, 31.0, 150.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (wake_at := self.decider.wake_at(self.now)) is not None and wake_at <= end:
            assert wake_at > self.now, "a timer that changes nothing would spin"
            self.now = wake_at
            self.take(self.decider.tick(self.now))
        self.now = end
        self.take(self.decider.tick(self.now))

    @rule(ok=st.booleans(), why=failures)
    def servers_are_probed(self, ok: bool, why: Failure) -> None:
        for server_id in self.decider.probes_due(self.now):
            self.trials.pop(server_id, None)
            decisions = self.decider.probed(
                server_id, ok=ok, failure=None if ok else why, now=self.now
            )
            self.take(decisions)

    @rule()
    def a_probe_is_lost(self) -> None:
        for server_id in self.decider.probes_due(self.now):
            self.trials.pop(server_id, None)

    # What must hold.

    def take(self, decisions: list[Decision]) -> None:
        """Enter decisions in the ledger: each is about somebody who waits, and a grant is within every limit."""
        for decision in decisions:
            if isinstance(decision, Recall):
                assert self.running[decision.id].attempt == decision.attempt
                continue
            ticket = self.waiting.pop(decision.id)
            if isinstance(decision, Grant):
                self.running[decision.id] = decision
                self.check_grant(decision, ticket)
        self.check_order([each for each in decisions if isinstance(each, Grant)])

    def check_grant(self, grant: Grant, ticket: Ticket) -> None:
        assert grant.server_id in MODELS[ticket.model_id]
        assert grant.server_id not in self.failed_at[grant.id]
        assert self.failures[grant.id] < MAX_ATTEMPTS
        state, own = self.states[grant.server_id], grant.server_id.startswith(ticket.institution_id)
        assert state is ServerState.LIVE or (state is ServerState.STAGING and own)
        assert own or ticket.mode is not RoutingMode.PRIVATE_ONLY
        assert own or "own" not in ticket.labels
        assert grant.server_id in LABELLED or "hds" not in ticket.labels
        limit = self.limits[grant.server_id]
        assert limit is None or self.running_at(grant.server_id) <= limit
        health = self.decider.load(self.now).servers[grant.server_id].health
        assert health != Health.EJECTED
        if health == Health.PROBING:
            tried = self.trials.get(grant.server_id)
            assert tried is None or self.running.get(tried.id) is not tried
            self.trials[grant.server_id] = grant

    def check_order(self, grants: list[Grant]) -> None:
        """Nobody with the same needs who came earlier is still waiting."""
        for grant in grants:
            passed = [
                other
                for other in self.waiting
                if self.needs(other) == self.needs(grant.id)
                and self.arrived[other] < self.arrived[grant.id]
            ]
            assert not passed

    @invariant()
    def counts_agree(self) -> None:
        load = self.decider.load(self.now)
        for server_id, server in load.servers.items():
            assert server.in_flight == self.running_at(server_id)
        for model_id, model in load.models.items():
            assert model.waiting == sum(t.model_id == model_id for t in self.waiting.values())
            assert model.in_flight == sum(
                self.tickets[ticket_id].model_id == model_id for ticket_id in self.running
            )

    @invariant()
    def nobody_waits_beyond_a_deadline(self) -> None:
        assert all(self.now < self.expires[ticket_id] for ticket_id in self.waiting)

    @invariant()
    def nobody_waits_while_an_own_equal_is_served(self) -> None:
        """Work is conserved: a live, healthy, unlimited server lets nobody wait who may use it."""
        load = self.decider.load(self.now)
        for ticket in self.waiting.values():
            for server_id in MODELS[ticket.model_id]:
                free = load.servers[server_id].limit is None
                live = self.states[server_id] is ServerState.LIVE
                excluded = server_id in self.failed_at[ticket.id]
                own_only = ticket.mode is RoutingMode.PRIVATE_ONLY or "own" in ticket.labels
                lacks_label = "hds" in ticket.labels and server_id not in LABELLED
                if free and live and not excluded and not own_only and not lacks_label:
                    assert self.lacks(server_id, ticket)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        for ticket_id in self.waiting:
            request = self.decider._requests[ticket_id]
            found = find_candidates(request.needs, request.room.routes, self.now)
            assert not isinstance(found, RefusalCode)
            assert not all_down(found)

    def teardown(self) -> None:
        """When all that runs ends and time goes on, nothing is left."""
        if not self.limits:
            return
        while self.waiting or self.running:
            for grant in [*self.running.values()]:
                del self.running[grant.id]
                self.take(self.decider.report(_ended(grant, OK), self.now))
            self.time_passes(31.0)
        load = self.decider.load(self.now)
        assert all(server.in_flight == 0 for server in load.servers.values())
        assert self.decider.wake_at(self.now) is None

    # How.

    def put_table(
        self, limits: dict[str, int], states: dict[str, ServerState], gone: Collection[str] = ()
    ) -> None:
        self.limits = {server_id: limits.get(server_id) for server_id in SERVERS}
        self.states = {server_id: states.get(server_id, ServerState.LIVE) for server_id in SERVERS}
        entries = [
            a_server(
                each,
                max_parallel=self.limits[each],
                state=self.states[each],
                labels=frozenset({"hds"} if each in LABELLED else ()),
            )
            for each in SERVERS
        ]
        models = [
            a_model(*on, name=name, strategy=self.strategy)
            for name, on in MODELS.items()
            if name not in gone
        ]
        self.take(self.decider.replace_table(self.furnish(a_table(entries, models)), self.now))

    def furnish(self, table: Table) -> Table:
        """Return the table as it is put, for machines that say more."""
        return table

    def pick_running(self, data: st.DataObject) -> Grant:
        grant = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.finished.append(grant)
        return grant

    def running_at(self, server_id: str) -> int:
        return sum(grant.server_id == server_id for grant in self.running.values())

    def needs(self, ticket_id: str) -> tuple[Any, ...]:
        ticket = self.tickets[ticket_id]
        return (
            *(ticket.model_id, ticket.institution_id, ticket.mode, ticket.endpoint),
            ticket.labels,
            frozenset(self.failed_at[ticket_id]),
        )

    def lacks(self, server_id: str, ticket: Ticket) -> bool:
        """Say whether the server was found not to know the endpoint, or the model."""
        room = self.decider._fleet.rooms[ticket.model_id]
        routes = [each for each in room.routes if each.host.entry.id == server_id]
        return not any(
            route.offers(ticket.endpoint, self.now) and route.has_model(self.now)
            for route in routes
        )


def _ended(grant: Grant, outcome: str) -> Ended:
    return Ended(id=grant.id, attempt=grant.attempt, outcome=outcome)


Traffic.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestTraffic = Traffic.TestCase


class Emergency(Traffic):
    """The same promises while models are critical: they fall below their minimum, shed, and come back."""

    @rule(
        servers=st.integers(1, 3), sites=st.integers(1, 2), protected=st.sampled_from(PriorityClass)
    )
    def the_minimum_changes(self, servers: int, sites: int, protected: PriorityClass) -> None:
        self.minimum = Minimum(
            servers=max(servers, sites),
            sites=sites,
            protected_class=protected,
            fallback_id="llama-3.1-8b",
        )
        self.put_table(self.limits_put, self.states)

    minimum: Minimum | None = None

    @property
    def limits_put(self) -> dict[str, int]:
        return {server: limit for server, limit in self.limits.items() if limit is not None}

    def furnish(self, table: Table) -> Table:
        models = table.names.names.models
        furnished = {
            key: replace(model, minimum=self.minimum if model.id != "llama-3.1-8b" else None)
            for key, model in models.items()
        }
        return table.replaced(
            replace(table.names, names=replace(table.names.names, models=furnished))
        )

    @invariant()
    def nobody_waits_who_makes_way(self) -> None:
        """Below the minimum only the protected wait, and owners for their own servers."""
        if any(room.watch for room in self.decider._fleet.rooms.values()):
            self.take(self.decider.tick(self.now))
        for ticket in self.waiting.values():
            watch = self.decider._fleet.rooms[ticket.model_id].watch
            if watch and watch.sheds and ticket.mode is RoutingMode.ANY:
                assert ticket.priority >= watch.minimum.protected_class


Emergency.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestEmergency = Emergency.TestCase
