"""Another access key of a server to which requests come: tried first, in force once it is taken, or not at all."""

import pytest

from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, Deployment, InferenceServer, UpstreamCredential
from federation.fleet.operations.credentials import current_credential
from federation.fleet.operations.keys import change_access_key
from federation.fleet.operations.runs import conclude_run
from federation.fleet.operations.technical import accept_form, revise_form
from federation.journal.actors import SYSTEM
from routing.bridge.conformity import job_of
from routing.core.conformity import Finding
from routing.core.enums import ServerState
from routing.upstream.credentials import Secret
from tests.integration.federation.world import lined, make_checked, make_form
from tests.support.factories import OPERATOR, Cast, make_model, make_site
from tests.support.pages import signed_in_as

NEW = Secret("sk-new")


@pytest.fixture
def server(deployment: Deployment) -> InferenceServer:
    change_access_key(by=OPERATOR, server=deployment.server, key=Secret("sk-old"))
    conclude_run(by=SYSTEM, run=lined(ConformityRun.objects.get()))
    return deployment.server


def key_of(server: InferenceServer) -> str:
    held = current_credential(server)
    return held.reveal() if held else ""


def tried(cast: Cast, server: InferenceServer) -> ConformityRun:
    signed_in_as(cast.rennes_dsi).post(f"/servers/{server.pk}/key/", {"key": NEW.reveal()})
    return server.runs.open().get()


def test_the_router_asks_with_the_new_key_while_requests_go_on_with_the_old_one(
    cast: Cast, server: InferenceServer
) -> None:
    run = tried(cast, server)

    assert key_of(server) == "sk-old"
    assert NEW.reveal() not in run.sealed_key
    assert job_of(run).server.credential == run.sealed_key
    page = signed_in_as(cast.rennes_dsi).get(f"/servers/{server.pk}/").content.decode()
    assert "reste en vigueur jusqu’à ce que le serveur l’ait accepté" in page


def test_a_key_that_the_server_takes_is_in_force_whatever_else_is_found(
    cast: Cast, server: InferenceServer
) -> None:
    run = conclude_run(by=SYSTEM, run=lined(tried(cast, server), tools=Finding.NO_CALL))

    assert key_of(server) == NEW.reveal()
    assert (run.state, run.sealed_key) == (RunState.FAILED, "")


@pytest.mark.parametrize(
    "found",
    [
        {"authentication": Finding.DENIED},
        {"model": Finding.DENIED},
        {"connection": Finding.ADDRESS_REFUSED, "authentication": Finding.NOT_REACHED},
    ],
)
def test_a_key_that_is_refused_changes_nothing_and_says_nothing_of_the_server(
    cast: Cast, server: InferenceServer, found: dict[str, Finding]
) -> None:
    before = list(UpstreamCredential.objects.values())

    run = conclude_run(by=SYSTEM, run=lined(tried(cast, server), **found))

    assert list(UpstreamCredential.objects.values()) == before
    assert key_of(server) == "sk-old"
    assert (run.state, run.sealed_key) == (RunState.BROKEN, "")
    server.refresh_from_db()
    assert server.state == ServerState.LIVE
    page = signed_in_as(cast.rennes_dsi).get(f"/servers/{server.pk}/").content.decode()
    assert "n’a pas accepté le nouveau" in page


def test_of_two_new_keys_the_later_one_counts(cast: Cast, server: InferenceServer) -> None:
    first = tried(cast, server)
    second = change_access_key(by=cast.rennes_dsi, server=server, key=Secret("sk-newer"))

    first.refresh_from_db()
    assert (first.state, first.sealed_key) == (RunState.BROKEN, "")
    conclude_run(by=SYSTEM, run=lined(second))
    assert key_of(server) == "sk-newer"


def test_a_server_to_which_no_request_comes_has_its_new_key_at_once(
    cast: Cast, server: InferenceServer
) -> None:
    InferenceServer.objects.update(state=ServerState.SUSPENDED)

    run = tried(cast, server)

    assert key_of(server) == NEW.reveal()
    assert not run.tries_key


def test_a_key_that_comes_with_a_changed_form_is_tried_first_too(cast: Cast) -> None:
    form = make_checked(make_form(cast.rennes, make_site(cast.rennes), make_model()))
    server = accept_form(by=cast.admin, form=form)
    before = key_of(server)

    revise_form(by=cast.rennes_dsi, form=form, fields={"gpu_type": "H200"}, key=NEW)

    run = server.runs.open().get()
    assert key_of(server) == before
    conclude_run(by=SYSTEM, run=lined(run))
    assert key_of(server) == NEW.reveal()


def test_a_key_for_another_address_is_in_force_with_it(cast: Cast) -> None:
    form = make_checked(make_form(cast.rennes, make_site(cast.rennes), make_model()))
    server = accept_form(by=cast.admin, form=form)
    elsewhere = {"base_url": "https://elsewhere.example.org"}

    revise_form(by=cast.rennes_dsi, form=form, fields=elsewhere, key=NEW)

    server.refresh_from_db()
    assert (server.state, key_of(server)) == (ServerState.STAGING, NEW.reveal())
    assert server.runs.open().count() == 1
