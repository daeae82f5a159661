"""The judge of fault schedules: what it lets pass, and what it complains of."""

import itertools
from typing import Any

import msgspec
import pytest

from routing.core.enums import RequestStatus, Strategy
from routing.core.ids import uuid7
from routing.simulator import Fault
from tests.support.faults.oracle import Seen, judge
from tests.support.faults.schedule import Ask, Schedule, Strike, schedule
from tests.support.records import attempt, closed, opened

MODEL = "model"
ASK = Ask(
    at=5.0,
    model=MODEL,
    institution="orleans",
    stream=True,
    tokens=20,
    words=1,
    patience=None,
)
CRASH = Strike(server="rennes-1", at=4.0, until=6.0, fault=Fault(kind="refuse"))
WHOLE: dict[str, Any] = {"status": 200, "tokens": 20, "done": 1, "model": MODEL, "first": 5.5}


def complaints(*strikes: Strike, served_by: str = "rennes-1", **saw: Any) -> list[str]:
    """Return what the judge says of one request that saw this, on two servers under these strikes."""
    plan = Schedule(
        seed=0,
        strategy=Strategy.ROUND_ROBIN,
        servers=(),
        models={MODEL: ("rennes-1", "reims-1")},
        strikes=strikes,
        asks=(ASK,),
    )
    request = opened(id=str(uuid7()))
    seen = msgspec.convert({"ask": ASK, "sent": 5.0, "ended": 7.0, "id": request.id, **saw}, Seen)
    status = RequestStatus.SERVER_ERROR if seen.error else RequestStatus.OK
    record = closed(request, status=status, server_id="1", attempts=(attempt(server_id="1"),))
    return judge(plan, [seen], [request], [record], {"1": served_by})


def test_a_whole_answer_is_well() -> None:
    assert complaints(**WHOLE) == []


@pytest.mark.parametrize(
    "changes", [{"tokens": 19}, {"done": 0}, {"done": 2}, {"model": "served-name"}]
)
def test_an_answer_that_is_not_whole_or_not_of_this_model_is_not(changes: dict) -> None:
    assert len(complaints(**(WHOLE | changes))) == 1


def test_an_error_before_the_first_byte_is_excused_only_when_every_server_was_ill() -> None:
    other = msgspec.structs.replace(CRASH, server="reims-1")

    assert complaints(CRASH, other, status=503, error="no_server") == []
    (complaint,) = complaints(CRASH, status=503, error="no_server")
    assert complaint.startswith("could have been spared by reims-1")


def test_a_server_is_not_missed_before_anybody_could_know_that_it_is_back() -> None:
    before = msgspec.structs.replace(CRASH, server="reims-1", at=0.5, until=1.5)
    long_before = msgspec.structs.replace(before, at=-30.0, until=-29.0)

    assert complaints(CRASH, before, status=503, error="no_server") == []
    assert len(complaints(CRASH, long_before, status=503, error="no_server")) == 1


def test_a_stream_that_broke_is_excused_only_by_a_fault_of_its_own_server() -> None:
    broken: dict[str, Any] = {"status": 200, "first": 5.5, "error": "answer_interrupted"}

    assert complaints(CRASH, **broken) == []
    assert len(complaints(CRASH, served_by="reims-1", **broken)) == 1


@pytest.mark.parametrize("fault", [Fault(kind="slow"), Fault(kind="hang", path="/metrics")])
def test_slowness_and_broken_metrics_excuse_nothing(fault: Fault) -> None:
    strikes = [
        msgspec.structs.replace(CRASH, server=server, fault=fault)
        for server in ("rennes-1", "reims-1")
    ]

    assert len(complaints(*strikes, status=502, error="server_failed")) == 1


@pytest.mark.parametrize("times", [0, 2])
def test_a_request_that_is_not_accounted_exactly_once_is_complained_of(times: int) -> None:
    request = opened()
    plan = schedule(1)

    assert judge(plan, [], [request], [closed(request)] * times, {}) != []
    assert judge(plan, [], [request], [closed(request)], {}) == []


def test_a_seed_makes_the_same_schedule_each_time_and_another_seed_another() -> None:
    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)


@pytest.mark.parametrize("seed", range(20))
def test_faults_of_one_server_follow_each_other(seed: int) -> None:
    plan = schedule(seed)
    for server in plan.servers:
        own = [strike for strike in plan.strikes if strike.server == server.name]
        assert all(one.until <= other.at for one, other in itertools.pairwise(own))
