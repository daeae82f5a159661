"""A connection that ended between its making and its first request says so, instead of waiting for ever."""

import asyncio

import pytest

from routing.upstream.connection import Connection
from routing.upstream.errors import ConnectionLost
from routing.upstream.patience import Patience


class Ended(asyncio.Transport):
    """What is left of a connection whose server has hung up at once."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is nothing to write."""

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        """It is closed."""


async def test_a_connection_that_is_gone_takes_no_request() -> None:
    connection = Connection(Patience(), lambda _: None, lambda _: None)
    connection.connection_made(Ended())
    connection.connection_lost(None)
    with pytest.raises(ConnectionLost) as lost:
        await connection.exchange(b"GET", b"", bodiless=False, head_s=600, idle_s=600)
    assert lost.value.early
    assert connection.gone.done()
