"""The life of the router's process: what is started, in which order, and how it ends without losing anything."""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import uvicorn

from routing.gateway.app import Application
from routing.gateway.connection import connections
from routing.gateway.counts import keep_counts, save_counts
from routing.gateway.exposition import serve_metrics
from routing.gateway.gateway import SPOOL, TABLE, Gateway
from routing.gateway.link import Link
from routing.gateway.meters import keep_metering
from routing.gateway.portal import Portal
from routing.gateway.probing import keep_probing
from routing.gateway.readings import families
from routing.gateway.rounds import make_rounds
from routing.gateway.settings import Settings
from routing.gateway.signals import keep_listening, keep_measuring
from routing.gateway.snapshot import write_whole
from routing.upstream.credentials import KNOWN_KEYS, known_keys
from routing.upstream.guarded import guarded_client

CUT_SECONDS = 0.5
"""How long cut requests have to tell their clients and to be written down."""
BACKLOG = 2048
logger = logging.getLogger(__name__)


class AlreadyRunning(Exception):
    """Another router runs on the same data; the text says so, in one line."""


async def serve(settings: Settings) -> None:
    """Serve until a signal, let running answers end within their patience, cut and account the rest.

    Raises `AlreadyRunning`, `Unreadable`. Nothing that another router uses is touched before it is certain that
    there is none.
    """
    with only_router(settings.var / SPOOL):
        tell_known_keys(settings)
        gateway = Gateway(settings)
        server = server_of(gateway)
        listener = server.config.bind_socket()
        async with beside(gateway):
            await server.serve(sockets=[listener])


def tell_known_keys(settings: Settings) -> None:
    """Leave word of the keys that this router has: who changes them waits for it. Nothing else depends on it."""
    try:
        write_whole(settings.var / KNOWN_KEYS, known_keys(settings.encryption_keys))
    except OSError as error:
        logger.error("%s cannot be written: %s", settings.var / KNOWN_KEYS, error)


@contextmanager
def only_router(spool: Path) -> Iterator[None]:
    """Hold the data folder for one router. Raises `AlreadyRunning`; the kernel frees it, however we end."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(spool, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another router runs on {spool.parent}: one data folder, one router"
            raise AlreadyRunning(message) from None
        yield
    finally:
        os.close(descriptor)


def server_of(gateway: Gateway) -> uvicorn.Server:
    """Return the server for clients, not yet started."""
    settings, limits = gateway.settings, gateway.limits
    portal = Portal(gateway.client, settings.run_dir, settings.trusted_proxies, limits)
    config = uvicorn.Config(
        Application(gateway, portal),
        host=settings.host,
        port=settings.port,
        http=cast(Any, connections(gateway.connections, limits.max_connections)),
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=cast(int, limits.keep_alive_seconds),
        timeout_graceful_shutdown=cast(int, limits.drain_seconds),
    )
    return uvicorn.Server(config)


@asynccontextmanager
async def beside(gateway: Gateway) -> AsyncGenerator[None]:
    """Run what lives beside the requests: spool, link, rounds, probes, metrics."""
    settings = gateway.settings
    link = Link(gateway, settings.run_dir, settings.var / TABLE)
    gateway.tell_need = link.need
    http = guarded_client(gateway.client.policy)
    exporter = None
    tasks = [
        _background(work)
        for work in (
            gateway.spool.keep(),
            make_rounds(gateway),
            keep_counts(gateway.dispatcher, settings.var),
            keep_probing(gateway, http),
            keep_listening(gateway),
            keep_measuring(gateway, http),
            keep_metering(gateway, http),
        )
    ]
    try:
        await link.open()
        if settings.metrics_port is not None:
            exporter = await serve_metrics(
                lambda: families(gateway, clerk_is_here=link.has_clerk),
                settings.metrics_host,
                settings.metrics_port,
            )
        logger.info("router %s: the table is at %s", gateway.incarnation, gateway.versions)
        yield
    finally:
        await _end_requests(gateway)
        if exporter is not None:
            exporter.close()
        await link.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        save_counts(gateway.dispatcher, settings.var)
        await http.aclose()
        await gateway.client.close()
        gateway.spool.close()


def _background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start work that lasts as long as the process; should it fail, the log says so."""
    task = asyncio.create_task(work)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("a part of the router has ended", exc_info=error)


async def _end_requests(gateway: Gateway) -> None:
    """Wait until every request that was cut has been written down."""
    if gateway.exchanges:
        await asyncio.wait([each.task for each in gateway.exchanges], timeout=CUT_SECONDS)
