"""Where attempts are counted (`CACHES`): Django's table of a cache, each write one statement.

Django's own backend counts the whole table before each write, to cull it. Here the worker deletes every hour what
is over (`tasks`).
"""

import base64
import pickle
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connection
from django.utils import timezone


class CounterCache(DatabaseCache):
    """A cache in the database for small values that live for minutes and are written at every attempt."""

    _table: str  # set by Django's own class

    def add(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Write a value where none lives; of several at the same moment one says that it did."""
        free = f"WHERE {self._quoted}.expires <= %s"
        return self._write(key, value, timeout, version, free, timezone.now())

    def set(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        self._write(key, value, timeout, version)

    @property
    def _quoted(self) -> str:
        return connection.ops.quote_name(self._table)

    def _write(
        self,
        key: Any,
        value: Any,
        timeout: float | None,
        version: int | None,
        condition: str = "",
        *given: Any,
    ) -> bool:
        ends = self.get_backend_timeout(timeout)
        expires = (
            datetime.max.replace(tzinfo=UTC) if ends is None else datetime.fromtimestamp(ends, UTC)
        )
        text = base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode()
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {self._quoted} (cache_key, value, expires) VALUES (%s, %s, %s) "  # noqa: S608
                "ON CONFLICT (cache_key) DO UPDATE "
                f"SET value = excluded.value, expires = excluded.expires {condition}",
                [self.make_and_validate_key(key, version=version), text, expires, *given],
            )
            return bool(cursor.rowcount)
