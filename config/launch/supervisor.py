"""Keeps the services of one copy alive and ends them in order; which they are, `services` knows.

All happens in the main thread, because the kernel ties a child's end to the thread that started it.
A signal only wakes the loop and is counted there, so no child is ever started and forgotten.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from config.launch.console import LaunchError, say, tail
from config.launch.processes import Program, ask_to_end, describe_end, end, sweep

FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0  # seconds before a restart, doubled at each failure in a row
STEADY_SECONDS = (
    30.0  # a service that has run so long starts its next series of failures at the first delay
)
FAILURES_BEFORE_READY = 3  # in a row, while starting up: then the start has failed
ONE_REQUEST_SECONDS = 0.5  # a terminal and `make` may each pass on the same wish to stop
LONGEST_SLEEP = 1.0  # seconds; a floor under the wake-ups by signal


class Stopped(Exception):
    """The person asked for the end."""


class Service(Protocol):
    """Something that runs until it is told to end: a `Program`, or PostgreSQL."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def stop_signal(self) -> signal.Signals: ...
    @property
    def grace(self) -> float: ...
    def spawn(self) -> subprocess.Popen[bytes]: ...


@dataclass
class Watched:
    """A service and its present process; `due` is when to start it again."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    due: float = field(default=0.0)


class Signals:
    """Counts the requests to end, and wakes the sleeper when one comes or when a child ends."""

    def __init__(self) -> None:
        self.requests = 0
        self._last_request = -ONE_REQUEST_SECONDS

    @contextmanager
    def caught(self) -> Iterator[None]:
        self._wake, writer = os.pipe()
        for descriptor in (self._wake, writer):
            os.set_blocking(descriptor, False)
        previous_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        previous = {name: signal.signal(name, handler) for name, handler in self._handlers()}
        try:
            yield
        finally:
            for name, handler in previous.items():
                signal.signal(name, handler)
            signal.set_wakeup_fd(previous_wakeup)
            os.close(self._wake)
            os.close(writer)

    def _handlers(self) -> Iterator[tuple[signal.Signals, Callable[[int, FrameType | None], None]]]:
        yield signal.SIGCHLD, lambda signum, frame: None
        yield signal.SIGINT, self._count
        yield signal.SIGTERM, self._count
        # Under nohup, the end of the terminal is no reason to stop.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            yield signal.SIGHUP, self._count

    def _count(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last_request >= ONE_REQUEST_SECONDS:
            self.requests += 1
        self._last_request = now

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until the next signal."""
        if select.select([self._wake], [], [], max(0.0, seconds))[0]:
            os.read(self._wake, 4096)


class Supervisor:
    """Starts services, restarts those that end, and stops all."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._watched: list[Watched] = []

    def start(self, service: Service) -> None:
        """Start a service; from now on it is kept alive."""
        watched = Watched(service)
        self._watched.append(watched)
        self._spawn(watched)

    def adopt(self, service: Service, process: subprocess.Popen[bytes] | None) -> None:
        """Take over a service whose first start was somebody else's work."""
        self._watched.append(Watched(service, process, time.monotonic()))

    def run(self, program: Program) -> str:
        """Run a program to its end while the services are kept alive; return what it wrote.

        Raises `LaunchError` when it fails.
        """
        start = program.log.stat().st_size if program.log.exists() else 0
        process = program.spawn()
        try:
            self.wait_until(lambda: process.poll() is not None)
        finally:
            end(process, program.stop_signal, program.grace)
        if process.returncode:
            ending = describe_end(process.returncode)
            raise LaunchError(f"{tail(program.log)}\n{program.name} {ending}: see {program.log}")
        with program.log.open("rb") as log:
            log.seek(start if log.seek(0, os.SEEK_END) >= start else 0)
            return log.read().decode(errors="replace")

    def wait_until(self, done: Callable[[], bool], *, every: float = LONGEST_SLEEP) -> None:
        """Keep the services alive until `done`; raises `Stopped` when the end is asked for."""
        while not done():
            self._tend()
            self.sleep(min(every, self._next_due()))

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until the next signal; raises `Stopped` when the end is asked for."""
        self._signals.sleep(seconds)
        if self._signals.requests:
            raise Stopped

    def check_started(self) -> None:
        """Raise `LaunchError` when a service ended again and again before it was of any use."""
        for watched in self._watched:
            if watched.failures >= FAILURES_BEFORE_READY:
                service = watched.service
                raise LaunchError(
                    f"{tail(service.log)}\n{service.name} does not start: see {service.log}"
                )

    def stop(self, waves: Sequence[Sequence[str]]) -> None:
        """Stop the named services wave after wave; one more request cuts a wave's wait short."""
        for wave in waves:
            self._stop_wave([watched for watched in self._watched if watched.service.name in wave])
        self._watched.clear()

    def _tend(self) -> None:
        now = time.monotonic()
        for watched in self._watched:
            if watched.process is not None and watched.process.poll() is not None:
                sweep(watched.process)
                self._note_end(watched, describe_end(watched.process.returncode))
            if watched.process is None and watched.due <= now:
                self._spawn(watched)

    def _spawn(self, watched: Watched) -> None:
        watched.started_at = time.monotonic()
        try:
            watched.process = watched.service.spawn()
        except (LaunchError, OSError) as error:
            self._note_end(watched, f"does not start ({error})")

    def _note_end(self, watched: Watched, what: str) -> None:
        now = time.monotonic()
        steady = now - watched.started_at >= STEADY_SECONDS
        watched.failures = 1 if steady else watched.failures + 1
        delay = min(FIRST_DELAY * 2 ** (watched.failures - 1), LONGEST_DELAY)
        watched.process, watched.due = None, now + delay
        say(
            f"! {watched.service.name} {what}; starting it again in {delay:g} s"
            f" (see {watched.service.log})"
        )

    def _next_due(self) -> float:
        now = time.monotonic()
        waits = [watched.due - now for watched in self._watched if watched.process is None]
        return max(0.0, min(waits, default=LONGEST_SLEEP))

    def _stop_wave(self, wave: Sequence[Watched]) -> None:
        processes = [(w.service, w.process) for w in wave if w.process is not None]
        for service, process in processes:
            ask_to_end(process, service.stop_signal)
        asked_at, requests = time.monotonic(), self._signals.requests
        for service, process in processes:
            while process.poll() is None and self._signals.requests == requests:
                left = asked_at + service.grace - time.monotonic()
                if left <= 0:
                    break
                self._signals.sleep(min(left, LONGEST_SLEEP))
            sweep(process)
