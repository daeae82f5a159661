"""What the router's process holds: the table in force, the dispatcher, the client for servers, the spool.

Put together once by `__main__` and by tests; every part of a request's path finds the others here.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from routing.core.conformity import ConformityJob, Line
from routing.core.ids import uuid7
from routing.core.occupancy import Occupancy
from routing.core.pricing import Standings
from routing.core.stops import Stops
from routing.core.table import Section, Server, Table
from routing.dispatch.frames import Load, MeterReading, Quotas
from routing.dispatch.local import LocalDispatcher
from routing.dispatch.messages import Grant, Recall
from routing.gateway.addresses import WrongKeys
from routing.gateway.connection import Connection
from routing.gateway.cors import Origins
from routing.gateway.counts import load_counts
from routing.gateway.exchange import Budget, Exchange
from routing.gateway.metrics import Metrics
from routing.gateway.settings import Limits, Settings
from routing.gateway.snapshot import load_table
from routing.gateway.spool import Spool
from routing.gateway.stops import FILE as STOPS
from routing.gateway.stops import StopsFile
from routing.gateway.targets import Target, Targets
from routing.upstream.client import Client, Destination, Timeouts
from routing.upstream.conformity import examine
from routing.upstream.egress import EgressPolicy
from routing.upstream.metrics import Counted

if TYPE_CHECKING:
    from routing.gateway.journey import Journey

_BEHIND_THE_RUN = 30.0
"""Seconds by which the end of a run comes before a time-out at its server, though it is looked at only in rounds."""

TABLE, SPOOL = "table", "spool"  # folders in VAR


class Gateway:
    """Starts from the table of the last run; `apply` replaces it section by section."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = limits = settings.limits
        self.pepper = settings.pepper.reveal().encode()
        self.incarnation = uuid7().hex
        self.dispatcher = LocalDispatcher(recall=self._recall, need=self._need)
        self.tell_need: Callable[[Mapping[str, int]], None] = lambda needs: None
        """How the clerk hears that somebody waits for budgets; set by who knows the way."""
        self.client = Client(EgressPolicy(ports=settings.egress_ports))
        self.timeouts = Timeouts(head=_head_seconds(limits), idle=limits.server_idle_seconds)
        self.spool = Spool(settings.var / SPOOL, self.incarnation, limits.min_free_disk_bytes)
        self.bodies = Budget(limits.max_bodies_bytes)
        self.wrong_keys = WrongKeys(limits.wrong_keys_per_minute)
        self.origins = Origins(settings.cors_origins)
        self.metrics = Metrics()
        self.occupancy = Occupancy()
        self.meter_readings: dict[str, MeterReading] = {}
        """The last of each server that has a meter."""
        self.counted: dict[str, tuple[float, Counted]] = {}
        """Tokens by servers' own count, and when they said so, by the loop's clock."""
        self.connections: set[Connection] = set()
        self.exchanges: set[Exchange] = set()
        self.journeys: set[Journey] = set()
        self.targets = Targets(settings.encryption_keys)
        self._stops_file = StopsFile(settings.var / STOPS)
        self.registered = self.table = Table()
        """What the register says, and what is decided from: the same without what operators have stopped."""
        self.hour = -1
        """Of the week in Paris, by which owners' rules on guests go; none before the first round."""
        self._enforce(load_table(settings.var / TABLE))
        self.dispatcher.restore(load_counts(settings.var))

    @property
    def versions(self) -> dict[str, int]:
        return self.table.versions

    def apply(self, section: Section) -> None:
        """Decide from this section from now on."""
        self._enforce(self.registered.replaced(section))

    @property
    def stops(self) -> Stops:
        """Return what operators have stopped."""
        return self._stops_file.stops

    def heed_stops(self) -> None:
        """Look whether operators have stopped something, or lifted it, and go by it at once."""
        if self._stops_file.has_changed():
            self._enforce(self.registered)
            for journey in tuple(self.journeys):
                journey.heed(self.stops)

    def target(self, model_id: str, grant: Grant) -> Target:
        """Return where a grant leads, by the table in force now. Raises `Failed`."""
        return self.targets.find(self.table, model_id, grant)

    def destination(self, server: Server) -> Destination:
        """Return how to reach a server. Raises `Failed`."""
        return self.targets.destination(server)

    def waiting(self, model_id: str) -> int:
        """Return how many requests wait for a server of this model."""
        load = self.dispatcher.load().models.get(model_id)
        return load.waiting if load else 0

    def load(self) -> Load:
        return Load(
            incarnation=self.incarnation,
            versions=self.versions,
            view=self.dispatcher.load(),
            open_requests=len(self.journeys),
            spool_bytes=sum(self.spool.segment_sizes()),
            stops=self.stops.each,
            meters=tuple(self.meter_readings.values()),
        )

    def quotas(self, owners: Sequence[str]) -> Quotas:
        """Return what is left of the limits of these keys, applications and institutions."""
        found = {owner: self.dispatcher.quotas(owner) for owner in owners}
        return Quotas(by_owner={owner: quotas for owner, quotas in found.items() if quotas})

    def hear_of_budgets(self, standings: Standings) -> None:
        """Go by how budgets stand; what is said to another router is not about our spool."""
        if standings.incarnation == self.incarnation:
            self.dispatcher.report(standings)

    def examine(self, job: ConformityJob) -> AsyncGenerator[Line]:
        """Make a conformity run with the relay's own client."""
        return examine(job, self.client, self.settings.encryption_keys)

    def heed_hour(self, moment: datetime) -> None:
        """Have the owners' rules for this hour of the week in force."""
        hour = moment.weekday() * 24 + moment.hour
        if hour != self.hour:
            self.hour = hour
            self.dispatcher.set_hour(hour)

    def _need(self, needs: Mapping[str, int]) -> None:
        self.tell_need(needs)

    def _recall(self, recall: Recall) -> None:
        for journey in self.journeys:
            journey.recall(recall)

    def _enforce(self, table: Table) -> None:
        changed_keys = table.principals is not self.table.principals
        self.registered, self.table = table, self.stops.applied(table)
        table = self.table
        self.dispatcher.set_table(table)
        for withdrawn in self.targets.learn(table):
            self.client.forget(withdrawn)
        if changed_keys:
            self.origins.learn(table.principals.by_digest.values())


def _head_seconds(limits: Limits) -> float:
    """Return how long a server may be silent before its answer.

    Silent for as long as a request may run is no fault of the server's: the run's own limit must end that first.
    """
    if limits.server_head_seconds < limits.run_seconds:
        return limits.server_head_seconds
    return limits.run_seconds + _BEHIND_THE_RUN
