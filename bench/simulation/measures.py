"""What is measured of a run: one number per name, of the requests that arrived in the scenario's window.

A request without a first token counts with the time for which it waited, so 45 s reads "the client gave up".
NaN stands for "nothing to measure".
"""

import math
from collections import defaultdict

from bench.simulation.arithmetic import fair_shares, jain, percentile
from bench.simulation.honesty import answers_in_time, retry_after_honesty
from bench.simulation.minimum import minimum_shares
from bench.simulation.requests import Request, Status
from bench.simulation.run import Run, cost
from bench.simulation.scenarios import FAULT_AT

FIRST_TOKEN_LIMIT = {5: 2.0, 4: 3.0, 3: 5.0}
"""Seconds to the first token that a chat of a class may take; lower classes as class 3."""
GAP_LIMIT = 0.100
"""Seconds between tokens at which people read."""
OWNERS_START = 135.0
GREEDY_INSTITUTION = "lille"
NEWCOMER_SECONDS = 60.0
"""Time that a new server is given to find its load."""

Measures = dict[str, float]


def measure(run: Run) -> Measures:
    """Return all measures of a run that is over."""
    return {
        "requests": len(run.requests),
        **_first_tokens(run),
        **_service(run),
        **_endings(run),
        **_lowest_class(run),
        **_fleet(run),
        **_faults(run),
        **minimum_shares(run),
        **retry_after_honesty(run),
        **answers_in_time(run),
    }


def gap(request: Request) -> float | None:
    """Return the seconds between tokens, None when the answer was not completed."""
    if request.finished_at and request.first_token_at:
        seconds = request.finished_at - request.first_token_at
        return seconds / max(1, request.output - 1)
    return None


def in_slo(run: Run, request: Request) -> bool:
    """Say whether a request was served as its reader wishes: soon, and as fast as one reads."""
    if request.status is not Status.DONE:
        return False
    if run.waited(request) > FIRST_TOKEN_LIMIT[max(3, request.priority)]:
        return False
    between = gap(request)
    return request.output < 3 or (between is not None and between <= GAP_LIMIT)


def _first_tokens(run: Run) -> Measures:
    """Seconds to the first token, by class (owners apart), of owners, and of those beside a greedy one."""
    found: Measures = {}
    answered = [each for each in run.requests if each.status is not Status.REFUSED]
    for level in range(1, 6):
        waits = [
            run.waited(each) for each in answered if each.priority == level and not each.is_owners
        ]
        found[f"ttft_p50_P{level}"] = percentile(waits, 50)
        found[f"ttft_p99_P{level}"] = percentile(waits, 99)
    owners = [each for each in answered if each.is_owners]
    waits = [run.waited(each) for each in owners]
    found["owner_ttft_p50"], found["owner_ttft_p99"] = percentile(waits, 50), percentile(waits, 99)
    first = [run.waited(each) for each in owners if each.arrived_at < OWNERS_START]
    found["owner_start_ttft_p99"] = percentile(first, 99)
    top = [each for each in run.requests if each.priority == 5]
    greedy = [run.waited(each) for each in top if each.institution == GREEDY_INSTITUTION]
    others = [run.waited(each) for each in top if each.institution != GREEDY_INSTITUTION]
    found["greedy_ttft_p99"] = percentile(greedy, 99)
    found["others_ttft_p50"], found["others_ttft_p99"] = (
        percentile(others, 50),
        percentile(others, 99),
    )
    return found


def _service(run: Run) -> Measures:
    """How many were served well, and how much was written."""
    since, before = run.scenario.since, run.scenario.before
    stayed = [each for each in run.chats if each.status is not Status.HUNG_UP]
    good = sum(in_slo(run, each) for each in stayed)
    gaps = [between for each in stayed if each.output > 10 and (between := gap(each)) is not None]
    completed = [
        each
        for each in run.world.requests
        if each.status is Status.DONE and each.finished_at and since <= each.finished_at < before
    ]
    whole = [each for each in completed if not each.is_streamed]
    third = [each for each in stayed if each.priority == 3]
    owners = [each for each in run.requests if each.is_owners]
    return {
        "chats_in_slo": good / max(1, len(stayed)),
        "chats_in_slo_per_s": good / run.seconds,
        "P3_in_slo": sum(in_slo(run, each) for each in third) / max(1, len(third)),
        "owner_in_slo": sum(in_slo(run, each) for each in owners) / len(owners)
        if owners
        else math.nan,
        "tokens_per_s": sum(each.output for each in completed) / run.seconds,
        "batch_tokens_per_s": sum(each.output for each in whole) / run.seconds,
        "gap_ms_p50": percentile(gaps, 50) * 1e3,
        "gap_ms_p99": percentile(gaps, 99) * 1e3,
    }


def _endings(run: Run) -> Measures:
    """How requests ended that did not end well, as shares and as numbers."""
    requests, total = run.requests, max(1, len(run.requests))
    errors = [each for each in requests if each.status is Status.ERROR]
    refused = sum(each.status is Status.REFUSED for each in requests)
    unserved = (Status.GAVE_UP, Status.SENT, Status.QUEUED)
    before_first = sum(each.first_token_at is None or not each.is_streamed for each in errors)
    return {
        "errors": len(errors) / total,
        "gave_up": sum(each.status in unserved for each in requests) / total,
        "refused": refused / total,
        "error_count": len(errors),
        "errors_before_first_byte": before_first,
        "failed_before_first_byte": before_first + refused,
    }


def _lowest_class(run: Run) -> Measures:
    """How evenly batches of class 1 are served among institutions that ask for unequal amounts."""
    before = run.scenario.before
    demand: dict[str, float] = defaultdict(float)
    served: dict[str, float] = defaultdict(float)
    for each in run.world.requests:
        if each.priority == 1 and not each.is_streamed:
            if each.arrived_at < before:
                demand[each.institution] += cost(each)
            if each.first_token_at and each.first_token_at < before:
                served[each.institution] += cost(each)
    fair = fair_shares(demand, sum(served.values()))
    portions = [served[each] / fair[each] for each in demand if fair[each] > 0]
    lowest = [each for each in run.requests if each.priority == 1]
    begun = sum(each.first_token_at is not None and each.first_token_at < before for each in lowest)
    return {
        "jain_P1": jain(portions) if portions else math.nan,
        "least_portion_P1": min(portions) if portions else math.nan,
        "served_P1": begun / max(1, len(lowest)),
    }


def _fleet(run: Run) -> Measures:
    """What became of the servers' work."""
    world, servers = run.world, run.world.servers
    work = sum(server.tokens_read + server.tokens_written for server in servers)
    done = [each for each in run.chats if each.status is Status.DONE]
    at_engines = sum(server.running + len(server.waiting) for server in servers)
    found: Measures = {
        "waste": sum(server.tokens_wasted for server in servers) / max(1, work),
        "idle_while_waiting": world.idle / max(1, world.looks),
        "preemptions": sum(server.preemptions for server in servers),
        "prefix_hits": sum(each.cached for each in done)
        / max(1, sum(each.prompt for each in done)),
        "engine_queue_p95": percentile(_engine_queues(run), 95),
        "places_leaked": world.policy.in_flight() - at_engines,
    }
    for server in servers:
        served = sum(each.server is server and each.status is Status.DONE for each in run.requests)
        found[f"served_by {server.name}"] = served / max(1, len(run.requests))
    return found


def _engine_queues(run: Run) -> list[int]:
    """Return how many waited in the engines of servers with metrics, at each second of the window."""
    series, scenario = run.world.series, run.scenario
    lengths: list[int] = []
    for server in run.world.servers:
        if server.spec.has_metrics:
            queued = series.queued[server.name]
            times = series.times[-len(queued) :]
            lengths += [
                length
                for time, length in zip(times, queued, strict=True)
                if scenario.since <= time < scenario.before
            ]
    return lengths


def _faults(run: Run) -> Measures:
    """When a broken server was set aside, and how much a new one did beside its twin once it had had time."""
    world, fault = run.world, run.world.fault
    noticed = fault.noticed_at if fault else None
    found: Measures = {"noticed_after_s": math.nan, "newcomer_work": math.nan}
    if fault and noticed is not None:
        found["noticed_after_s"] = noticed - fault.at
    if world.newcomer:
        begins = FAULT_AT + NEWCOMER_SECONDS
        twin = next(each for each in world.servers if each.spec.step == world.newcomer.spec.step)
        begun = [each for each in run.requests if each.sent_at and each.sent_at >= begins]
        at_twin = sum(cost(each) for each in begun if each.server is twin)
        at_newcomer = sum(cost(each) for each in begun if each.server is world.newcomer)
        found["newcomer_work"] = at_newcomer / max(1.0, at_twin)
    return found
