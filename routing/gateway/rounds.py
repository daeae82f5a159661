"""One look per second at all that is open, instead of a timer for each: slow clients, long runs, signs of life.

Keeps the path of a request free of tasks and timers; what it ends may last up to a second too long.
"""

import asyncio
import logging
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

from routing.gateway.addresses import is_within
from routing.gateway.errors import Code
from routing.gateway.exchange import Cut, Exchange
from routing.gateway.gateway import Gateway
from routing.gateway.settings import Limits

SECONDS = 1.0
PARIS = ZoneInfo("Europe/Paris")
logger = logging.getLogger(__name__)


async def make_rounds(gateway: Gateway) -> None:
    """Look at everything each second, until cancelled."""
    loop = asyncio.get_running_loop()
    limits = gateway.limits
    while True:
        await asyncio.sleep(SECONDS)
        now = loop.time()
        gateway.heed_stops()
        gateway.heed_hour(datetime.now(PARIS))
        for connection in tuple(gateway.connections):
            connection.look(now, limits.head_seconds, limits.slow_client_seconds)
        refuse_slow_heads(gateway, now)
        for exchange in tuple(gateway.exchanges):
            _cut_slow_body(exchange, now, limits)
        for journey in tuple(gateway.journeys):
            try:
                await journey.look(now)
            except Exception:  # one request's trouble must not end the rounds for all
                logger.exception("a request could not be looked at")


def refuse_slow_heads(gateway: Gateway, now: float) -> None:
    """Leave each address so many heads that do not come; a proxy's are of many clients."""
    most, proxies = gateway.limits.slow_heads_per_address, gateway.settings.trusted_proxies
    slow: Counter[str] = Counter()
    for connection in tuple(gateway.connections):
        address = connection.address
        if connection.has_slow_head(now) and not is_within(address, proxies):
            slow[address] += 1
            if slow[address] > most:
                connection.refuse(Code.SLOW_HEADS)


def _cut_slow_body(exchange: Exchange, now: float, limits: Limits) -> None:
    """End a request whose body does not come, or comes in drops."""
    if exchange.reading_since and (
        now - exchange.part_since > limits.body_idle_seconds
        or now - exchange.reading_since > limits.body_seconds
    ):
        exchange.cut(Cut.SLOW_BODY)
