"""The servers' page: public facts for every member, what is whose own for those it belongs to, the load now."""

import pytest
from django.test import Client

from federation.fleet.enums import RunState
from federation.fleet.models import Deployment
from federation.fleet.operations.servers import change_server_state
from federation.members.enums import MembershipState
from federation.members.operations import change_membership_state
from routing.core.enums import ServerState
from routing.core.stops import Stop, Stopped
from tests.support.factories import OPERATOR, Cast, make_server, make_site, serve_model
from tests.support.lifecycle import pass_checks
from tests.support.load_feed import LoadFeed, server_load
from tests.support.pages import queries_of, signed_in_as

PEOPLE = ["admin", "auditor", "rennes_dsi", "rennes_user", "reims_dsi", "orleans_user", "intruder"]


def shown(browser: Client) -> str:
    page = browser.get("/servers/")
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


@pytest.mark.parametrize("who", PEOPLE)
def test_everyone_signed_in_sees_every_server_in_service(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment, who: str
) -> None:
    page = shown(signed_in_as(cast.people()[who]))

    for deployment in (at_rennes, at_reims):
        assert deployment.server.name in page
        assert deployment.server.site.name in page
        assert deployment.version.model.slug in page
    assert "vLLM" in page


@pytest.mark.parametrize(
    ("who", "addresses"),
    [
        ("admin", {"21001", "21002"}),
        ("auditor", {"21001", "21002"}),
        ("rennes_dsi", {"21001"}),
        ("reims_dsi", {"21002"}),
        ("rennes_user", set()),
        ("orleans_user", set()),
        ("intruder", set()),
    ],
)
def test_an_address_is_shown_to_those_who_run_the_server_alone(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment, who: str, addresses: set[str]
) -> None:
    page = shown(signed_in_as(cast.people()[who]))

    assert {port for port in ("21001", "21002") if f"http://127.0.0.1:{port}" in page} == addresses
    assert "s3cret-of-rennes" not in page
    assert "served/" not in page


def test_a_visitor_signs_in_first(cast: Cast) -> None:
    assert Client().get("/servers/").status_code == 302


@pytest.mark.parametrize("state", [ServerState.STAGING, ServerState.SUSPENDED])
def test_a_server_out_of_service_is_its_institution_s_affair(
    cast: Cast, at_rennes: Deployment, state: ServerState
) -> None:
    server = make_server(make_site(cast.rennes), slug="coulisses")
    if state == ServerState.SUSPENDED:
        change_server_state(by=OPERATOR, server=server, state=ServerState.LIVE)
        change_server_state(by=OPERATOR, server=server, state=state)

    sees = {who for who in PEOPLE if "coulisses" in shown(signed_in_as(cast.people()[who]))}

    assert sees == {"admin", "auditor", "rennes_dsi", "rennes_user"}


def test_a_retired_server_is_shown_to_nobody(cast: Cast) -> None:
    server = make_server(make_site(cast.rennes), slug="ancienne")
    change_server_state(by=OPERATOR, server=server, state=ServerState.RETIRED)

    assert "ancienne" not in shown(signed_in_as(cast.admin))


def test_a_suspended_member_s_servers_are_not_offered_to_others(
    cast: Cast, at_rennes: Deployment
) -> None:
    membership = cast.rennes.memberships.get()
    change_membership_state(by=OPERATOR, membership=membership, state=MembershipState.SUSPENDED)

    assert at_rennes.server.name not in shown(signed_in_as(cast.orleans_user))
    assert at_rennes.server.name in shown(signed_in_as(cast.rennes_dsi))


def test_one_s_own_institution_comes_first(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    for person, first, second in (
        (cast.rennes_dsi, "Rennes", "Reims"),
        (cast.reims_dsi, "Reims", "Rennes"),
        (cast.orleans_user, "Reims", "Rennes"),
    ):
        page = shown(signed_in_as(person))
        assert page.index(f">{first}</h2>") < page.index(f">{second}</h2>")


def test_the_load_comes_from_the_router(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment, feed: LoadFeed
) -> None:
    feed.tell(
        servers={
            at_rennes.server_id: server_load(3, 8),
            at_reims.server_id: server_load(0, None, "ejected"),
        }
    )

    page = shown(signed_in_as(cast.orleans_user))

    rennes, reims = at_rennes.server_id, at_reims.server_id
    assert f'data-live="servers/{rennes}/in_flight">3<' in page
    assert f'data-live="servers/{rennes}/limit">8<' in page
    assert f'data-live-if="servers/{reims}/limit" hidden' in page
    assert f'class="status text-nowrap status-red" data-live-health="{reims}"' in page
    assert "data-live-away hidden" in page


def test_a_server_that_an_operator_has_stopped_is_not_shown_in_service(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment, feed: LoadFeed
) -> None:
    browser = signed_in_as(cast.orleans_user)
    model = f"/catalogue/{at_rennes.version.model.slug}/"
    stop = Stop(
        what=Stopped.SERVER, id=str(at_rennes.server_id), name="Rennes", why="smoke", since=1.0
    )

    feed.tell(
        servers={at_rennes.server_id: server_load(), at_reims.server_id: server_load()},
        stops=[stop],
    )

    page = shown(browser)
    assert page.count("arrêté par un exploitant") == 1
    assert page.count(">en service<") == 1
    assert "smoke" not in page
    assert "arrêté par un exploitant" in browser.get(model).content.decode()
    assert "1 sur 2." in browser.get("/").content.decode()


def test_that_the_router_is_away_is_said_plainly(cast: Cast, at_rennes: Deployment) -> None:
    page = shown(signed_in_as(cast.orleans_user))

    assert "data-live-away >" in page
    assert f'data-live="servers/{at_rennes.server_id}/in_flight">–<' in page


def test_an_empty_federation_says_what_will_stand_here(cast: Cast) -> None:
    assert 'class="empty"' in shown(signed_in_as(cast.orleans_user))


def test_three_servers_take_as_many_queries_as_one(cast: Cast, at_rennes: Deployment) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    one = queries_of(browser, "/servers/")
    serve_model(cast.reims, "qwen-3-30b")
    serve_model(cast.rennes, "llama-3.1-8b")

    assert queries_of(browser, "/servers/") == one


def test_failed_checks_are_marked_for_those_who_read_the_report(
    cast: Cast, at_rennes: Deployment
) -> None:
    pass_checks(at_rennes.server, RunState.FAILED)

    assert "dernières vérifications" in shown(signed_in_as(cast.rennes_dsi))
    assert "dernières vérifications" not in shown(signed_in_as(cast.orleans_user))
    pass_checks(at_rennes.server)
    assert "dernières vérifications" not in shown(signed_in_as(cast.rennes_dsi))
