"""Conformity runs that a clerk hands over: made here, because this process's address and DNS are what counts.

A run lives as long as the connection that brought it: a clerk that is away could not write its lines down, and
hands it out again when it is back.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from routing.core.conformity import ConformityEnd, ConformityJob, ConformityLine, Line
from routing.dispatch.frames import encode

MOST_AT_ONCE = 2
"""Runs of one clerk: each asks for up to eight answers at a time."""
Examine = Callable[[ConformityJob], AsyncGenerator[Line]]
logger = logging.getLogger(__name__)


class Runs:
    """The runs of one connection. Each line is sent as soon as it is known."""

    def __init__(self, examine: Examine, writer: asyncio.StreamWriter) -> None:
        self._examine = examine
        self._writer = writer
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}

    def begin(self, job: ConformityJob) -> None:
        """Make the run; one that is under way already goes on."""
        key = (job.run_id, job.attempt)
        if key in self._tasks:
            return
        task = self._tasks[key] = asyncio.create_task(self._make(job))
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def cancel(self) -> None:
        for task in tuple(self._tasks.values()):
            task.cancel()

    async def _make(self, job: ConformityJob) -> None:
        with suppress(ConnectionError):
            async with self._room, aclosing(self._examine(job)) as lines:
                async for line in lines:
                    await self._send(
                        ConformityLine(run_id=job.run_id, attempt=job.attempt, line=line)
                    )
            await self._send(ConformityEnd(run_id=job.run_id, attempt=job.attempt))
            logger.info("run %s of server %s is made", job.run_id, job.server.name)

    async def _send(self, frame: ConformityLine | ConformityEnd) -> None:
        self._writer.write(encode(frame))
        await self._writer.drain()
