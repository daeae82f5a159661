"""The machine of a server: who describes it, what is refused, and what the router reckons from."""

from typing import Any

import pytest

from federation.fleet.models import Deployment, InferenceServer, Site
from federation.journal.models import AuditEvent
from routing.bridge.table import build_names
from routing.core.table import Machine
from tests.support.factories import Cast
from tests.support.pages import signed_in_as

FILLED = {"gpu_type": "NVIDIA H100 80GB HBM3", "gpu_count": "2", "pue": "1.25", "grid": "FRA"}


def address(deployment: Deployment) -> str:
    return f"/servers/{deployment.server_id}/machine/"


def in_table(deployment: Deployment) -> Machine:
    models = build_names(1).names.models
    (told,) = models[str(deployment.version.model_id)].deployments
    return told.machine


def test_an_it_department_describes_its_machine_and_the_router_reckons_from_it(
    cast: Cast, deployment: Deployment
) -> None:
    model = deployment.version.model
    model.parameters, model.active_parameters = "116.8", "5.1"
    model.save()
    assert in_table(deployment).gpu is None

    answer = signed_in_as(cast.rennes_dsi).post(address(deployment), FILLED)

    assert answer.status_code == 302
    told = in_table(deployment)
    assert (told.gpu, told.gpus, told.pue_milli, told.factors) == ("H100", 2, 1250, "FRA-1")
    assert (told.params, told.active, told.bits) == (116.8, 5.1, 16)
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert (event.verb, event.diff["gpu_count"]) == ("fleet.describe_machine", [None, 2])


def test_a_slice_of_a_gpu_has_no_figure(cast: Cast, deployment: Deployment) -> None:
    filled = FILLED | {"gpu_type": "A100-SXM4-80GB MIG 3g.40gb", "gpu_count": "", "pue": ""}
    signed_in_as(cast.rennes_dsi).post(address(deployment), filled)

    told = in_table(deployment)
    assert (told.gpu, told.gpus, told.pue_milli) == (None, None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gpu_count": "0"},
        {"gpu_count": "-1"},
        {"gpu_count": "5000"},
        {"gpu_type": "x" * 81},
        {"pue": "0.9"},
        {"pue": "6"},
        {"pue": "NaN"},
        {"grid": "MARS"},
        {"seen": "of another time"},
    ],
)
def test_what_cannot_be_is_refused(
    cast: Cast, deployment: Deployment, wrong: dict[str, Any]
) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(address(deployment), FILLED | wrong)

    assert answer.status_code == 200
    server = InferenceServer.objects.get(pk=deployment.server_id)
    assert (server.gpu_type, server.gpu_count) == ("", None)
    assert Site.objects.get(pk=server.site_id).pue is None


def test_others_do_not_describe_it(cast: Cast, deployment: Deployment) -> None:
    for person in (cast.reims_dsi, cast.rennes_user, cast.intruder):
        assert signed_in_as(person).post(address(deployment), FILLED).status_code in (403, 404)
    assert in_table(deployment).gpu is None
