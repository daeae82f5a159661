"""Follows the register's changes and publishes the sections that they touch; writes down what routers run.

A change is published 50 ms after its commit, together with those that come meanwhile; a look every 2 s is the
floor when a notification is lost. A router that decides from another version was told by somebody else, as by a
clerk that has lost its lock without noticing: it is told again, by who has just asked the database.
"""

import threading
import time
from collections.abc import Callable, Sequence

from django.db import connection
from django.db.models.functions import Now

from routing.bridge.link import Router
from routing.bridge.models import RouterProcess
from routing.bridge.table import read_sections, read_versions
from routing.core.table import Section, section_name

DEBOUNCE_SECONDS = 0.05
POLL_SECONDS = 2.0
SETTLE_SECONDS = 1.0
"""How long after a section was handed over a router may still decide from another."""
LISTEN_SECONDS = 0.2
"""One wait for a notification: how long a wish to stop, or the router's word, may go unheard."""


class Publisher:
    """`hand_over` takes all sections for the router, `router` tells which one there is, if any."""

    def __init__(
        self,
        hand_over: Callable[[Sequence[Section]], None],
        router: Callable[[], Router | None],
    ) -> None:
        self._hand_over = hand_over
        self._router = router
        self._noted: Router | None = None
        self._published: dict[str, Section] = {}
        self._published_at = 0.0

    def work(self, stop: threading.Event) -> None:
        """Publish until `stop` is set; whoever begins again publishes everything again.

        However it ends, nothing stays published: another clerk may lead from here on.
        """
        with connection.cursor() as cursor:
            cursor.execute("LISTEN routing_changed")
        try:
            while not stop.is_set():
                self._publish_changes()
                self._wait_for_news(stop)
        finally:
            self._published = {}
            self._hand_over(())

    def _publish_changes(self) -> None:
        changed = [
            name
            for name, version in read_versions().items()
            if self._version(name) != version or self._is_overruled(name)
        ]
        if changed:
            sections = read_sections(changed)
            self._published |= {section_name(section): section for section in sections}
            self._published_at = time.time()
            self._hand_over(list(self._published.values()))

    def _version(self, name: str) -> int | None:
        section = self._published.get(name)
        return section.version if section else None

    def _is_overruled(self, name: str) -> bool:
        """Say whether the router, which has had the time, decides from another version than was published."""
        router = self._router()
        return (
            router is not None
            and router.seen_at > self._published_at + SETTLE_SECONDS
            and router.versions.get(name) != self._version(name)
        )

    def _wait_for_news(self, stop: threading.Event) -> None:
        until = time.monotonic() + POLL_SECONDS
        while not stop.is_set() and time.monotonic() < until:
            self._note_router()
            if notified(LISTEN_SECONDS):
                time.sleep(DEBOUNCE_SECONDS)
                while notified(0):
                    pass
                return

    def _note_router(self) -> None:
        """Write down who the router is and what it runs, when that is new, else at each poll."""
        router, noted = self._router(), self._noted
        if router is None:
            return
        if (
            noted is None
            or router[:2] != noted[:2]
            or router.seen_at >= noted.seen_at + POLL_SECONDS
        ):
            RouterProcess.objects.bulk_create(
                [
                    RouterProcess(
                        incarnation=router.incarnation,
                        versions=router.versions,
                        seen_at=Now(),  # the database's clock: it is also what `present` asks
                    )
                ],
                update_conflicts=True,
                unique_fields=["incarnation"],
                update_fields=["versions", "seen_at"],
            )
            self._noted = router


def notified(seconds: float) -> bool:
    """Return whether a change was, or within `seconds` is, notified to this connection."""
    with connection.wrap_database_errors:
        return any(True for _ in connection.connection.notifies(timeout=seconds, stop_after=1))
