"""Follows the register's changes and publishes the sections that they touch; writes down what routers run.

A change is published 50 ms after its commit, together with those that come meanwhile; a look every 2 s is the
floor when a notification is lost.
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
LISTEN_SECONDS = 0.2
"""One wait for a notification: how long a wish to stop, or the router's word, may go unheard."""


class Publisher:
    """`hand_over` takes sections for the router; `router` tells which one there is, if any."""

    def __init__(
        self,
        hand_over: Callable[[Sequence[Section]], None],
        router: Callable[[], Router | None],
    ) -> None:
        self._hand_over = hand_over
        self._router = router
        self._noted: Router | None = None

    def work(self, stop: threading.Event) -> None:
        """Publish until `stop` is set; whoever begins again publishes everything again."""
        published: dict[str, int] = {}
        with connection.cursor() as cursor:
            cursor.execute("LISTEN routing_changed")
        while not stop.is_set():
            changed = [
                name for name, version in read_versions().items() if version != published.get(name)
            ]
            if changed:
                sections = read_sections(changed)
                self._hand_over(sections)
                published |= {section_name(section): section.version for section in sections}
            self._wait_for_news(stop)

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
