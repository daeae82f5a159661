"""`run`, `rehearse` and `serve`: one copy of the product from the first check to the last process's end."""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from config.launch import guard, messages
from config.launch.console import LaunchError, say, stage
from config.launch.demonstration import read_demo, show_demo, show_serve
from config.launch.environment import (
    ROOT,
    Place,
    check_port,
    find_place,
    only_copy,
    prepare_secrets,
)
from config.launch.postgres import EmbeddedPostgres
from config.launch.preparation import (
    POSTGRES_LINK,
    StaticFiles,
    check_database,
    check_rehearsal,
    remember_addresses,
    sockets_folder,
)
from config.launch.services import STOP_WAVES, Services
from config.launch.supervisor import Signals, Stopped, Supervisor
from routing.gateway.settings import SettingsError, read_settings

READY_SECONDS = 90.0
READY_PATHS = ("/health/readiness", "/health/portal")
ASK_EVERY = 0.1  # seconds
ANSWER_SECONDS = 2.0


def start(command: str) -> int:
    """Run the product until the person stops it: with the demonstration (`run`), or empty (`rehearse`, `serve`)."""
    if "MAKELEVEL" in os.environ:
        # Whoever kills `make` means what it runs; a shell that ends is another matter.
        guard.die_with(os.getppid(), signal.SIGTERM)
    place = find_place(os.environ)
    with (
        only_copy(place) as predecessor_was_killed,
        sockets_folder(place),
        supervised() as supervisor,
    ):
        check_port(place, wait=predecessor_was_killed)
        if command == "rehearse":
            check_rehearsal(place, os.environ)
        prepare_secrets(place.var / "secrets", os.environ)
        check_settings(place)
        services = Services(place, start_database(place, supervisor), command)
        prepare(place, services, supervisor, demo=command == "run")
        start_services(services, supervisor, demo=command == "run")
        wait_ready(place, supervisor)
        if command == "run":
            show_demo(place, read_demo(place))
        else:
            show_serve(place, first_link(place, services, supervisor), mail=command == "rehearse")
        supervisor.wait_until(lambda: False)
    say("→ Stopped")
    return 0


def check_settings(place: Place) -> None:
    """Read the router's settings before anything starts: what is wrong with them is said once, in one line."""
    try:
        read_settings({**os.environ, **place.variables()})
    except SettingsError as error:
        raise LaunchError(str(error)) from None


@contextmanager
def supervised() -> Iterator[Supervisor]:
    """Stop everything in order, whatever ends the work inside; a wish to stop is no error."""
    signals = Signals()
    with signals.caught():
        supervisor = Supervisor(signals)
        try:
            yield supervisor
        except Stopped:
            say("→ Stopping; Ctrl-C once more to hurry")
        finally:
            supervisor.stop(STOP_WAVES)


def start_database(place: Place, supervisor: Supervisor) -> str:
    """Return the address of the given database, else of the embedded one, started now."""
    url = os.environ.get("DATABASE_URL", "").strip()
    if url:
        stage("Looking for the database of DATABASE_URL")
        check_database(url)
    else:
        stage("Starting PostgreSQL")
        server = EmbeddedPostgres(
            place.var / "postgres", place.run_dir / POSTGRES_LINK, place.log("postgres")
        )
        url = server.start(sleep=supervisor.sleep)
        supervisor.adopt(server, server.process)
    remember_addresses(place, url)
    return url


def prepare(place: Place, services: Services, supervisor: Supervisor, *, demo: bool) -> None:
    """Bring tables, translations, static files and demonstration data up to date."""
    stage("Preparing the tables")
    supervisor.run(services.manage("migrate", "--no-input", "--verbosity=1"))
    messages.compile_changed(ROOT / "locale")
    static = StaticFiles(place)
    if static.changed():
        stage("Collecting the static files")
        supervisor.run(services.manage("collectstatic", "--no-input", "--clear", "--verbosity=0"))
        static.collected()
    if demo:
        stage("Preparing the demonstration data")
        supervisor.run(services.demo())


def start_services(services: Services, supervisor: Supervisor, *, demo: bool) -> None:
    stage("Starting router, clerk, portal and worker" + (", and simulated servers" if demo else ""))
    if demo:
        supervisor.start(services.simulator())
    for service in (services.router(), services.clerk(), services.portal(), services.worker()):
        supervisor.start(service)


def first_link(place: Place, services: Services, supervisor: Supervisor) -> str:
    """Return the one-time link for the first administrator, nothing when there is one already.

    It is a secret: the file by which it comes is private and goes at once.
    """
    output = place.run_dir / "first_admin_link.out"
    output.unlink(missing_ok=True)
    try:
        lines = supervisor.run(
            replace(services.manage("first_admin_link", "--if-needed"), log=output)
        ).splitlines()
    finally:
        output.unlink(missing_ok=True)
    return next((line for line in lines if line.startswith(("http://", "https://"))), "")


def wait_ready(place: Place, supervisor: Supervisor) -> None:
    """Wait until the router has its table and the portal answers through it."""
    deadline = time.monotonic() + READY_SECONDS
    for path in READY_PATHS:

        def answers(path: str = path) -> bool:
            supervisor.check_started()
            if time.monotonic() > deadline:
                raise LaunchError(f"{place.address}{path} does not answer: see {place.var / 'log'}")
            return is_ok(place.address + path)

        supervisor.wait_until(answers, every=ASK_EVERY)


def is_ok(url: str) -> bool:
    # No proxy: the address is this machine's.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
