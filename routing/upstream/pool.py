"""Connections that wait for their next request, the most recently used one first.

The key is all of a destination but its token: what was connected to under one grant, authority or identity serves
no request under another.
"""

from routing.upstream.connection import Connection
from routing.upstream.destinations import Destination
from routing.upstream.egress import Grants, Target
from routing.upstream.tls import Identity

Key = tuple[Target, Grants, str | None, Identity | None, str | None]


def key_of(destination: Destination) -> Key:
    return (
        destination.target,
        destination.grants,
        destination.ca_bundle,
        destination.identity,
        destination.unix_path,
    )


class Pool:
    """At most `max_idle` connections wait for each key."""

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._idle: dict[Key, dict[Connection, None]] = {}
        self._forgotten: set[int] = set()  # hashes: a key holds an identity, which was withdrawn

    def take(self, key: Key) -> Connection | None:
        """Return a connection that can be used at once."""
        idle = self._idle.get(key)
        while idle:
            connection, _ = idle.popitem()
            if connection.usable:
                return connection
        return None

    def put(self, key: Key, connection: Connection) -> None:
        if hash(key) in self._forgotten:
            connection.abort()
            return
        idle = self._idle.setdefault(key, {})
        if len(idle) < self._max_idle:
            idle[connection] = None
        else:
            connection.abort()

    def forget(self, key: Key) -> None:
        """Close what waits under a key that is in force no longer; what is under way closes when it is done."""
        self._forgotten.add(hash(key))
        for connection in tuple(self._idle.pop(key, ())):
            connection.abort()

    def welcome(self, key: Key) -> None:
        """Keep connections under this key again: it has come back into force."""
        self._forgotten.discard(hash(key))

    def remove(self, key: Key, connection: Connection) -> None:
        """Forget a connection that is gone, waiting or not."""
        if (idle := self._idle.get(key)) is not None:
            idle.pop(connection, None)
            if not idle:
                del self._idle[key]
