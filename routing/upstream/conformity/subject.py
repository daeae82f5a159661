"""What every check is given: the server under examination, how to reach it and its peers, what is declared."""

from collections.abc import Callable

import msgspec

from routing.core.conformity import ConformityJob, Declaration, Peer
from routing.upstream.conformity.asking import Asker
from routing.upstream.egress import EgressPolicy
from routing.upstream.engines import engine_named
from routing.upstream.engines.base import Engine
from routing.upstream.resolving import Lookup


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One server under examination. `peer` gives a way to ask another server, None when it cannot be used."""

    job: ConformityJob
    asker: Asker
    policy: EgressPolicy
    lookup: Lookup
    peer: Callable[[Peer], Asker | None]

    @property
    def declared(self) -> Declaration:
        return self.job.declared

    @property
    def engine(self) -> Engine:
        return engine_named(self.job.server.engine)
