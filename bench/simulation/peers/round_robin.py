"""Each server in its turn."""

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.requests import Request


class RoundRobin(Peer):
    title = "round-robin"
    _turn = 0

    def pick(self, request: Request) -> Server:
        live = self.live()
        self._turn += 1
        return live[self._turn % len(live)]
