"""Live pages: the router's load to browsers, as server-sent events, for people signed in.

Each event carries only what a public card shows: health, requests in flight and limit of the servers that the
reader's pages list, and the models' load. The router's feed is followed once per process, for everyone.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.http import AsyncHttpConsumer

from dashboards.queries import server_cards
from federation.catalogue.models import AIModel
from federation.people.factors import what_is_missing
from federation.people.models import User
from routing.bridge.load import load_follower
from routing.dispatch.frames import Load
from routing.dispatch.messages import MinimumLoad

INTERVAL_SECONDS = 1.0
KEEP_ALIVE_EVERY = 15  # intervals without news
RETRY, KEEP_ALIVE = b"retry: 3000\n\n", b": still here\n\n"
LONGEST_SECONDS = 600.0
"""Then the browser connects again, and who it is and what it may see is looked up anew."""
STREAMS_PER_USER = 6
"""Pages open at once; browsers themselves allow six connections to a host over HTTP/1.1."""
STREAMS = 1000
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
_PLAIN = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
_open: Counter[UUID] = Counter()


class Shown(NamedTuple):
    """Ids, as the router writes them, of what a reader's pages list."""

    servers: frozenset[str]
    models: frozenset[str]


class LiveConsumer(AsyncHttpConsumer):
    """`GET /live/`. Ends when the client leaves, or after `LONGEST_SECONDS`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._receive = receive
        await super().__call__(scope, receive, send)

    async def handle(self, body: bytes) -> None:
        user = self.scope["user"]
        if self.scope["method"] != "GET":
            await self.send_response(405, b"GET only\n", headers=[*_PLAIN, (b"allow", b"GET")])
        elif not isinstance(user, User):
            await self.send_response(403, b"Sign in first\n", headers=_PLAIN)
        elif await is_closed_to(user, self.scope["session"]):
            await self.send_response(403, b"Show your second factor first\n", headers=_PLAIN)
        elif _open[user.pk] >= STREAMS_PER_USER or _open.total() >= STREAMS:
            await self.send_response(429, b"Too many live pages\n", headers=_PLAIN)
        else:
            await self._stream_to(user)

    async def _stream_to(self, user: User) -> None:
        _open[user.pk] += 1
        # The request has been read whole: what comes next can only be the disconnect.
        leaving = asyncio.ensure_future(self._receive())
        try:
            await self.send_headers(headers=HEADERS)
            await self._send_until(leaving, await shown_to(user))
        finally:
            leaving.cancel()
            _open.subtract([user.pk])
            if not _open[user.pk]:
                del _open[user.pk]

    async def _send_until(self, leaving: asyncio.Future[Any], shown: Shown) -> None:
        """Send what is new once an interval, and a comment when nothing was for long."""
        follower = load_follower()
        await self.send_body(RETRY, more_body=True)
        sent, quiet = b"", 0
        for _ in range(int(LONGEST_SECONDS / INTERVAL_SECONDS)):
            await asyncio.wait([leaving], timeout=INTERVAL_SECONDS)
            if leaving.done():
                return
            event = event_of(follower.latest, shown)
            quiet = quiet + 1 if event == sent else 0
            if not quiet:
                await self.send_body(event, more_body=True)
            elif quiet % KEEP_ALIVE_EVERY == 0:
                await self.send_body(KEEP_ALIVE, more_body=True)
            sent = event
        await self.send_body(b"")


@database_sync_to_async  # type: ignore[untyped-decorator]  # channels publishes no types
def is_closed_to(user: User, session: Mapping[str, Any]) -> bool:
    return what_is_missing(user, session) is not None


@database_sync_to_async  # type: ignore[untyped-decorator]
def shown_to(user: User) -> Shown:
    models = AIModel.objects.for_user(user).values_list("pk", flat=True)
    return Shown(
        frozenset(str(card.id) for card in server_cards(user)),
        frozenset(str(pk) for pk in models),
    )


def event_of(load: Load | None, shown: Shown) -> bytes:
    """Return the event that tells `load`; a load of None means that the router is away."""
    told = {
        "router": load is not None,
        "servers": {
            key: {"health": server.health, "in_flight": server.in_flight, "limit": server.limit}
            for key, server in (load.view.servers if load else {}).items()
            if key in shown.servers
        },
        "models": {
            key: {
                "in_flight": model.in_flight,
                "waiting": model.waiting,
                "available": model.available_servers,
                "minimum": _minimum(model.minimum),
            }
            for key, model in (load.view.models if load else {}).items()
            if key in shown.models
        },
    }
    return f"data: {json.dumps(told, sort_keys=True, separators=(',', ':'))}\n\n".encode()


def _minimum(now: MinimumLoad | None) -> dict[str, int | None] | None:
    """Return how a critical model stands; `missing` is there while it is below its minimum."""
    if now is None:
        return None
    return {"servers": now.servers, "sites": now.sites, "missing": now.missing or None}
