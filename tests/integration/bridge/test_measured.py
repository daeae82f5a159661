"""From a meter's page to a measured record: exporter, router, spool, intake and settlement, as in the product."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.utils import timezone

from billing.energy.settlement import settle_all
from billing.models import EnergyWindow, UsageDay, UsageRecord
from billing.records.checks import findings
from billing.records.rollups import LEVELS, wrong_sums
from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from routing.bridge.spool import Drain
from routing.core.accounting import Closed, Metered
from routing.core.table import Deployment as InTable
from routing.core.table import Machine
from routing.gateway import meters
from routing.simulator import simulated
from tests.integration.gateway.test_meters import drawing
from tests.support.factories import make_application, make_institution, make_key, serve_model
from tests.support.meters import a_probe, exporting, read_to_the_end
from tests.support.router import (
    HOST,
    KEY,
    MODEL,
    a_model,
    a_principal,
    a_server,
    chat,
    names,
    principals,
    running_router,
    servers,
    until,
)

MACHINE = Machine(params=8, active=8, bits=16, gpu="H100", gpus=2, pue_milli=1_200, factors="FRA-1")


@pytest.fixture(autouse=True)
def _quickly() -> Iterator[None]:
    with (
        mock.patch.object(meters, "LOOK_SECONDS", 0.01),
        mock.patch.object(meters, "READ_SECONDS", 0.03),
        mock.patch.object(meters, "WINDOW_SECONDS", 0.15),
    ):
        yield


async def answer_some(var: Path, deployment: Deployment, key: ApiKey) -> None:
    """Answer three requests at a server whose meter is read before, meanwhile and after."""
    config = {"servers": [{"name": "rennes-1", "engine": "vllm", "model": "served"}], "speed": 1}
    async with simulated(config) as upstream, exporting() as exporter, drawing(exporter, 500):
        url = upstream.url("rennes-1")
        grants = tuple(
            (HOST, int(each.split(":")[2].split("/")[0])) for each in (url, exporter.url)
        )
        server = a_server(
            "rennes-1",
            url,
            probe=a_probe(exporter.url, limit_w=1e6),
            grants=grants,
            id=str(deployment.server_id),
        )
        running = InTable(
            id=str(deployment.pk),
            server_id=str(deployment.server_id),
            served_name="served",
            machine=MACHINE,
        )
        asker = a_principal(
            key_id=str(key.pk),
            application_id=str(key.application_id),
            institution_id=str(key.application.institution_id),
        )
        served = a_model(id=str(deployment.version.model_id), name=MODEL, deployments=(running,))
        section = names(served)
        section.names.aliases[MODEL] = served.id
        async with (
            running_router(var, principals(**{KEY: asker}), section, servers(server)) as router,
            read_to_the_end(),
        ):
            await until(lambda: any(isinstance(each, Metered) for each in router.records()))
            answers = await asyncio.gather(*(router.post(json=chat()) for _ in range(3)))
            assert {each.status_code for each in answers} == {200}
            ended = max(each.finished_at for each in router.closed())
            await until(
                lambda: any(
                    isinstance(each, Metered) and each.start > ended for each in router.records()
                )
            )
            assert len([each for each in router.records() if isinstance(each, Closed)]) == 3


@pytest.mark.django_db
def test_what_a_meter_shows_becomes_the_energy_of_the_requests(tmp_path: Path) -> None:
    deployment = serve_model(make_institution("rennes"), "llama")
    key, _text = make_key(make_application(make_institution("orleans")))
    asyncio.run(answer_some(tmp_path, deployment, key))
    for _again in range(2):  # a clerk that begins anew stores nothing twice
        drain = Drain(tmp_path / "spool", lambda: None)
        while drain.step():
            pass

    settle_all(timezone.now() + timedelta(hours=3))

    records = UsageRecord.objects.all()
    assert {each.energy_method for each in records} == {"measured"}
    assert all(each.measured_mj > 0 and each.energy_mj > each.measured_mj for each in records)
    windows = EnergyWindow.objects.all()
    assert sum(each.measured_mj for each in windows) == sum(
        each.attributed_mj + each.local_mj + each.idle_mj for each in windows
    )
    assert sum(each.metered_mj for each in UsageDay.objects.all()) == sum(
        each.energy_mj for each in records
    )
    assert {wrong_sums(level) for level in LEVELS} == {0}
    assert [each for each in findings() if "mJ" in each] == []
