"""The servers of the federation: one model of 24 B parameters in five data centres, on what universities have.

The constants follow from weights, memory bandwidth and FLOP/s of each card. They are plausible, not measured.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class ServerSpec:
    """An engine iteration takes `step + per_context · tokens in context + per_token · tokens computed` seconds."""

    name: str
    owner: str
    step: float
    per_context: float
    per_token: float
    most_running: int
    memory: int
    """Tokens of context that it holds."""
    budget: int = 2048
    """Tokens computed in one iteration at most: prompts are read in chunks."""
    has_metrics: bool = True
    caches_prefixes: bool = True
    weight: float
    """Its share of the fleet's capacity, to weigh idle time."""
    hand_set_limit: int
    """Requests at once that the best operator would set for this load; only peers named `tuned` know it."""


def _h100(owner: str) -> ServerSpec:
    return ServerSpec(
        name=f"H100-{owner}",
        owner=owner,
        step=0.0155,
        per_context=4.9e-8,
        per_token=0.00010,
        most_running=256,
        memory=147_000,
        weight=0.38,
        hand_set_limit=60,
    )


NEWCOMER = _h100("lyon")
"""Joins while the federation is at work."""

MIXED = (
    ServerSpec(
        name="H200-rennes",
        owner="rennes",
        step=0.011,
        per_context=3.4e-8,
        per_token=0.00010,
        most_running=256,
        memory=480_000,
        weight=0.42,
        hand_set_limit=100,
    ),
    _h100("reims"),
    ServerSpec(
        name="A100-paris1",
        owner="paris1",
        step=0.026,
        per_context=8.0e-8,
        per_token=0.00031,
        most_running=256,
        memory=147_000,
        weight=0.13,
        hand_set_limit=30,
    ),
    ServerSpec(
        name="4xV100-lille",
        owner="lille",
        step=0.045,
        per_context=1.8e-7,
        per_token=0.00090,
        most_running=64,
        memory=60_000,
        weight=0.05,
        hand_set_limit=12,
    ),
    ServerSpec(
        name="Ollama-uca",
        owner="uca",
        step=0.055,
        per_context=3.0e-7,
        per_token=0.00040,
        most_running=4,
        memory=33_000,
        budget=512,
        has_metrics=False,
        caches_prefixes=False,
        weight=0.02,
        hand_set_limit=4,
    ),
)

EQUAL = tuple(
    replace(_h100(owner), weight=0.25) for owner in ("rennes", "reims", "paris1", "lille")
)
"""Four equal servers, all with metrics: the setting that peers were made for."""

FLEETS = {"mixed": MIXED, "equal": EQUAL}
