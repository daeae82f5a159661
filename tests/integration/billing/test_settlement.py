"""Measured energy is shared out whole: every millijoule is a request's, the host's own use, or idle, exactly once."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.energy import settlement
from billing.energy.metering import store_windows
from billing.energy.settlement import settle_all
from billing.models import EnergyHour, EnergyWindow, UsageHour, UsageRecord
from billing.operations.merging import merge_institutions
from billing.records import intake
from billing.records.checks import findings
from billing.records.rollups import LEVELS, wrong_sums
from federation.fleet.models import Deployment, InferenceServer
from routing.core.accounting import Closed, Energy, Metered
from routing.gateway.meters import Cutter, Moment
from tests.integration.billing.conftest import used
from tests.support.factories import (
    OPERATOR,
    make_application,
    make_institution,
    make_key,
    serve_model,
)
from tests.support.meters import MINUTE, a_probe, a_window
from tests.support.records import attempt

T0 = datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()
LATER = datetime(2026, 3, 10, 20, tzinfo=UTC)


def a_deployment() -> Deployment:
    deployment = serve_model(make_institution("rennes"), "llama")
    model = deployment.version.model
    type(model).objects.filter(pk=model.pk).update(parameters=8, active_parameters=None)
    InferenceServer.objects.filter(pk=deployment.server_id).update(
        gpu_type="H100 SXM 80 GB", gpu_count=2
    )
    return Deployment.objects.select_related("server", "version__model").get(pk=deployment.pk)


class Served:
    """A server with a key that asks it."""

    def __init__(self) -> None:
        self.deployment = a_deployment()
        self.key, _ = make_key(make_application(make_institution("orleans")))
        self.server_id = str(self.deployment.server_id)

    def request(self, start: float, end: float, gpu_mj: int = 1_000_000, **facts: Any) -> Closed:
        """A request that was at the server for these seconds behind T0."""
        there = attempt(
            server_id=self.server_id,
            deployment_id=str(self.deployment.pk),
            started_at=T0 + start,
            ended_at=T0 + end,
        )
        energy = Energy(
            method="model",
            version=1,
            mj=gpu_mj * 2,
            low_mj=gpu_mj,
            high_mj=gpu_mj * 4,
            gpu_mj=gpu_mj,
            batch_milli=1_000,
            pue_milli=1_500,
            factors="FRA-1",
        )
        told = {"finished_at": T0 + end, "attempts": (there,), "energy": energy}
        return used(
            self.key, self.deployment, at=datetime.fromtimestamp(T0 + start, UTC), **told | facts
        )

    def window(self, minute: int, **changes: Any) -> Metered:
        return a_window(self.server_id, T0 + minute * MINUTE, **changes)


@pytest.fixture
def served(db: object) -> Served:
    return Served()


def record(request: Closed) -> UsageRecord:
    return UsageRecord.objects.get(pk=request.opened.id)


def settled() -> list[tuple[int, int, int]]:
    """Return idle, local and attributed energy of every window in joules, in order."""
    rows = EnergyWindow.objects.settled().order_by("start")
    return [
        (each.idle_mj // 1000, each.local_mj // 1000, each.attributed_mj // 1000) for each in rows
    ]


def assert_conserved() -> None:
    """Assert what `check_usage` looks for, and that nothing settled is lost."""
    assert {level: wrong_sums(level) for level in LEVELS} == dict.fromkeys(LEVELS, 0)
    assert [each for each in findings() if "mJ" in each or "measured energy" in each] == []
    told = EnergyWindow.objects.settled().aggregate(
        measured=Sum("measured_mj", default=0),
        shared=Sum("idle_mj", default=0)
        + Sum("local_mj", default=0)
        + Sum("attributed_mj", default=0),
        given=Sum("attributed_mj", default=0),
    )
    assert told["measured"] == told["shared"]
    had = UsageRecord.objects.aggregate(mj=Sum("measured_mj", default=0))["mj"]
    by_hour = EnergyHour.objects.aggregate(mj=Sum("attributed_mj", default=0))["mj"]
    assert had == told["given"] + by_hour


def test_a_request_gets_what_its_minute_drew_beyond_idle(served: Served) -> None:
    request = served.request(10, 30)
    intake.store([request])
    store_windows([served.window(0)])

    assert settle_all(LATER) == 1

    assert settled() == [(6_000, 0, 24_000)]
    row = record(request)
    assert (row.measured_mj, row.covered_ms) == (24_000_000, 20_000)
    assert (row.energy_method, row.energy_version) == ("measured", 1)
    assert row.energy_mj == 48_600_000  # with the rest of the server, 1.35, and the site, 1.5
    assert (row.energy_low_mj, row.energy_high_mj) == (45_000_000, 52_200_000)
    assert row.gpu_mj == 1_000_000  # the work that it was weighed by stays
    assert UsageHour.objects.get().metered_mj == row.energy_mj
    assert_conserved()


def test_a_meter_of_the_whole_server_is_exact(served: Served) -> None:
    request = served.request(10, 30)
    intake.store([request])
    store_windows([served.window(0, scope="server")])
    settle_all(LATER)

    row = record(request)
    assert row.energy_low_mj == row.energy_mj == row.energy_high_mj == 36_000_000


def test_requests_share_by_their_work_and_by_their_time_in_each_minute(served: Served) -> None:
    long, short = served.request(0, 120, 2_000_000), served.request(30, 60, 1_000_000)
    intake.store([long, short])
    store_windows([served.window(0), served.window(1)])
    settle_all(LATER)

    assert record(long).measured_mj == 12_000_000 + 24_000_000
    assert record(short).measured_mj == 12_000_000
    assert record(long).covered_ms == 120_000
    assert_conserved()


def test_a_minute_without_work_is_idle_alone(served: Served) -> None:
    store_windows([served.window(0), served.window(1, mj=5_000_000)])
    settle_all(LATER)

    assert settled() == [(30_000, 0, 0), (5_000, 0, 0)]


def test_what_the_host_itself_has_worked_is_never_the_federations(served: Served) -> None:
    """The server counts four times the tokens that the router sent."""
    request = served.request(
        0, 60, 1_000_000, prompt_tokens=0, cached_tokens=0, completion_tokens=100
    )
    intake.store([request])
    store_windows([served.window(0, tokens=(0, 0, 400))])
    settle_all(LATER)

    window = EnergyWindow.objects.get()
    assert window.local_mj > 0
    assert window.attributed_mj == 24_000_000 - window.local_mj
    assert_conserved()


def test_what_the_router_sent_is_no_use_of_the_host(served: Served) -> None:
    request = served.request(0, 60, prompt_tokens=50, cached_tokens=10, completion_tokens=100)
    intake.store([request])
    store_windows([served.window(0, tokens=(50, 10, 100))])
    settle_all(LATER)

    assert settled() == [(6_000, 0, 24_000)]


def test_an_answer_for_which_nothing_is_left_beyond_idle_keeps_its_model(served: Served) -> None:
    """As of a gauge that shows 0 W for ever: no answer took nothing."""
    request = served.request(0, 60)
    intake.store([request])
    store_windows([served.window(0, mj=0)])
    settle_all(LATER)

    row = record(request)
    assert (row.energy_method, row.energy_mj, row.covered_ms) == ("model", 2_000_000, 60_000)
    assert_conserved()


@pytest.mark.parametrize(
    ("covered_ms", "method"), [(60_000, "measured"), (57_000, "measured"), (56_000, "model")]
)
def test_a_request_is_measured_when_its_time_is_covered(
    served: Served, covered_ms: int, method: str
) -> None:
    request = served.request(0, 60)
    intake.store([request])
    store_windows([served.window(0, covered_ms=covered_ms)])
    settle_all(LATER)

    row = record(request)
    assert row.energy_method == method
    assert row.measured_mj > 0  # the part is its own all the same
    if method == "model":
        assert row.energy_mj == 2_000_000
    assert_conserved()


def test_of_a_request_that_goes_on_the_energy_grows_with_its_windows_in_any_order(
    served: Served,
) -> None:
    request = served.request(30, 150)
    intake.store([request])
    for minute in (2, 0, 1):
        store_windows([served.window(minute)])
        settle_all(LATER)
        assert_conserved()

    assert record(request).measured_mj == 3 * 24_000_000
    assert record(request).energy_method == "measured"


def test_machines_that_nobody_has_described_are_shared_by_time(served: Served) -> None:
    unknown = Energy(method="none", pue_milli=1_500, batch_milli=1_000, factors="FRA-1")
    one, other = served.request(0, 40, energy=unknown), served.request(20, 40, energy=unknown)
    intake.store([one, other])
    store_windows([served.window(0)])
    settle_all(LATER)

    assert (record(one).measured_mj, record(other).measured_mj) == (16_000_000, 8_000_000)
    assert record(one).energy_method == "measured"
    assert UsageHour.objects.get().unknown_energy == 0
    assert_conserved()


def test_a_request_that_failed_elsewhere_first_counts_where_it_was_answered(served: Served) -> None:
    request = served.request(20, 40)
    failed = attempt("lost", server_id=str(UUID(int=5)), started_at=T0, ended_at=T0 + 20)
    tried = replace(request, attempts=(failed, *request.attempts))
    intake.store([tried])
    store_windows([served.window(0), a_window(UUID(int=5), T0)])
    settle_all(LATER)

    assert record(tried).measured_mj == 24_000_000
    assert record(tried).covered_ms == 20_000
    assert_conserved()


def test_a_window_waits_for_the_longest_request(served: Served) -> None:
    store_windows([served.window(0)])
    just_now = datetime.fromtimestamp(T0 + 660 + 59, UTC)

    assert settle_all(just_now) == 0
    store_windows([served.window(11)])
    assert settle_all(just_now) == 0
    store_windows([served.window(12)])  # all that was written before it is stored
    assert settle_all(just_now) == 1
    assert settle_all(just_now + timedelta(hours=1)) == 0
    assert settle_all(LATER) == 2


def test_a_window_from_the_future_lets_no_other_be_settled_too_early(served: Served) -> None:
    """The router's clock was an hour ahead for a while."""
    request = served.request(10, 200)
    store_windows([served.window(60), served.window(0)])
    just_now = datetime.fromtimestamp(T0 + 61, UTC)

    assert settle_all(just_now) == 0
    intake.store([request])
    assert settle_all(LATER) == 2
    assert record(request).measured_mj == 24_000_000
    assert_conserved()


def test_a_server_that_counts_what_no_machine_can_keeps_nobody_from_settling(
    served: Served,
) -> None:
    request = served.request(0, 60)
    intake.store([request])
    store_windows([served.window(0, tokens=(0, 0, 10**18)), served.window(1)])

    assert settle_all(LATER) == 2
    assert EnergyWindow.objects.order_by("start")[0].attributed_mj < 1_000
    assert_conserved()


def test_what_was_at_the_server_before_its_institution_became_a_part_of_another_gets_its_share(
    served: Served,
) -> None:
    request = served.request(10, 30)
    intake.store([request])
    store_windows([served.window(0)])
    host, heir = served.deployment.server.institution, make_institution("angers")
    merge_institutions(by=OPERATOR, old=host, new=heir)
    settle_all(LATER)

    assert record(request).serving_institution_id == host.pk
    assert record(request).measured_mj == 24_000_000
    assert_conserved()


def test_it_gets_its_share_over_however_many_mergers(served: Served) -> None:
    request = served.request(10, 30)
    intake.store([request])
    store_windows([served.window(0)])
    heirs = [served.deployment.server.institution, *map(make_institution, ("angers", "le-mans"))]
    for old, new in pairwise(heirs):
        merge_institutions(by=OPERATOR, old=old, new=new)
    settle_all(LATER)

    assert record(request).measured_mj == 24_000_000
    assert_conserved()


def test_a_record_that_says_more_than_its_columns_hold_is_cut_and_not_refused(
    served: Served,
) -> None:
    crowd = Energy(method="model", mj=1, batch_milli=10**12, pue_milli=1_500, factors="FRA-1")
    request = served.request(10, 30, energy=crowd)

    assert intake.store([request]) == 1
    assert record(request).batch_milli == 2**31 - 1


def test_a_window_is_stored_once_and_what_is_none_is_refused(served: Served) -> None:
    store_windows([served.window(0)])
    store_windows([served.window(0, mj=1), served.window(1)])
    assert EnergyWindow.objects.count() == 2
    assert EnergyWindow.objects.order_by("start")[0].measured_mj == 30_000_000

    unreadable: list[dict[str, Any]] = [{"start": 1e300}, {"server_id": "nobody"}]
    for wrong in unreadable:
        with pytest.raises(DataError):
            store_windows([replace(served.window(2), **wrong)])
    impossible: list[dict[str, Any]] = [{"end": T0}, {"mj": -1}, {"start": 1.0}]
    for wrong in impossible:
        with pytest.raises(IntegrityError), transaction.atomic():
            store_windows([replace(served.window(2), **wrong)])


def test_a_settler_that_dies_in_the_middle_has_done_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = served.request(10, 30)
    intake.store([request])
    store_windows([served.window(0)])

    def lose(*_args: object) -> None:
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr(settlement, "_write", lose)
        with pytest.raises(OperationalError):
            settle_all(LATER)

    assert not EnergyWindow.objects.settled().exists()
    assert record(request).measured_mj == 0
    settle_all(LATER)
    assert record(request).measured_mj == 24_000_000
    assert_conserved()


def test_windows_that_cannot_be_settled_keep_no_other_server_waiting(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest of all is more than a record's column holds, once its site's share is added."""
    request, other = served.request(10, 30), UUID(int=5)
    intake.store([request])
    store_windows([served.window(0, mj=2**62), served.window(1)])
    store_windows([a_window(other, T0 + minute * MINUTE) for minute in range(2, 30)])
    failed = set[UUID]()

    assert settle_all(LATER, failed) == 28
    assert settle_all(LATER, failed) == 0

    assert failed == {served.deployment.server_id}
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    assert served.server_id in caplog.text
    assert not EnergyWindow.objects.settled().exclude(server_id=other).exists()
    assert record(request).measured_mj == 0
    EnergyWindow.objects.filter(measured_mj=2**62).update(measured_mj=30_000_000)
    assert settle_all(LATER) == 2
    assert record(request).measured_mj == 24_000_000
    assert_conserved()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: UsageRecord.objects.update(measured_mj=1),
        lambda: EnergyWindow.objects.update(idle_mj=1, attributed_mj=29_999_999),
    ],
)
def test_what_does_not_add_up_is_found(served: Served, wrong: Callable[[], object]) -> None:
    intake.store([served.request(10, 30)])
    store_windows([served.window(0)])
    settle_all(LATER)
    wrong()

    assert any("mJ of the" in each for each in findings())


def a_history(draw: random.Random, served: Served) -> tuple[list[Closed], list[Metered]]:
    """Requests, and the windows that a router writes of a meter that does what meters do."""
    requests = []
    for _ in range(draw.randrange(12)):
        start = draw.uniform(-300, 900)
        end = start + draw.choice([0, draw.uniform(-5, 1), draw.uniform(0, 300)])
        requests.append(
            served.request(
                start,
                end,
                draw.choice([0, 1, draw.randrange(10_000_000)]),
                completion_tokens=draw.randrange(3_000),
                prompt_tokens=draw.randrange(3_000),
                first_token_at=draw.choice([None, T0 + start + draw.uniform(-1, 5)]),
                http_status=draw.choice([200, 200, 200, 503]),
            )
        )
    probe = a_probe(scope=draw.choice(["gpu", "server"]), idle_w=draw.choice([0.0, 150.0, 900.0]))
    cutter = Cutter(served.server_id, probe)
    now, shift, counter, windows = 0.0, 0.0, draw.uniform(0, 1e12), list[Metered]()
    tokens = (0, 0, 0)
    while now < 900:
        seconds = draw.choice([15.0, 15.0, draw.uniform(1, 90)])
        now += seconds
        shift += draw.choice([0.0] * 30 + [draw.uniform(-400, 400)])
        counter += seconds * draw.uniform(0, 1_000_000)
        if draw.random() < 0.04:
            counter = draw.choice([0.0, counter / 2, counter * 2])
        tokens = (tokens[0] + draw.randrange(400), tokens[1], tokens[2] + draw.randrange(400))
        moment = Moment(now, T0 + now + shift, draw.choice([tokens, tokens, None]), 2 * now)
        if draw.random() < 0.15:
            windows += cutter.miss("unreachable", moment)
        else:
            windows += cutter.take(counter, moment)
    windows += cutter.end()
    return requests, windows


@pytest.mark.django_db
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
def test_over_any_history_every_millijoule_is_shared_out_once(seed: int) -> None:
    draw = random.Random(seed)
    with transaction.atomic():
        requests, windows = a_history(draw, Served())
        waiting: list[Any] = [*requests, *windows, *windows[:3]]
        draw.shuffle(waiting)
        late = waiting[len(waiting) // 2 :]
        for part in (waiting, late):
            intake.store([each for each in part if isinstance(each, Closed)])
            store_windows([each for each in part if isinstance(each, Metered)])
            settle_all(LATER)
            assert_conserved()

        assert EnergyWindow.objects.settled().count() == len(windows)
        told = EnergyWindow.objects.aggregate(mj=Sum("measured_mj", default=0))["mj"]
        assert told == sum(each.mj for each in windows)
        measured = UsageRecord.objects.filter(energy_method="measured")
        assert all(each.measured_mj * 1.5 <= each.energy_high_mj + 1 for each in measured)
        transaction.set_rollback(True)


def at_once(*steps: Callable[[], object]) -> list[Exception]:
    """Take steps in threads of their own; return what went wrong."""
    troubles: list[Exception] = []

    def work(step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # told by the test
            troubles.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return troubles


@pytest.mark.django_db(transaction=True)
def test_settlers_and_writers_at_the_same_time_share_out_each_window_once() -> None:
    served = Served()
    draw = random.Random(7)
    minutes = 40
    requests = [
        served.request(start := draw.uniform(0, 60 * minutes), start + draw.uniform(0, 200))
        for _ in range(120)
    ]
    intake.store(requests[:60])
    store_windows(served.window(minute) for minute in range(minutes))

    def write() -> None:
        for first in range(60, 120, 5):
            intake.store(requests[first : first + 5])

    def settle() -> None:
        while EnergyWindow.objects.filter(settled_at__isnull=True).exists():
            settle_all(LATER)

    troubles = at_once(settle, write, settle, settle)

    assert troubles == []
    assert EnergyWindow.objects.settled().count() == minutes
    assert_conserved()
