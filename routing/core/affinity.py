"""Which server has read the beginning of a prompt before, and how far to believe that it still knows it.

A ticket carries hashes of its text's first ½, 1, 2 … 64 KiB; the longest that a server has seen tells how many
tokens it need not read again. If a prompt ended behind it, the new one goes on from there: a conversation's next
turn. Engines forget, so belief falls with age at the rate at which predictions were borne out by the cached
tokens that servers report.
"""

from collections import OrderedDict
from collections.abc import Sequence
from zlib import crc32

from routing.core.usage import BYTES_PER_TOKEN

FIRST_BYTES = 512
MOST_HASHES = 8
MOST_REMEMBERED = 20_000
AGES = (10.0, 30.0, 120.0)
"""Seconds; between them belief is learnt apart."""
_BELIEF = (0.9, 0.8, 0.6, 0.3)
_LEARNS = 0.08


def tokens_behind(index: int) -> float:
    """Return about how many tokens the hash at `index` of a ticket stands for."""
    return (FIRST_BYTES << index) / BYTES_PER_TOKEN


def prefix_hashes(text: memoryview) -> tuple[int, ...]:
    """Return a hash of each beginning of `text` whose length is a step: each one goes on from the one before."""
    hashes: list[int] = []
    start, end, value = 0, FIRST_BYTES, 0
    while end <= len(text) and len(hashes) < MOST_HASHES:
        value = crc32(text[start:end], value)
        hashes.append(value << 4 | len(hashes))
        start, end = end, 2 * end
    return tuple(hashes)


class Affinity:
    """Of one model. Servers are named by their id."""

    __slots__ = ("_belief", "_reports", "_seen")

    def __init__(self) -> None:
        self._seen: OrderedDict[int, dict[str, tuple[float, float]]] = OrderedDict()
        self._belief: dict[str, list[float]] = {}
        self._reports: set[str] = set()

    def known_to(self, prefix: Sequence[int], now: float) -> dict[str, tuple[float, int]]:
        """Return, by server, the tokens at the prompt's beginning that it likely knows, and the age's class."""
        known: dict[str, tuple[float, int]] = {}
        for index in range(len(prefix) - 1, -1, -1):
            for server_id, (at, tokens) in self._seen.get(prefix[index], {}).items():
                if server_id not in known:
                    age = _age_class(now - at)
                    belief = self._belief.get(server_id, _BELIEF)[age]
                    known[server_id] = tokens * belief, age
        return known

    def note(self, prefix: Sequence[int], tokens: float, server_id: str, now: float) -> None:
        """Remember that a server has read a text of `tokens`, or written its end."""
        last = len(prefix) - 1
        for index, value in enumerate(prefix):
            servers = self._seen.setdefault(value, {})
            servers[server_id] = now, tokens if index == last else tokens_behind(index)
            self._seen.move_to_end(value)
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)

    def forget(self, server_id: str) -> None:
        """A server was away: what it knew is gone."""
        for servers in self._seen.values():
            servers.pop(server_id, None)

    def settle(self, server_id: str, age: int, predicted: float, cached: int) -> None:
        """Learn from what a server says it knew; one that never says so is left as it was."""
        if cached:
            self._reports.add(server_id)
        if server_id not in self._reports or predicted <= 0:
            return
        belief = self._belief.setdefault(server_id, list(_BELIEF))
        full = predicted / max(belief[age], 0.01)
        belief[age] += _LEARNS * (min(1.0, cached / full) - belief[age])


def _age_class(age: float) -> int:
    return sum(age >= bound for bound in AGES)
