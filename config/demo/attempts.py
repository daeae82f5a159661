"""Attempts of the invented past: where a request went, until when, and why there. Pure."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from config.demo.fleet import Speed
from routing.core.accounting import Attempt
from routing.core.enums import Lane, Reason, RoutingMode, Strategy
from routing.core.request import Explanation
from routing.core.table import Machine


class Runner(NamedTuple):
    """A deployment of a model. `tells_usage`: whether the server counts tokens itself, also in streams."""

    server_id: str
    deployment_id: str
    served_name: str
    institution: str
    speed: Speed
    tells_usage: bool
    machine: Machine


class Offered(NamedTuple):
    """A model as it is asked for, and where it runs."""

    id: str
    slug: str
    context_length: int
    reasons: bool
    hears: bool
    takes_turns: bool
    runners: tuple[Runner, ...]


def attempt(
    runner: Runner, begun: float, ended: float, outcome: str, reason: Explanation
) -> Attempt:
    return Attempt(
        server_id=runner.server_id,
        deployment_id=runner.deployment_id,
        started_at=begun,
        outcome=str(outcome),
        ended_at=ended,
        explanation=reason,
    )


def why(
    model: Offered,
    runners: Sequence[Runner],
    draw: Random,
    *,
    busy: float = 0.0,
    known: int = 0,
    is_retry: bool = False,
) -> Explanation:
    """Return why the first of those who could serve a request was given it. Nobody ever waits in this past."""
    free = draw.randint(1, len(runners))
    if len(runners) == 1:
        reason = Reason.ONLY_ONE
    elif free == 1:
        reason = Reason.ONLY_FREE
    elif model.takes_turns:
        reason = Reason.TURN
    else:
        reason = Reason.KNOWN_PROMPT if known else Reason.CHEAPEST
    return Explanation(
        lane=Lane.RETRY if is_retry else Lane.CLASS,
        mode=RoutingMode.ANY,
        strategy=Strategy.ROUND_ROBIN if model.takes_turns else Strategy.AFFINITY,
        reason=reason,
        candidates=len(runners),
        free=free,
        in_flight=int(busy * draw.uniform(0, 12)),
        known_tokens=known,
        waited_ms=0,
    )
