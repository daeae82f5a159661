"""What is written down of a request, however often it was tried."""

import time
from pathlib import Path

from routing.core.accounting import Closed, Opened, read_frames
from routing.core.enums import RequestStatus
from routing.core.ids import uuid7
from routing.core.occupancy import Occupancy
from routing.core.retry import Failure
from routing.core.usage import Usage
from routing.dispatch.local import LocalDispatcher
from routing.dispatch.messages import OK, Grant
from routing.gateway.entry import MOST_ATTEMPTS, Entry
from routing.gateway.metrics import Metrics
from routing.gateway.spool import Spool
from tests.support.decisions import an_explanation


def opened(received_at: float = 1.0) -> Opened:
    return Opened(
        id=str(uuid7()),
        client_request_id="",
        key_id=str(uuid7()),
        application_id=str(uuid7()),
        institution_id=str(uuid7()),
        model_id=str(uuid7()),
        model_asked="mistral-small",
        endpoint="chat/completions",
        stream=True,
        priority=3,
        received_at=received_at,
        prompt_estimate=10,
    )


def a_grant(attempt: int) -> Grant:
    return Grant(
        id="t1",
        attempt=attempt,
        server_id=str(uuid7()),
        deployment_id=str(uuid7()),
        epoch=1,
        explain=an_explanation(),
    )


def test_a_request_that_met_full_servers_for_long_is_accounted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "i", 0)
    entry = Entry(spool, LocalDispatcher(), Metrics(), Occupancy(), opened())
    grants = [a_grant(number) for number in range(1, 501)]
    for grant in grants[:-1]:
        entry.begin_attempt(grant)
        entry.fail_attempt(Failure.FULL)
    entry.begin_attempt(grants[-1])

    entry.close(OK, RequestStatus.OK, 200, Usage())

    spool.close()
    (file,) = tmp_path.iterdir()
    *_, (_, closed) = read_frames(file.read_bytes())
    assert isinstance(closed, Closed)
    assert closed.server_id == grants[-1].server_id
    assert closed.attempts[0].server_id == grants[0].server_id
    assert len(closed.attempts) == MOST_ATTEMPTS + 1


def test_a_clock_that_is_set_back_ends_no_request_before_it_came(tmp_path: Path) -> None:
    spool, came = Spool(tmp_path, "i", 0), time.time() + 3600
    entry = Entry(spool, LocalDispatcher(), Metrics(), Occupancy(), opened(came))

    entry.close(OK, RequestStatus.OK, 200, Usage())

    spool.close()
    (file,) = tmp_path.iterdir()
    *_, (_, closed) = read_frames(file.read_bytes())
    assert isinstance(closed, Closed)
    assert closed.finished_at == came
