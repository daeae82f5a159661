"""A model on a server is calibrated by an hour of whole minutes with work, and no record is changed by it."""

from datetime import timedelta

import pytest

from billing.energy.calibration import calibrate_all
from billing.energy.metering import machine_told, store_windows
from billing.energy.settlement import settle_all
from billing.models import EnergyCalibration, EnergyWindow, UsageRecord
from billing.records import intake
from federation.fleet.models import EnergyProbe
from federation.fleet.operations.probes import set_probe
from tests.integration.billing.test_settlement import LATER, Served
from tests.integration.federation.world import METER
from tests.support.factories import OPERATOR

NOW = LATER + timedelta(days=1)


@pytest.fixture
def served(db: object) -> Served:
    return Served()


def minutes(served: Served, count: int, **changes: object) -> None:
    """Whole minutes in each of which a request worked for 20 kJ by the model, and the meter tells 24 kJ of it."""
    probe = EnergyProbe.objects.in_force().first() or set_probe(
        by=OPERATOR, server=served.deployment.server, described=METER
    )
    intake.store([served.request(60 * n + 5, 60 * n + 50, gpu_mj=20_000_000) for n in range(count)])
    store_windows(served.window(n, probe_id=str(probe.pk), **changes) for n in range(count))
    settle_all(LATER)


def test_an_hour_of_minutes_tells_by_how_much_the_model_errs(served: Served) -> None:
    minutes(served, 60)
    before = list(UsageRecord.objects.order_by("pk").values())

    assert calibrate_all(NOW) == 1
    assert calibrate_all(NOW) == 0  # once a day

    row = EnergyCalibration.objects.get()
    assert row.factor == pytest.approx(1.2)
    assert (row.windows, row.scope, row.at) == (60, "gpu", NOW)
    assert row.machine == machine_told(served.deployment)
    assert list(UsageRecord.objects.order_by("pk").values()) == before
    assert calibrate_all(NOW + timedelta(days=1)) == 1
    assert EnergyCalibration.objects.newest().get().at == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("count", "changes"),
    [
        (59, {}),
        (60, {"covered_ms": 50_000}),
        (60, {"mj": 300}),  # all of it idle
        (60, {"mj": 30_000_000_000}),  # a thousand times what is modelled
    ],
    ids=["too-few", "not-whole", "idle", "wrong-unit"],
)
def test_nothing_is_corrected_by_what_tells_too_little(
    served: Served, count: int, changes: dict[str, object]
) -> None:
    minutes(served, count, **changes)

    assert calibrate_all(NOW) == 0


def test_minutes_of_another_meter_machine_or_month_do_not_count(served: Served) -> None:
    minutes(served, 60)
    assert calibrate_all(NOW + timedelta(days=40)) == 0
    EnergyWindow.objects.filter(pk__in=EnergyWindow.objects.order_by("start")[:5]).update(
        machine="another"
    )
    assert calibrate_all(NOW) == 0
    set_probe(by=OPERATOR, server=served.deployment.server, described={**METER, "labels": {}})
    assert calibrate_all(NOW) == 0
