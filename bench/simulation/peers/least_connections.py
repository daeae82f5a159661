"""The server with the fewest requests in flight, by the router's own count; equals by lot."""

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.requests import Request


class LeastConnections(Peer):
    title = "least-connections"

    def pick(self, request: Request) -> Server:
        live = self.live()
        fewest = min(self.running[server.name] for server in live)
        return self.random.choice([each for each in live if self.running[each.name] == fewest])
