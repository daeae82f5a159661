"""What operators have stopped at once, whatever the register says: keys, institutions, models, servers.

Reads only; where it is kept is the gateway's affair (`routing.gateway.stops`).
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from routing.core.enums import ServerState
from routing.core.table import Principal, Table


class Stopped(StrEnum):
    """An institution is stopped as one that asks; its servers are stopped each by itself."""

    KEY = "key"
    INSTITUTION = "institution"
    MODEL = "model"
    SERVER = "server"


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what operators call it, `since` is in Unix seconds."""

    what: Stopped
    id: str
    name: str
    why: str
    since: float


class Stops:
    """Those in force."""

    def __init__(self, each: Sequence[Stop] = ()) -> None:
        self.each = tuple(each)
        self._ids = {what: {stop.id for stop in each if stop.what is what} for what in Stopped}

    def stops_key(self, key_id: str, institution_id: str) -> bool:
        return key_id in self._ids[Stopped.KEY] or institution_id in self._ids[Stopped.INSTITUTION]

    def stops_principal(self, principal: Principal) -> bool:
        return self.stops_key(principal.key_id, principal.institution_id)

    def stops_model(self, model_id: str) -> bool:
        return model_id in self._ids[Stopped.MODEL]

    def stops_server(self, server_id: str) -> bool:
        return server_id in self._ids[Stopped.SERVER]

    def applied(self, table: Table) -> Table:
        """Return the table as it is with stopped servers suspended and stopped models served by nobody.

        Nor does a fallback stand in for a stopped model: it is away because somebody wills it.
        """
        replace = msgspec.structs.replace
        if servers := self._ids[Stopped.SERVER] & table.servers.servers.keys():
            entries = table.servers.servers | {
                key: replace(table.servers.servers[key], state=ServerState.SUSPENDED)
                for key in servers
            }
            table = table.replaced(replace(table.servers, servers=entries))
        if models := self._ids[Stopped.MODEL] & table.names.names.models.keys():
            known = table.names.names.models
            entries_of_models = known | {
                key: replace(known[key], deployments=(), minimum=None) for key in models
            }
            names = replace(table.names.names, models=entries_of_models)
            table = table.replaced(replace(table.names, names=names))
        return table
