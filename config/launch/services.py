"""Which processes make up the product, and in which order they end."""

import os
import sys
from collections.abc import Mapping

from config.launch.environment import Place
from config.launch.processes import Program

# The router first: it lets its streams finish while all they need is still there. PostgreSQL last.
STOP_WAVES = (("router",), ("portal", "clerk", "worker", "simulator"), ("postgres",))
PATIENCE_SECONDS = {"run": 5.0, "serve": 60.0}
"""How long the router may take to end before it is killed."""
LAST_SECONDS = 1.0
"""What of this the router needs, once its streams have had their time, to cut and account the rest."""


class Services:
    """The programs of one copy. Only those that run Django are told where the database is."""

    def __init__(self, place: Place, database_url: str, command: str) -> None:
        self._place = place
        self._patience = PATIENCE_SECONDS[command]
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self._plain = {**kept, **place.variables(), "PYTHONUNBUFFERED": "1"}
        self._django = {**self._plain, "DATABASE_URL": database_url}

    def router(self) -> Program:
        drain_seconds = os.environ.get("DRAIN_SECONDS") or f"{self._patience - LAST_SECONDS:g}"
        environment = {**self._plain, "DRAIN_SECONDS": drain_seconds}
        return self._program("router", ("-m", "routing.gateway"), environment, self._patience)

    def portal(self) -> Program:
        return self._program("portal", ("-m", "config.portal"), self._django)

    def clerk(self) -> Program:
        return self.manage("clerk")

    def worker(self) -> Program:
        return self.manage("qcluster", name="worker")

    def simulator(self) -> Program:
        configuration = str(self._place.var / "simulator.json")
        return self._program("simulator", ("-m", "routing.simulator", configuration), self._plain)

    def manage(self, *arguments: str, name: str = "") -> Program:
        """Return a management command: a service, or a step of the start."""
        return self._program(name or arguments[0], ("manage.py", *arguments), self._django)

    def _program(
        self,
        name: str,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        grace: float = 10.0,
    ) -> Program:
        return Program(
            name=name,
            command=(sys.executable, *arguments),
            log=self._place.log(name),
            environment=environment,
            grace=grace,
        )
