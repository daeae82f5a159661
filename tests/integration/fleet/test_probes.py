"""The meter of a server: who names it, what is refused, what the router reads, and what its page says."""

import csv
import time
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from billing.energy.hours import roll_up
from billing.energy.metering import machine_told, store_windows
from billing.energy.settlement import settle_all
from billing.impact.enums import Scope
from billing.impact.meters import Fault, Unit
from billing.models import EnergyCalibration, EnergyWindow
from dashboards.views import energy
from dashboards.views.energy import FAULTS, SPANS
from federation.fleet.enums import EnergyUnit, MeterScope
from federation.fleet.models import Deployment, EnergyProbe
from federation.fleet.operations.probes import end_probe, set_probe
from federation.fleet.operations.servers import change_server_state
from federation.journal.models import AuditEvent
from routing.bridge.table import build_names, build_servers
from routing.core.enums import MeterFault, ServerState
from routing.core.table import Machine, Probe
from routing.dispatch.frames import Load, MeterReading
from routing.dispatch.messages import LoadView
from tests.integration.dashboards.test_exports import whole
from tests.integration.federation.world import METER
from tests.support.factories import OPERATOR, Cast, make_server
from tests.support.meters import MINUTE, a_window
from tests.support.pages import signed_in_as

FILLED = {
    "step": "probe",
    "url": "https://gpu-1.example.org:9443/metrics/",
    "metric": "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "labels": 'Hostname="gpu-1", device="nvidia0"',
    "unit": "mJ",
    "scope": "gpu",
    "multiplier": "1",
    "idle_w": "150.5",
    "limit_w": "",
}


def address(deployment: Deployment, page: str = "machine") -> str:
    return f"/servers/{deployment.server_id}/{page}/"


def in_table(deployment: Deployment) -> Probe | None:
    return build_servers(1).servers[str(deployment.server_id)].probe


def machine_in_table(deployment: Deployment) -> Machine:
    (told,) = build_names(1).names.models[str(deployment.version.model_id)].deployments
    return told.machine


@pytest.fixture
def dsi(cast: Cast) -> Client:
    return signed_in_as(cast.rennes_dsi)


def test_an_it_department_names_a_meter_and_the_router_reads_it(
    dsi: Client, deployment: Deployment
) -> None:
    server = deployment.server
    server.gpu_type, server.gpu_count = "H100", 4
    server.save()

    answer = dsi.post(address(deployment), FILLED)

    assert answer.status_code == 302
    probe = in_table(deployment)
    assert probe is not None
    assert probe.url == "https://gpu-1.example.org:9443/metrics"
    assert probe.labels == (("Hostname", "gpu-1"), ("device", "nvidia0"))
    assert (probe.unit, probe.scope, probe.idle_w) == ("mJ", "gpu", 150.5)
    assert probe.limit_w == 1.5 * 700 * 4
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert (event.verb, event.diff["metric"]) == ("fleet.set_probe", FILLED["metric"])
    shown = dsi.get(address(deployment)).content.decode()
    assert 'value="150.5"' in shown
    assert "Hostname=&quot;gpu-1&quot;" in shown


def test_another_meter_is_another_row_and_the_same_is_none(
    dsi: Client, deployment: Deployment
) -> None:
    dsi.post(address(deployment), FILLED)
    dsi.post(address(deployment), FILLED)
    assert EnergyProbe.objects.count() == 1

    dsi.post(address(deployment), FILLED | {"idle_w": "160"})
    assert [each.idle_w for each in EnergyProbe.objects.in_force()] == [Decimal(160)]
    assert EnergyProbe.objects.count() == 2

    dsi.post(address(deployment), {"step": "end"})
    assert in_table(deployment) is None
    dsi.post(address(deployment), {"step": "end"})
    assert EnergyProbe.objects.count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://169.254.169.254/metrics"},
        {"url": "https://user:pass@gpu-1.example.org/metrics"},
        {"url": "https://gpu-1.example.org/metrics?key=secret"},
        {"url": "file:///etc/passwd"},
        {"url": ""},
        {"metric": "power{}"},
        {"metric": ""},
        {"labels": "Hostname=gpu-1"},
        {"labels": 'a="1" b="2"'},
        {"labels": ", ".join(f'l{n}="{n}"' for n in range(9))},
        {"labels": f'a="{"x" * 201}"'},
        {"unit": "BTU"},
        {"scope": "rack"},
        {"multiplier": "0"},
        {"multiplier": "NaN"},
        {"idle_w": "-1"},
        {"idle_w": "1e9"},
        {"limit_w": "100"},  # less than it draws without work
    ],
    ids=str,
)
def test_what_is_no_meter_is_refused_with_the_reason(
    dsi: Client, deployment: Deployment, wrong: dict[str, Any]
) -> None:
    answer = dsi.post(address(deployment), FILLED | wrong)

    assert answer.status_code == 200
    assert answer.context["meter"].errors.keys() == wrong.keys()
    assert not EnergyProbe.objects.exists()


def test_a_page_that_somebody_else_has_saved_meanwhile_changes_nothing(
    dsi: Client, deployment: Deployment
) -> None:
    seen = dsi.get(address(deployment)).context["meter"]["seen"].value()
    dsi.post(address(deployment), FILLED)

    answer = dsi.post(address(deployment), FILLED | {"idle_w": "1", "seen": seen})

    assert answer.status_code == 200
    assert EnergyProbe.objects.get().idle_w == Decimal("150.5")


def test_a_retired_server_has_no_meter(deployment: Deployment) -> None:
    set_probe(by=OPERATOR, server=deployment.server, described=METER)
    for state in (ServerState.DRAINING, ServerState.RETIRED):
        change_server_state(by=OPERATOR, server=deployment.server, state=state)

    assert not EnergyProbe.objects.in_force().exists()


def test_a_server_whose_accelerators_nobody_knows_may_draw_what_eight_of_the_hungriest_do(
    deployment: Deployment,
) -> None:
    set_probe(by=OPERATOR, server=deployment.server, described=METER)
    probe = in_table(deployment)

    assert probe is not None
    assert probe.limit_w >= 8 * 1000


def calibrated(deployment: Deployment, machine: str) -> None:
    EnergyCalibration.objects.create(
        deployment_id=deployment.pk,
        server_id=deployment.server_id,
        probe_id=EnergyProbe.objects.in_force().get(server=deployment.server_id).pk,
        machine=machine,
        scope="gpu",
        factor=0.8,
        windows=90,
        at="2026-01-01T00:00:00Z",
    )


def test_a_calibration_is_in_the_table_while_meter_and_machine_are_as_they_were(
    dsi: Client, deployment: Deployment
) -> None:
    dsi.post(address(deployment), FILLED)
    calibrated(deployment, machine_told(deployment))
    assert machine_in_table(deployment).calibration == 0.8
    assert machine_in_table(deployment).calibrated_scope == "gpu"

    dsi.post(address(deployment), FILLED | {"idle_w": "160"})
    assert machine_in_table(deployment).calibration is None
    calibrated(deployment, machine_told(deployment))
    assert machine_in_table(deployment).calibration == 0.8

    deployment.server.gpu_count = 8
    deployment.server.save()
    assert machine_in_table(deployment).calibration is None


def test_what_two_servers_read_of_one_meter_is_counted_once(
    dsi: Client, deployment: Deployment
) -> None:
    """Two entries for one machine, or one power strip."""
    other = make_server(deployment.server.site)
    beside = f"/servers/{other.pk}/machine/"
    dsi.post(address(deployment), FILLED | {"multiplier": "0.6"})

    refused = dsi.post(beside, FILLED | {"multiplier": "0.5"})
    assert refused.status_code == 200
    assert deployment.server.name in refused.content.decode()
    assert dsi.post(beside, FILLED | {"multiplier": "0.4"}).status_code == 302
    assert EnergyProbe.objects.in_force().count() == 2


def a_load(probe: EnergyProbe, **facts: Any) -> Load:
    reading = MeterReading(
        server_id=str(probe.server_id), probe_id=str(probe.pk), at=1_780_000_000.0, **facts
    )
    return Load(
        incarnation="x",
        versions={},
        view=LoadView(servers={}, models={}),
        open_requests=0,
        spool_bytes=0,
        meters=(reading,),
    )


@pytest.mark.parametrize("fault", ["", *MeterFault, "unreadable"])
def test_the_last_reading_is_told_or_why_there_is_none(
    dsi: Client, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    probe = set_probe(by=OPERATOR, server=deployment.server, described=METER)
    facts = {"fault": fault} if fault else {"value": 5e12, "watts": 1234.5}
    monkeypatch.setattr(energy, "current_load", lambda: a_load(probe, **facts))
    dsi.cookies["django_language"] = "en"

    shown = dsi.get(address(deployment, "energy/now")).content.decode()

    assert (str(FAULTS[fault]) if fault else "1,200") in shown


def test_a_router_that_is_away_is_said_so(
    dsi: Client, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_probe(by=OPERATOR, server=deployment.server, described=METER)
    monkeypatch.setattr(energy, "current_load", lambda: None)
    dsi.cookies["django_language"] = "en"

    assert b"The router is away" in dsi.get(address(deployment, "energy/now")).content


def test_every_fault_has_its_words_and_units_are_the_same_everywhere() -> None:
    assert FAULTS.keys() == {*MeterFault, *Fault}
    assert set(EnergyUnit.values) == set(Unit)
    assert set(MeterScope.values) == set(Scope)


def test_a_page_tells_what_the_meter_told(dsi: Client, deployment: Deployment) -> None:

    now = time.time()
    store_windows(
        [
            a_window(deployment.server_id, now - 300, mj=30_000_000),
            a_window(deployment.server_id, now - 240, faults=("reset",), covered_ms=30_000),
        ]
    )
    EnergyWindow.objects.filter(faults=[]).update(
        settled_at="2026-01-01T00:00:00Z", idle_mj=6_000_000, attributed_mj=24_000_000
    )
    dsi.cookies["django_language"] = "en"

    answer = dsi.get(address(deployment, "energy"))

    shown = answer.content.decode()
    total = answer.context["told"].total
    assert (total.idle_mj, total.attributed_mj, total.waiting_mj) == (6e6, 24e6, 30e6)
    assert total.coverage == 0.75
    assert str(FAULTS["reset"]) in shown
    assert "at most" in shown  # the chart's sentence
    for span in (*SPANS, "century"):
        assert dsi.get(address(deployment, "energy"), {"span": span}).status_code == 200


def lines(client: Client, address: str, language: str = "en") -> list[dict[str, str]]:
    answer = client.get(address, headers={"accept-language": language})
    assert isinstance(answer, StreamingHttpResponse)
    return list(csv.DictReader(StringIO(async_to_sync(whole)(answer).removeprefix("\ufeff"))))


def test_a_file_has_the_numbers_of_the_page_of_windows_and_of_hours(
    dsi: Client, deployment: Deployment
) -> None:
    now, days_ago = timezone.now(), timedelta(days=100)
    old = (now - days_ago).replace(minute=10).timestamp()
    store_windows(
        [
            *(a_window(deployment.server_id, old + n * MINUTE, faults=("gap",)) for n in range(3)),
            a_window(deployment.server_id, now.timestamp() - 7200, faults=("gap", "reset")),
        ]
    )
    settle_all()
    store_windows([a_window(deployment.server_id, now.timestamp() - 60, mj=7)])
    assert roll_up() == 1
    dsi.cookies["django_language"] = "en"

    told = dsi.get(address(deployment, "energy"), {"span": "year"}).context["told"]
    found = lines(dsi, address(deployment, "energy/csv") + "?span=year")

    sums = {
        name: sum(int(row[f"{name}_millijoules"]) for row in found)
        for name in ("measured", "requests", "host", "idle", "waiting")
    }
    total = told.total
    assert sums == {
        "measured": total.measured_mj,
        "requests": total.attributed_mj,
        "host": total.local_mj,
        "idle": total.idle_mj,
        "waiting": total.waiting_mj,
    }
    assert sums["measured"] == 4 * 30_000_000 + 7
    assert sums["waiting"] == 7
    assert [row["windows"] for row in found] == ["3", "1", "1"]
    assert [row["faults"] for row in found] == ["gap gap gap", "gap reset", ""]
    assert told.faults == {"gap": 4, "reset": 1}
    assert found[0]["sees"] == "gpu"
    assert sum(int(row["known_ms"]) for row in found) == total.covered_ms
    by_hour = lines(dsi, address(deployment, "energy/csv"))
    assert [row["measured_millijoules"] for row in by_hour] == ["7"]


def test_calibrations_in_force_are_a_file(dsi: Client, deployment: Deployment) -> None:
    set_probe(by=OPERATOR, server=deployment.server, described=METER)
    for _twice in range(2):
        calibrated(deployment, machine_told(deployment))
    dsi.cookies["django_language"] = "en"

    (row,) = lines(dsi, address(deployment, "energy/calibrations/csv"))

    assert row["model"] == deployment.version.model.slug
    assert (row["factor"], row["windows"], row["sees"]) == ("0.8", "90", "gpu")


def test_ending_is_the_owners_alone(cast: Cast, deployment: Deployment) -> None:
    set_probe(by=OPERATOR, server=deployment.server, described=METER)
    for person in (cast.reims_dsi, cast.orleans_user):
        assert signed_in_as(person).post(address(deployment), {"step": "end"}).status_code == 404
    end_probe(by=OPERATOR, server=deployment.server)
    assert in_table(deployment) is None
