"""One look per second at all that is open, instead of a timer for each: slow clients, long runs, signs of life.

Keeps the path of a request free of tasks and timers; what it ends may last up to a second too long.
"""

import asyncio
import logging

from routing.gateway.connection import refuse_slow_heads
from routing.gateway.exchange import Cut, Exchange
from routing.gateway.gateway import Gateway
from routing.gateway.settings import Limits

SECONDS = 1.0
logger = logging.getLogger(__name__)


async def make_rounds(gateway: Gateway) -> None:
    """Look at everything each second, until cancelled."""
    loop = asyncio.get_running_loop()
    limits = gateway.limits
    while True:
        await asyncio.sleep(SECONDS)
        now = loop.time()
        refuse_slow_heads(gateway.connections, now, limits.head_seconds)
        for exchange in tuple(gateway.exchanges):
            _cut_if_slow(exchange, now, limits)
        for journey in tuple(gateway.journeys):
            try:
                await journey.look(now)
            except Exception:  # one request's trouble must not end the rounds for all
                logger.exception("a request could not be looked at")


def _cut_if_slow(exchange: Exchange, now: float, limits: Limits) -> None:
    if exchange.sending_since and now - exchange.sending_since > limits.slow_client_seconds:
        exchange.cut(Cut.SLOW_CLIENT)
    elif exchange.reading_since and now - exchange.reading_since > limits.body_idle_seconds:
        exchange.cut(Cut.SLOW_BODY)
