"""All policies by the names that the command line knows them by."""

from collections.abc import Mapping
from functools import partial

from bench.simulation.ours import Ours
from bench.simulation.peers.aristote import Aristote, AristoteLeastBusy, AristoteTuned
from bench.simulation.peers.chwbl import BoundedHashing
from bench.simulation.peers.least_connections import LeastConnections
from bench.simulation.peers.llmd import Concurrency, FlowControl, Oracle
from bench.simulation.peers.power_of_two import PowerOfTwo
from bench.simulation.peers.round_robin import RoundRobin
from bench.simulation.peers.stale_gauges import StaleGauges
from bench.simulation.policy import MakePolicy
from routing.core.enums import Limiting, Strategy

OURS = "ours"

PEERS: Mapping[str, MakePolicy] = {
    "round-robin": RoundRobin,
    "aristote": Aristote,
    "aristote-tuned": AristoteTuned,
    "aristote-least-busy": AristoteLeastBusy,
    "least-connections": LeastConnections,
    "stale-gauges": StaleGauges,
    "power-of-two": PowerOfTwo,
    "chwbl": BoundedHashing,
    "llmd": FlowControl,
    "llmd-concurrency": Concurrency,
    "llmd-tuned": Oracle,
}

SETTINGS: Mapping[str, MakePolicy] = {
    "ours-rr": partial(
        Ours,
        title="ours: round robin, no limits",
        strategy=Strategy.ROUND_ROBIN,
        limiting=Limiting.NONE,
    ),
    "ours-rr-given": partial(
        Ours,
        title="ours: round robin, given limits",
        strategy=Strategy.ROUND_ROBIN,
        limiting=Limiting.GIVEN,
    ),
    "ours-lb-statistics": partial(
        Ours,
        title="ours: least busy, statistics",
        strategy=Strategy.LEAST_BUSY,
        limiting=Limiting.STATISTICS,
    ),
}
"""The three rows of the predecessor's table, as settings of the real core."""

POLICIES: Mapping[str, MakePolicy] = {**PEERS, **SETTINGS, OURS: Ours}
USUAL = (*PEERS, OURS)
"""Those that are compared unless others are named."""
