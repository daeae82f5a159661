"""Bounded waits inside an event loop, for what another task is about to do."""

import asyncio
from collections.abc import Callable

WAIT_SECONDS = 10.0


async def until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as the condition holds; fail, naming what was waited for, if it never does."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_SECONDS:g} s for: {what}") from None
