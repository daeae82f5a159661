"""How a server is chosen among those that could start a request now: a strategy per model, a file per strategy.

To add one: a file with a function of the type `Choose`, a name in `routing.core.enums.Strategy`, a line here.
"""

from routing.core.enums import Strategy
from routing.core.selection.affinity import affinity
from routing.core.selection.choice import Choose
from routing.core.selection.least_busy import least_busy
from routing.core.selection.round_robin import round_robin

STRATEGIES: dict[Strategy, Choose] = {
    Strategy.ROUND_ROBIN: round_robin,
    Strategy.LEAST_BUSY: least_busy,
    Strategy.AFFINITY: affinity,
}
