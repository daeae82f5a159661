"""What probes ask: does the process live, and may it be given requests. Plain text, without a key."""

from routing.gateway.gateway import Gateway

LIVE = "OK"


def readiness(gateway: Gateway) -> tuple[int, str]:
    """Return status and text: ready with a whole table and a spool that takes lines."""
    if not gateway.table.complete:
        return 503, "KO: the table of keys, models and servers is not there yet"
    if not gateway.spool.writable:
        return 503, "KO: usage cannot be written down"
    return 200, LIVE
