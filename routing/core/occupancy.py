"""How many requests a server works on at a time, on average over a stretch: what an answer's energy depends on most.

Ours are counted as they begin and end. What the server says that it runs, where it has metrics, corrects them for a
while: by other people's requests, or by ours that it lets wait.
"""

from dataclasses import dataclass

CORRECTED_SECONDS = 15.0
"""How long a server's own word holds."""
MOST_AT_ONCE = 10_000
"""What a server is believed that it works on: a record holds no more, and no engine does."""
_MILLI = 1_000


@dataclass(slots=True)
class _Server:
    ours: int = 0
    others: int = 0
    others_until: float = 0.0
    area: float = 0.0
    at: float = 0.0

    def grow(self, now: float) -> None:
        """Add what ran since the last change."""
        if now <= self.at:
            return
        corrected = max(min(now, self.others_until) - self.at, 0.0)
        plain = now - self.at - corrected
        self.area += max(self.ours + self.others, 1) * corrected + max(self.ours, 1) * plain
        self.at = now


class Occupancy:
    """Of all servers. `now` in seconds of one clock that does not go back; servers that are gone cost a few bytes."""

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}

    def begin(self, server_id: str, now: float) -> float:
        """Note that a request begins; return the mark by which `mean_milli` knows the stretch."""
        server = self._server(server_id, now)
        server.ours += 1
        return server.area

    def end(self, server_id: str, now: float) -> None:
        """Note that a request has ended."""
        server = self._server(server_id, now)
        server.ours = max(server.ours - 1, 0)

    def hear(self, server_id: str, running: int, now: float) -> None:
        """Note how many the server says that it works on."""
        server = self._server(server_id, now)
        running = min(running, MOST_AT_ONCE)
        server.others, server.others_until = running - server.ours, now + CORRECTED_SECONDS

    def mean_milli(self, server_id: str, mark: float, began: float, now: float) -> int:
        """Return the requests at a time since `began`, thousandths, at least one: itself."""
        server = self._server(server_id, now)
        if now <= began:
            return max(server.ours, 1) * _MILLI
        return max(round((server.area - mark) / (now - began) * _MILLI), _MILLI)

    def mark(self, server_id: str, now: float) -> float:
        """Return the mark of this moment, of which the difference to a later one is requests times seconds."""
        return self._server(server_id, now).area

    def _server(self, server_id: str, now: float) -> _Server:
        server = self._servers.get(server_id)
        if server is None:
            server = self._servers[server_id] = _Server(at=now)
        server.grow(now)
        return server
