"""Where a grant leads: the server's row, its deployment, and how to connect to it."""

from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet

from routing.core.retry import Failure
from routing.core.table import Deployment, Server, Table
from routing.dispatch.messages import Grant
from routing.gateway.verdicts import Failed
from routing.upstream.credentials import UnsealError
from routing.upstream.destinations import Destination, destination_of
from routing.upstream.errors import EgressRefused


class Target(msgspec.Struct, frozen=True, gc=False):
    server: Server
    deployment: Deployment
    destination: Destination
    model_id: str

    def hidden_words(self, public_name: str) -> dict[str, str]:
        """Return the words of this server that clients must not see, and what stands for them."""
        return {self.deployment.served_name: public_name, self.destination.target.host: ""}


class Targets:
    """Remembers what is costly to make of a server's row (opening its token) while the row stays the same."""

    def __init__(self, keys: Sequence[Fernet]) -> None:
        self._keys = keys
        self._known: dict[str, tuple[Server, Destination]] = {}
        self._models_named: dict[str, set[str]] = {}

    def find(self, table: Table, model_id: str, grant: Grant) -> Target:
        """Return where `grant` leads. Raises `Failed` when the server is gone by now, or cannot be used."""
        server = table.servers.servers.get(grant.server_id)
        model = table.names.names.models.get(model_id)
        deployments = model.deployments if model else ()
        deployment = next((each for each in deployments if each.id == grant.deployment_id), None)
        if server is None or deployment is None:
            raise Failed(Failure.GONE)
        return Target(server, deployment, self.destination(server), model_id)

    def destination(self, server: Server) -> Destination:
        """Return how to reach a server. Raises `Failed`."""
        row, destination = self._known.get(server.id, (None, None))
        if row is server and destination is not None:
            return destination
        try:
            destination = destination_of(server, self._keys)
        except (UnsealError, EgressRefused):
            raise Failed(Failure.DENIED) from None
        self._known[server.id] = (server, destination)
        return destination

    def is_other_model(self, target: Target, name: str) -> bool:
        """Say whether a server that answers under this name answers for another model than it was asked.

        Engines have names of their own for what they serve; only one that is known as another model's tells.
        """
        named = self._models_named.get(name.lower(), ())
        is_own = name == target.deployment.served_name or target.model_id in named
        return bool(named) and not is_own

    def learn(self, table: Table) -> list[Destination]:
        """Drop what belongs to rows that are no longer there, and learn the models' names.

        Returns the ways that were dropped: no connection made in one of them is used again.
        """
        present = table.servers.servers
        self._models_named = _models_named(table)
        gone = [
            key for key, (row, _) in self._known.items() if not _same_way(row, present.get(key))
        ]
        return [self._known.pop(key)[1] for key in gone]


def _same_way(row: Server, now: Server | None) -> bool:
    """Say whether connections to a server, as this row told of it, may be used by what the row is now."""
    return now is not None and _way(row) == _way(now)


def _way(row: Server) -> tuple[object, ...]:
    return row.base_url, row.grants, row.ca_bundle, row.client_chain, row.client_key


def _models_named(table: Table) -> dict[str, set[str]]:
    """Return the models by each name, in lower case, that the public or a server has for them."""
    named: dict[str, set[str]] = {}
    for name, model_id in table.names.names.aliases.items():
        named.setdefault(name.lower(), set()).add(model_id)
    for model in table.names.names.models.values():
        for deployment in model.deployments:
            named.setdefault(deployment.served_name.lower(), set()).add(model.id)
    return named
