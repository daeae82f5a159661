"""The first page: for a visitor, for each role, with and without a key, usage and a router."""

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from dashboards.navigation import main_entries
from federation.access.operations import revoke_key
from federation.catalogue.operations.minimum import set_minimum
from federation.people.enums import Role
from federation.people.operations import grant_role
from routing.core.enums import LifecycleStage
from routing.dispatch.messages import MinimumLoad, ModelLoad
from tests.support.calls import store_calls
from tests.support.candidates import make_candidate
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_cast,
    make_institution,
    make_key,
    make_model,
    serve_model,
)
from tests.support.kept import Kept
from tests.support.load_feed import LoadFeed, feed, run_dir, server_load
from tests.support.pages import queries_of, signed_in_as

pytestmark = pytest.mark.django_db
__all__ = ["feed", "run_dir"]


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    caches["memory"].clear()


@pytest.fixture
def cast(kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


def page(client: Client, language: str = "en") -> str:
    return client.get("/", headers={"accept-language": language}).content.decode()


def test_a_visitor_reads_real_numbers_and_how_to_log_in(client: Client, cast: Cast) -> None:
    serve_model(cast.rennes)
    serve_model(cast.reims)

    response = client.get("/", headers={"accept-language": "en"})

    numbers = response.context["numbers"]
    assert (numbers.members, numbers.servers, numbers.models, numbers.requests) == (3, 2, 1, 0)
    assert 'href="/account/login/"' in response.content.decode()


def test_a_visitor_sees_no_page_of_the_signed_in(client: Client) -> None:
    html = page(client)

    assert 'href="/keys/"' not in html
    assert 'href="/style/"' not in html


def test_the_numbers_are_counted_once_a_minute(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    page(client)

    with django_assert_num_queries(0):
        page(client)


def test_the_federation_without_members_is_told_as_it_is(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert response.context["numbers"] == (0, 0, 0, 0)


def test_the_contact_of_the_site_is_told_to_those_who_want_to_join(
    client: Client, settings: Settings
) -> None:
    settings.SITE_CONTACT = "ilaas@example.org"

    assert 'href="mailto:ilaas@example.org"' in page(client)


def test_a_user_without_a_key_is_led_to_create_one(cast: Cast) -> None:
    response = signed_in_as(cast.rennes_user).get("/")

    welcome = response.context["welcome"]
    assert (welcome.may_issue, welcome.has_key, welcome.has_called) == (True, False, False)
    assert 'class="btn btn-primary" href="/keys/new/"' in response.content.decode()


def test_a_key_of_ones_own_ticks_the_step_off(cast: Cast) -> None:
    make_key(make_application(cast.rennes, cast.rennes_user))

    response = signed_in_as(cast.rennes_user).get("/")

    assert response.context["welcome"].has_key
    assert response.content.decode().count('class="is-done"') == 1


def test_a_revoked_key_and_a_colleagues_do_not_count(cast: Cast) -> None:
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    revoke_key(by=OPERATOR, key=key, reason="lost")
    make_key(make_application(cast.rennes, cast.rennes_dsi))

    response = signed_in_as(cast.rennes_user).get("/")

    assert not response.context["welcome"].has_key


def test_without_a_role_one_is_told_whom_to_ask(cast: Cast) -> None:
    response = signed_in_as(cast.intruder).get("/")

    assert response.context["welcome"].posts == []
    assert not response.context["welcome"].may_issue
    assert "/keys/new/" not in response.content.decode()


def test_every_role_is_named_with_its_institution(cast: Cast) -> None:
    grant_role(
        by=OPERATOR, user=cast.rennes_user, role=Role.MEMBER_DSI, institution_id=cast.reims.pk
    )

    posts = signed_in_as(cast.rennes_user).get("/").context["welcome"].posts

    assert [post.institution for post in posts] == ["Reims", "Rennes"]


def test_the_register_is_offered_to_federation_administrators_alone(cast: Cast) -> None:
    offered = {
        name
        for name, who in cast.people().items()
        if 'href="/register/"' in page(signed_in_as(who))
    }

    assert offered == {"admin"}


def test_the_entry_of_the_present_page_is_marked(cast: Cast) -> None:
    html = signed_in_as(cast.rennes_user).get("/style/").content.decode()
    assert "aria-current" not in html

    html = page(signed_in_as(cast.rennes_user))
    assert html.count('aria-current="page"') == 1


def test_servers_that_answer_are_counted(cast: Cast, feed: LoadFeed) -> None:
    first, second = serve_model(cast.rennes).server, serve_model(cast.reims).server
    feed.tell(servers={first.pk: server_load(), second.pk: server_load(health="ejected")})

    welcome = signed_in_as(cast.orleans_user).get("/").context["welcome"]

    assert welcome.servers == (2, 1)


def test_the_light_is_amber_while_a_server_does_not_answer(cast: Cast, feed: LoadFeed) -> None:
    first, second = serve_model(cast.rennes).server, serve_model(cast.reims).server
    feed.tell(servers={first.pk: server_load(), second.pk: server_load(health="ejected")})
    amber = page(signed_in_as(cast.orleans_user))

    assert "some servers do not answer" in amber
    assert "Servers in service that answer: 1 of 2." in amber
    assert "status-yellow" in amber
    assert "status-green" not in amber


def test_the_light_is_green_when_every_server_answers(cast: Cast, feed: LoadFeed) -> None:
    server = serve_model(cast.rennes).server
    feed.tell(servers={server.pk: server_load()})

    green = page(signed_in_as(cast.orleans_user))

    assert "all is well" in green
    assert "status-green" in green
    assert "status-yellow" not in green


def test_the_light_is_amber_for_everybody_while_a_critical_model_is_below_its_minimum(
    cast: Cast, feed: LoadFeed
) -> None:
    deployment = serve_model(cast.rennes)
    model = deployment.version.model
    set_minimum(by=OPERATOR, model=model, minimum={"servers": 2, "sites": 2})
    below = MinimumLoad(
        servers=1,
        sites=1,
        least_servers=2,
        least_sites=2,
        is_met=False,
        sheds=True,
        since_ms=5000,
    )
    feed.tell(
        servers={deployment.server.pk: server_load()},
        models={model.pk: ModelLoad(in_flight=0, waiting=0, available_servers=1, minimum=below)},
    )

    amber = page(signed_in_as(cast.orleans_user))

    assert "a critical model is below its minimum" in amber
    assert "status-yellow" in amber
    assert "status-green" not in amber


def test_a_router_that_is_away_is_said_plainly(cast: Cast, run_dir: object) -> None:
    serve_model(cast.rennes)

    response = signed_in_as(cast.orleans_user).get("/", headers={"accept-language": "en"})

    assert response.context["welcome"].servers == (1, None)
    assert "status-red" in response.content.decode()


def test_a_name_with_markup_is_shown_as_text(cast: Cast) -> None:
    cast.intruder.name = "<script>alert(1)</script>"
    cast.intruder.save()

    assert "<script>alert" not in page(signed_in_as(cast.intruder))


def test_the_page_costs_the_same_however_many_members_there_are(cast: Cast) -> None:
    client = signed_in_as(cast.admin)
    serve_model(cast.rennes)
    few = queries_of(client, "/")
    for name in ("nantes", "angers", "tours"):
        serve_model(make_institution(name))

    assert queries_of(client, "/") == few


def test_ones_own_usage_is_summed_up(cast: Cast) -> None:
    deployment = serve_model(cast.rennes)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    store_calls(key, deployment, count=3)

    response = signed_in_as(cast.rennes_user).get("/")

    counts = response.context["welcome"].usage.counts
    assert (counts.requests, counts.tokens) == (3, 126)
    assert "ilaas-demo" not in response.content.decode()


def test_an_it_department_reads_its_institutions_usage_and_what_its_servers_answered(
    cast: Cast,
) -> None:
    deployment = serve_model(cast.rennes)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    store_calls(key, deployment)
    elsewhere, _text = make_key(make_application(cast.orleans, cast.orleans_user))
    store_calls(elsewhere, deployment)

    response = signed_in_as(cast.rennes_dsi).get("/")

    assert response.context["welcome"].usage.counts.requests == 1
    assert 'href="/usage/?scope=served"' in response.content.decode()
    assert "?scope=served" not in page(signed_in_as(cast.rennes_user))


def test_the_federations_administrator_reads_the_federations_usage(cast: Cast) -> None:
    deployment = serve_model(cast.rennes)
    for institution, owner in ((cast.rennes, cast.rennes_user), (cast.orleans, cast.orleans_user)):
        key, _text = make_key(make_application(institution, owner))
        store_calls(key, deployment)

    response = signed_in_as(cast.admin).get("/")

    assert response.context["welcome"].usage.counts.requests == 2


def test_the_steps_of_an_administrator_are_not_done_by_others(cast: Cast) -> None:
    deployment = serve_model(cast.rennes)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    store_calls(key, deployment)

    response = signed_in_as(cast.admin).get("/")

    welcome = response.context["welcome"]
    assert (welcome.has_key, welcome.has_called, welcome.has_called_oneself) == (False, True, False)
    assert response.content.decode().count('class="is-done"') == 1  # the account is protected


def test_only_a_get_is_answered(client: Client) -> None:
    assert client.post("/").status_code == 405


def test_what_waits_for_the_committee_is_told_to_administrators_alone(cast: Cast) -> None:
    make_model("apertus-70b", stage=LifecycleStage.PROPOSED)

    [waiting] = signed_in_as(cast.admin).get("/").context["to_decide"]

    assert (waiting.number, waiting.address) == (1, "/lifecycle/proposals/")
    for other in (cast.auditor, cast.rennes_dsi):
        assert signed_in_as(other).get("/").context["to_decide"] == []


@pytest.mark.parametrize(
    ("address", "entry"), [("/ballots/", "/members/"), ("/lifecycle/proposals/", "/catalogue/")]
)
def test_a_page_that_lies_elsewhere_marks_its_entry(cast: Cast, address: str, entry: str) -> None:
    html = " ".join(signed_in_as(cast.admin).get(address).content.decode().split())

    assert f'href="{entry}" aria-current="page"' in html


def test_who_looks_after_keys_that_are_at_work_is_not_told_to_make_the_first(cast: Cast) -> None:
    deployment = serve_model(cast.rennes)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    before = page(signed_in_as(cast.rennes_dsi))
    store_calls(key, deployment)

    after = page(signed_in_as(cast.rennes_dsi))

    assert ("Make the first call" in before, "Make the first call" in after) == (True, False)
    assert "Keys are at work" in after
    assert 'href="/keys/new/"' in after


def test_an_applicant_reads_where_the_candidacy_stands(cast: Cast) -> None:
    candidacy, _agreement = make_candidate(cast.intruder)

    html = page(signed_in_as(cast.intruder))

    assert "Signed. The committee decides." in html
    assert f'href="/membership/{candidacy.pk}/"' in html
    assert "Ask for a role" not in html


def test_pages_of_the_account_menu_mark_it(cast: Cast) -> None:
    browser = signed_in_as(cast.rennes_user)

    assert "data-current" in browser.get("/journal/").content.decode()
    assert "data-current" in browser.get("/membership/").content.decode()
    assert "data-current" not in browser.get("/models/", follow=True).content.decode()


def test_the_keys_of_a_trial_belong_to_the_models() -> None:
    entries = main_entries(make_cast().rennes_user, "/keys/trials/0/")

    assert [shown.entry.name for shown in entries if shown.is_current] == ["models"]
