"""Why a request got its server: what was decided, in numbers and codes, at the moment of the decision.

Reads only, and before the chosen server is given the request. Not here: words for people (`dashboards.stories`).
"""

from routing.core.candidates import Route
from routing.core.enums import Health, Lane, Reason, Strategy
from routing.core.request import Explanation
from routing.core.serving import Turn

_BY_STRATEGY = {
    Strategy.ROUND_ROBIN: Reason.TURN,
    Strategy.LEAST_BUSY: Reason.LEAST_IN_FLIGHT,
    Strategy.AFFINITY: Reason.CHEAPEST,
}


def explain(turn: Turn, chosen: Route, known_tokens: float, now: float) -> Explanation:
    """Return why `chosen` is given the request of `turn`, of whose prompt it likely knows `known_tokens`."""
    request = turn.request
    strategy = request.room.model.strategy
    return Explanation(
        lane=_lane(turn, chosen),
        mode=request.ticket.mode,
        strategy=strategy,
        reason=_reason(turn, chosen, strategy, known_tokens),
        candidates=turn.candidates,
        free=len(turn.options),
        in_flight=chosen.host.in_flight,
        known_tokens=int(known_tokens),
        waited_ms=max(0, round((now - request.asked_at) * 1000)),
    )


def _lane(turn: Turn, chosen: Route) -> Lane:
    request = turn.request
    if request.attempt > 1:
        return Lane.RETRY
    if turn.lane is Lane.OWNER and not chosen.is_own_of(request.ticket.institution_id):
        return Lane.CLASS  # it was offered its own servers, and took another as a guest
    return turn.lane


def _reason(turn: Turn, chosen: Route, strategy: Strategy, known_tokens: float) -> Reason:
    if chosen.host.health.state is not Health.HEALTHY:
        return Reason.TRIAL
    if turn.candidates == 1:
        return Reason.ONLY_ONE
    if len(turn.options) == 1:
        return Reason.ONLY_FREE
    if strategy is Strategy.AFFINITY and known_tokens >= 1:
        return Reason.KNOWN_PROMPT
    return _BY_STRATEGY[strategy]
