"""What the router sees of a server while it relays: the tokens of its streams, and its gauges.

Nothing is seen of whole answers before their end. Tokens count from a stream's second: gaps lie between tokens.
"""

from bench.simulation.engine import Server
from routing.core.request import Gauges, Progress


class Tap:
    """On one server's streams. Times in seconds; a report covers the time since the one before."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._streams: dict[int, float | None] = {}
        """By request, since when the present report counts it; None before its first token."""
        self._closed_seconds = 0.0
        self._tokens_told = 0

    def open(self, request_id: int) -> None:
        self._streams[request_id] = None

    def first_token(self, request_id: int, now: float) -> None:
        self._streams[request_id] = now

    def close(self, request_id: int, now: float) -> None:
        since = self._streams.pop(request_id, None)
        if since is not None:
            self._closed_seconds += now - since

    def progress(self, now: float) -> Progress | None:
        """Return the report that is due, None when no stream is open."""
        server, streams = self._server, self._streams
        seconds = self._closed_seconds
        for request_id, since in streams.items():
            if since is not None:
                seconds += now - since
                streams[request_id] = now
        tokens = server.stream_tokens - self._tokens_told
        self._closed_seconds, self._tokens_told = 0.0, server.stream_tokens
        if not streams:
            return None
        return Progress(
            server_id=server.name,
            tokens=tokens,
            stream_ms=round(seconds * 1000),
            silent_ms=round((now - server.last_stream_token_at) * 1000),
        )


def gauges_of(server: Server, ours: int) -> Gauges | None:
    """Return what the server's `/metrics` says, None when it has none or is down; a hung one still answers."""
    if not server.spec.has_metrics or not server.is_up:
        return None
    return Gauges(
        server_id=server.name,
        running=server.running,
        waiting=len(server.waiting),
        memory_use=server.memory_use,
        memory=server.spec.memory,
        ours=ours,
    )
