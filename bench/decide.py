"""What a decision costs: CPU of one request from offer to end, when nobody has to wait.

    python bench/decide.py [REQUESTS]

40 institutions, 20 servers of one model, 200 requests in flight; the strategy is said on each line. Then what
events cost when 700 wait: an end that lets the head in, a failure after which all are looked at again, and an
arrival in each case.
"""

import sys
import time
from collections import deque
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from routing.core.assignment import Decider  # noqa: E402
from routing.core.enums import RoutingMode, Strategy  # noqa: E402
from routing.core.request import OK, Ended, FirstToken, Grant, Ticket  # noqa: E402
from routing.core.retry import Failure  # noqa: E402
from tests.support.decisions import a_model, a_server, a_table, a_ticket  # noqa: E402

REQUESTS = 50_000
IN_FLIGHT = 200
WAITING = 700
INSTITUTIONS = 40
SERVERS = [f"i{number % INSTITUTIONS}-{number}" for number in range(20)]


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    for strategy in Strategy:
        for mode in (RoutingMode.ANY, RoutingMode.PRIVATE_FIRST):
            print(f"{strategy:12} {mode:14} {measure(strategy, mode, requests):6.1f} µs a request")
    for outcome in (OK, Failure.SERVER_ERROR):
        ended, arrived = measure_crowd(outcome)
        print(f"{WAITING} wait, {outcome:12} {ended:8.1f} µs an end, {arrived:6.1f} an arrival")


def measure_crowd(outcome: str, rounds: int = 200) -> tuple[float, float]:
    """Return microseconds of CPU per end of an attempt, and per arrival, while `WAITING` tickets wait."""
    decider = Decider()
    servers = [a_server(name, max_parallel=10) for name in SERVERS]
    decider.replace_table(a_table(servers), 0.0)
    running = deque[Grant]()
    # One key's failures: too few here to eject a server.
    tickets = [
        a_ticket(f"t{number}", institution_id=f"i{number % INSTITUTIONS}", key_id="k")
        for number in range(len(SERVERS) * 10 + WAITING + rounds)
    ]
    for ticket in tickets[:-rounds]:
        running += [each for each in decider.offer(ticket, 0.0) if isinstance(each, Grant)]
    ends, arrivals = [], []
    for number, ticket in enumerate(tickets[-rounds:]):
        now = number * 0.01
        oldest = running.popleft()
        event = Ended(id=oldest.id, attempt=1, outcome=outcome)
        began = time.process_time()
        decisions = decider.report(event, now)
        ended = time.process_time()
        decider.offer(ticket, now)
        ends.append(ended - began)
        arrivals.append(time.process_time() - ended)
        running += [each for each in decisions if isinstance(each, Grant)]
    return mean(ends) * 1e6, mean(arrivals) * 1e6


def measure(strategy: Strategy, mode: RoutingMode, requests: int) -> float:
    """Return microseconds of CPU per request: offer, first token, end."""
    decider = Decider()
    servers = [a_server(name, max_parallel=64) for name in SERVERS]
    decider.replace_table(a_table(servers, [a_model(*SERVERS, strategy=strategy)]), 0.0)
    tickets = [
        a_ticket(f"t{number}", institution_id=f"i{number % INSTITUTIONS}", mode=mode)
        for number in range(requests)
    ]
    began = time.process_time()
    run(decider, tickets)
    return (time.process_time() - began) / requests * 1e6


def run(decider: Decider, tickets: list[Ticket]) -> None:
    running: deque[Grant] = deque()
    now = 0.0
    for ticket in tickets:
        now += 0.01
        (grant,) = decider.offer(ticket, now)
        assert isinstance(grant, Grant)
        running.append(grant)
        decider.report(FirstToken(id=grant.id, attempt=1, after_ms=1), now)
        if len(running) > IN_FLIGHT:
            oldest = running.popleft()
            decider.report(Ended(id=oldest.id, attempt=1, outcome=OK), now)


if __name__ == "__main__":
    main()
