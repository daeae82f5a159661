"""vllm-router and sglang-router, `power_of_two`: the less busy of two drawn by lot; 5 retries, a circuit breaker."""

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.requests import Request


class PowerOfTwo(Peer):
    title = "power-of-two (vllm-router)"
    retries = 5
    breaker = 10

    def pick(self, request: Request) -> Server:
        live = self.live()
        one, other = self.random.sample(live, 2) if len(live) > 1 else (live[0], live[0])
        return one if self.running[one.name] <= self.running[other.name] else other
