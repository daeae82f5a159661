"""A declared fallback: the order and the ticket for the model that serves where nobody can serve the one asked for.

Whether it comes to that is decided behind the door (`routing.core.minimum`). Here is what must hold for it: the key
may use the fallback, the client has not declined it, and where the request may go stays as it was. One step only.
"""

import msgspec

from routing.core.enums import RoutingMode
from routing.core.stops import Stops
from routing.core.table import Table
from routing.dispatch.messages import Refusal, RefusalCode, Ticket
from routing.gateway.admission import Order, is_hosted

FALLBACK = b"x-ilaas-fallback"
DECLINED = b"none"
TOLD = frozenset(
    {
        *(RefusalCode.FULL, RefusalCode.LIMIT, RefusalCode.OVER_LIMIT, RefusalCode.THRESHOLD),
        *(RefusalCode.BUDGET, RefusalCode.BUDGET_IN_USE, RefusalCode.BUDGET_UNKNOWN),
    }
)
"""Refusals of the fallback from which a client learns what it can do; after others it hears of its own model."""


def stand_in(
    table: Table, stops: Stops, order: Order, refusal: Refusal, wish: bytes
) -> Order | None:
    """Return the order as the fallback serves it, None when it does not; `wish` is the client's header."""
    model = table.names.names.models.get(refusal.fallback_id or "")
    if model is None or wish.strip().lower() == DECLINED:
        return None
    if not order.principal.may_use(model) or stops.stops_model(model.id):
        return None
    institution_id = order.principal.institution_id
    if order.mode is not RoutingMode.ANY and not is_hosted(table, model, institution_id):
        return None
    return msgspec.structs.replace(order, model=model)


def ticket_for(ticket: Ticket, order: Order, attempts: int, waited_ms: int) -> Ticket:
    """Return the ticket for the fallback: in the place in the line, and until the deadline, that the request had."""
    return msgspec.structs.replace(
        ticket,
        model_id=order.model.id,
        attempt=attempts + 1,
        waited_ms=waited_ms,
        deadline_in_ms=max(0, ticket.deadline_in_ms - waited_ms),
    )
