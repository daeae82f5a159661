"""Connections that wait for their next request, the most recently used one first.

The key is all of a destination but its token: what was connected to under one grant or authority serves no
request under another.
"""

from routing.upstream.connection import Connection
from routing.upstream.destinations import Destination
from routing.upstream.egress import Grants, Target

Key = tuple[Target, Grants, str | None, str | None]


def key_of(destination: Destination) -> Key:
    return (
        destination.target,
        destination.grants,
        destination.ca_bundle,
        destination.unix_path,
    )


class Pool:
    """At most `max_idle` connections wait for each key."""

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._idle: dict[Key, dict[Connection, None]] = {}

    def take(self, key: Key) -> Connection | None:
        """Return a connection that can be used at once."""
        idle = self._idle.get(key)
        while idle:
            connection, _ = idle.popitem()
            if connection.usable:
                return connection
        return None

    def put(self, key: Key, connection: Connection) -> None:
        idle = self._idle.setdefault(key, {})
        if len(idle) < self._max_idle:
            idle[connection] = None
        else:
            connection.abort()

    def remove(self, key: Key, connection: Connection) -> None:
        """Forget a connection that is gone, waiting or not."""
        if (idle := self._idle.get(key)) is not None:
            idle.pop(connection, None)
            if not idle:
                del self._idle[key]
