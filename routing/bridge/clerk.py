"""The clerk: between the register's database and the router. It publishes, stores the usage, and has servers checked.

Eight things that know nothing of each other: a thread that follows the register's changes, a thread that drains the
spool, a thread that hands out conformity runs, one that watches over critical models, one that grants budgets, one that
shares out measured energy, one that goes by what jobs say, and the link to the router in the event loop. Each survives
the others' troubles.
"""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from billing.energy.calibration import calibrate_all
from billing.energy.hours import roll_up
from billing.energy.settlement import settle_all
from federation.fleet.tasks import follow_jobs
from routing.bridge.budgets import Grants, Linked
from routing.bridge.conformity import Examinations, Heard
from routing.bridge.link import RouterLink
from routing.bridge.minimums import Minimums
from routing.bridge.publisher import Publisher
from routing.bridge.router import running_incarnation
from routing.bridge.spool import Drain
from routing.bridge.upkeep import Upkeep
from routing.bridge.worker import Worker, attempt
from routing.core.conformity import ConformityJob
from routing.core.pricing import Standings
from routing.core.table import Section

PUBLISHER_LOCK = 0x636C6B01  # "clk" and a number
DRAIN_LOCK = 0x636C6B02
EXAMINATIONS_LOCK = 0x636C6B03
MINIMUMS_LOCK = 0x636C6B04
BUDGETS_LOCK = 0x636C6B05
ENERGY_LOCK = 0x636C6B06
JOBS_LOCK = 0x636C6B07
DRAIN_SECONDS = 0.2
SETTLE_SECONDS = 15.0
JOBS_SECONDS = 1.0
UPKEEP_SECONDS = 3600.0
"""Between two looks whether a deployment has its calibration of the day, and what has become old."""
END_SECONDS = 1.5
logger = logging.getLogger(__name__)


async def run_clerk() -> None:
    """Work until SIGTERM or SIGINT; then end within two seconds, whatever hangs."""
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def hear(frame: Heard) -> None:
        examinations.hear(frame)

    def order(frame: ConformityJob | Standings) -> None:
        loop.call_soon_threadsafe(link.order, frame)

    link = RouterLink(hear, lambda asked: grants.hear(asked))
    examinations = Examinations(order, lambda: link.connection)

    def hand_over(sections: Sequence[Section]) -> None:
        loop.call_soon_threadsafe(link.publish, sections)

    publisher = Publisher(hand_over, lambda: link.router)
    minimums = Minimums(lambda: [load] if (load := link.load) else [])
    grants = Grants(order, partial(linked_by, link), settings.VAR / "spool")
    workers = (
        Worker("publisher", PUBLISHER_LOCK, publisher.work, stop),
        Worker("drain", DRAIN_LOCK, drain, stop),
        Worker("examinations", EXAMINATIONS_LOCK, examinations.work, stop),
        Worker("minimums", MINIMUMS_LOCK, minimums.work, stop),
        Worker("budgets", BUDGETS_LOCK, grants.work, stop),
        Worker("energy", ENERGY_LOCK, share_energy, stop),
        Worker("jobs", JOBS_LOCK, watch_jobs, stop),
    )
    for worker in workers:
        worker.start()
    linking = asyncio.create_task(link.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, linking.cancel)
    await asyncio.wait([linking])
    stop.set()
    deadline = time.monotonic() + END_SECONDS
    for worker in workers:
        worker.join(max(deadline - time.monotonic(), 0))
    logger.info("the clerk ends")
    if not linking.cancelled():
        linking.result()


def linked_by(link: RouterLink) -> Linked | None:
    """Return which router is there; from any thread."""
    router, name = link.router, link.connection
    return Linked(name, router.incarnation) if router and name else None


def drain(stop: threading.Event) -> None:
    """Store what the router writes down, and keep the database in order, until `stop` is set."""
    spool, upkeep = Drain(settings.VAR / "spool", running_incarnation), Upkeep()
    while not stop.is_set():
        upkeep.step()
        if not spool.step():
            stop.wait(DRAIN_SECONDS)


def watch_jobs(stop: threading.Event) -> None:
    """Take servers into service and out of it as their jobs come and go, until `stop` is set."""
    while not stop.is_set():
        follow_jobs()
        stop.wait(JOBS_SECONDS)


def share_energy(stop: threading.Event) -> None:
    """Share out what meters told, calibrate by it and keep what is old by the hour, until `stop` is set.

    Servers whose windows cannot be settled are tried again every hour.
    """
    upkeep_at, failed = 0.0, set[UUID]()
    while not stop.is_set():
        settle_all(failed=failed, is_over=stop.is_set)
        if time.monotonic() >= upkeep_at:
            failed.clear()
            attempt(partial(calibrate_all, timezone.now()))
            attempt(partial(roll_up, is_over=stop.is_set))
            upkeep_at = time.monotonic() + UPKEEP_SECONDS
        stop.wait(SETTLE_SECONDS)
