"""A server's page hears of what has happened since, and who decides of an address that waits for leave."""

import re

import pytest
from django.test import Client

from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, InferenceServer, TechnicalForm
from federation.fleet.operations.runs import conclude_run, request_run
from federation.fleet.operations.servers import change_server_state
from federation.fleet.operations.technical import submit_form
from federation.journal.actors import SYSTEM
from routing.core.conformity import CHECKS, Check, Finding, RunKind, Verdict
from routing.core.enums import ServerState
from tests.integration.federation.world import make_checked, make_form
from tests.support.factories import OPERATOR, Cast, make_model, make_site
from tests.support.pages import signed_in_as
from tests.support.post import deliver


@pytest.fixture
def draft(cast: Cast) -> TechnicalForm:
    return make_form(cast.rennes, make_site(cast.rennes), make_model())


@pytest.fixture
def server(draft: TechnicalForm) -> InferenceServer:
    found = make_checked(draft).server
    assert found is not None
    return found


def watched(client: Client, server: InferenceServer) -> str:
    """Return the address that the server's page asks."""
    page = client.get(f"/servers/{server.pk}/").content.decode()
    found = re.search(r'hx-get="(/servers/[^"]+/pulse/\?seen=\w+)"', page)
    assert found
    return found[1]


def test_nothing_new_is_answered_with_nothing(cast: Cast, server: InferenceServer) -> None:
    client = signed_in_as(cast.rennes_dsi)

    answer = client.get(watched(client, server))

    assert answer.status_code == 204
    assert "HX-Refresh" not in answer.headers


def test_a_new_run_and_a_new_state_load_the_page_anew(cast: Cast, server: InferenceServer) -> None:
    client = signed_in_as(cast.rennes_dsi)
    address = watched(client, server)

    request_run(by=OPERATOR, server=server)
    assert client.get(address).headers["HX-Refresh"] == "true"

    address = watched(client, server)
    assert client.get(address).status_code == 204
    change_server_state(by=OPERATOR, server=server, state=ServerState.RETIRED)
    assert client.get(address).headers["HX-Refresh"] == "true"


def test_the_page_of_a_server_in_service_is_left_alone(cast: Cast, server: InferenceServer) -> None:
    InferenceServer.objects.update(state=ServerState.LIVE)

    page = signed_in_as(cast.rennes_dsi).get(f"/servers/{server.pk}/").content.decode()

    assert "/pulse/" not in page


def refused(server: InferenceServer, **figures: object) -> ConformityRun:
    """A run that came no further than the address."""
    run = server.runs.get()
    for check in CHECKS[RunKind.CONFORMITY]:
        verdict = Verdict.FAILED if check == Check.CONNECTION else Verdict.SKIPPED
        run.lines.create(
            check_name=check,
            verdict=verdict,
            finding=Finding.ADDRESS_REFUSED,
            figures=figures,
            milliseconds=1,
        )
    ConformityRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    return ConformityRun.objects.get(pk=run.pk)


PRIVATE = {"address": "10.1.2.3", "port": 8000, "grantable": True}


@pytest.mark.parametrize(
    ("figures", "registered_by", "told"),
    [
        (PRIVATE, "rennes_dsi", ["admin@example.org"]),
        (PRIVATE, "admin", []),
        ({**PRIVATE, "grantable": False}, "rennes_dsi", []),
    ],
    ids=["private", "own", "never allowed"],
)
def test_a_private_address_is_told_to_who_may_allow_it(
    cast: Cast,
    draft: TechnicalForm,
    figures: dict[str, object],
    registered_by: str,
    told: list[str],
) -> None:
    server = submit_form(by=getattr(cast, registered_by), form=draft)
    deliver()

    conclude_run(by=SYSTEM, run=refused(server, **figures))

    letters = deliver()
    assert [address for letter in letters for address in letter.to] == told
    assert all(f"/servers/{server.pk}/" in letter.body for letter in letters)
