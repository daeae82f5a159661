"""Which processes make up the product, and in which order they end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.launch.environment import Place, try_address
from config.launch.processes import Program

# The router first: it lets its streams finish while all they need is still there. PostgreSQL last.
STOP_WAVES = (("router",), ("portal", "clerk", "worker", "simulator"), ("postgres",))
PATIENCE_SECONDS = {"run": 5.0, "rehearse": 5.0, "serve": 60.0}
"""How long the router may take to end before it is killed; longer where DRAIN_SECONDS asks for more."""
KEEPS_MAIL = {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend"}
"""A rehearsal writes to nobody, whatever the environment says of a mail server."""
LAST_SECONDS = 1.0
"""What of this the router needs, once its streams have had their time, to cut and account the rest."""


class Services:
    """The programs of one copy. Only those that run Django are told where the database is."""

    def __init__(self, place: Place, database_url: str, command: str) -> None:
        self._place = place
        patience = PATIENCE_SECONDS[command]
        self._drain = float(os.environ.get("DRAIN_SECONDS") or patience - LAST_SECONDS)
        self._patience = max(patience, self._drain + LAST_SECONDS)
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self._plain = {**kept, **place.variables(), "PYTHONUNBUFFERED": "1"}
        self._django = {
            **self._plain,
            "DATABASE_URL": database_url,
            "SHOWS_MAIL": "no" if command == "serve" else "yes",
            **(KEEPS_MAIL if command == "rehearse" else {}),
        }

    def router(self) -> Program:
        environment = {**self._plain, "DRAIN_SECONDS": f"{self._drain:g}"}
        return self._program("router", ("-m", "routing.gateway"), environment, self._patience)

    def portal(self) -> Program:
        return self._program("portal", ("-m", "config.portal"), self._django)

    def clerk(self) -> Program:
        return self.manage("clerk")

    def worker(self) -> Program:
        return self.manage("qcluster", name="worker")

    def demo(self) -> Program:
        """Return the step that completes the demonstration; the simulator must not run."""
        return self.manage("demo", "--move")

    def simulator(self) -> "Simulator":
        configuration = self._place.var / "simulator.json"
        program = self._program(
            "simulator", ("-m", "routing.simulator", str(configuration)), self._plain
        )
        return Simulator(program, configuration, self.demo())

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


@dataclass(frozen=True)
class Simulator:
    """The simulated servers. Those whose port somebody took since the last start move to another first."""

    program: Program
    configuration: Path
    demo: Program

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def log(self) -> Path:
        return self.program.log

    @property
    def stop_signal(self) -> signal.Signals:
        return self.program.stop_signal

    @property
    def grace(self) -> float:
        return self.program.grace

    def spawn(self) -> subprocess.Popen[bytes]:
        if any(try_address(host, port) for host, port in self._addresses()):
            self.demo.spawn().wait()
        return self.program.spawn()

    def _addresses(self) -> list[tuple[str, int]]:
        servers = json.loads(self.configuration.read_text())["servers"]
        return [(server["host"], server["port"]) for server in servers]
