"""The servers and rooms of the table in force, with what is known of each kept when the table is replaced.

Changed only by `assignment`.
"""

from routing.core.candidates import Prospects, Route
from routing.core.enums import Limiting
from routing.core.fairness import SHARES
from routing.core.host import NO_LIMIT, Host
from routing.core.minimum import Watch
from routing.core.queueing import Room
from routing.core.request import LoadView, ModelLoad, ServerLoad
from routing.core.table import EMPTY, Model, Table


class Fleet:
    """`hosts` also holds servers that have left the table but still run something."""

    def __init__(self) -> None:
        self.table: Table = EMPTY
        self.hosts: dict[str, Host] = {}
        self.rooms: dict[str, Room] = {}
        self.watched: tuple[Room, ...] = ()
        """Of critical models."""
        self._hour = 0
        self._looked_at = -1e18

    @property
    def hosts_in_service(self) -> list[Host]:
        return [host for host in self._listed_hosts() if host.takes_requests]

    def replace(self, table: Table, now: float) -> None:
        """Take over `table`. Rooms of models that are gone stay, without servers, until `drop_empty_rooms`."""
        self.table = table
        self._update_hosts()
        for model in table.names.names.models.values():
            room = self.rooms.setdefault(model.id, Room(model))
            room.model = model
            room.turns.shares = model.shares or SHARES
            room.prospects = Prospects(self._routes(model))
            room.watch = _watch(room.watch, model, now)
        for model_id in self.rooms.keys() - table.names.names.models.keys():
            self.rooms[model_id].prospects = Prospects()
            self.rooms[model_id].watch = None
        self.watched = tuple(room for room in self.rooms.values() if room.watch)
        self.look_at_minimums(now)

    def look_at_minimums(self, now: float, every: float = 0.0) -> None:
        """Count the critical models' servers again, unless that was done within `every` seconds."""
        if now - self._looked_at < every:
            return
        self._looked_at = now
        for room in self.watched:
            if room.watch:
                room.watch.look(room.routes, now)

    def drop_empty_rooms(self) -> None:
        """Forget models that are gone, unless something runs that may come back for another try."""
        gone = self.rooms.keys() - self.table.names.names.models.keys()
        for model_id in gone:
            room = self.rooms[model_id]
            if not room and not room.in_flight:
                del self.rooms[model_id]

    def set_hour(self, hour: int) -> None:
        """Go by the owners' rules for this hour of the week."""
        self._hour = hour
        for host in self.hosts.values():
            host.guests.set_hour(hour)
        for room in self.rooms.values():
            room.prospects.forget()

    def load(self, now: float) -> LoadView:
        """Return the servers and models of the table as they are now."""
        learning = self._learning_hosts()
        servers = {
            host.entry.id: _server_load(host, now, learns=host.entry.id in learning)
            for host in self._listed_hosts()
        }
        names = self.table.names.names
        models = {model_id: _model_load(self.rooms[model_id], now) for model_id in names.models}
        return LoadView(servers=servers, models=models)

    def _listed_hosts(self) -> list[Host]:
        return [self.hosts[server_id] for server_id in self.table.servers.servers]

    def _learning_hosts(self) -> set[str]:
        """Return the servers of models that go by what is learnt of them."""
        return {
            route.host.entry.id
            for room in self.rooms.values()
            if room.model.limiting is Limiting.LEARNT
            for route in room.routes
        }

    def _update_hosts(self) -> None:
        entries = self.table.servers.servers
        for server_id in self.hosts.keys() - entries.keys():
            if not self.hosts[server_id].in_flight:
                del self.hosts[server_id]
        for server_id, entry in entries.items():
            if host := self.hosts.get(server_id):
                host.update(entry)
            else:
                self.hosts[server_id] = host = Host(entry)
                host.guests.set_hour(self._hour)

    def _routes(self, model: Model) -> list[Route]:
        """Return the ways to serve `model` by servers in service, sorted by key; unknown servers are left out."""
        entries = self.table.servers.servers
        routes = [
            Route(deployment, self.hosts[deployment.server_id], model.id)
            for deployment in model.deployments
            if deployment.server_id in entries
        ]
        return sorted(
            (route for route in routes if route.host.takes_requests), key=lambda route: route.key
        )


def _watch(before: Watch | None, model: Model, now: float) -> Watch | None:
    """Return what watches over a model's minimum; with another minimum in force, how it stood goes on."""
    if model.minimum is None:
        return None
    watch = before or Watch(model.minimum, now)
    watch.minimum = model.minimum
    return watch


def _server_load(host: Host, now: float, *, learns: bool) -> ServerLoad:
    ceiling = host.health.ceiling(now)
    limit = min(host.most, NO_LIMIT if ceiling is None else ceiling)
    opens_at = host.health.opens_at(now) or now
    return ServerLoad(
        health=host.health.state,
        in_flight=host.in_flight,
        limit=None if limit == NO_LIMIT else limit,
        failures=host.health.failures,
        retry_in_ms=max(0, round((opens_at - now) * 1000)) if ceiling == 0 else 0,
        learnt_limit=host.limit.value if learns else None,
        ejections=host.health.times_ejected,
    )


def _model_load(room: Room, now: float) -> ModelLoad:
    available = {
        route.host.entry.id
        for route in room.routes
        if route.host.is_available and route.has_model(now)
    }
    return ModelLoad(
        in_flight=room.in_flight,
        waiting=len(room),
        available_servers=len(available),
        waiting_by_class={level: room.waiting_in(level) for level in room.classes},
        minimum=room.watch.load(now) if room.watch else None,
    )
