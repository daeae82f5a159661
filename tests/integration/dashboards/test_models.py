"""The catalogue: what can be asked for, by whom it is served, and a way to each model by every name it has."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboards.queries import model_card, model_cards
from federation.catalogue.enums import Capability
from federation.catalogue.models import Alias
from federation.catalogue.operations.registering import ModelFacts
from federation.fleet.models import Deployment
from federation.people.models import User
from routing.core.enums import LifecycleStage
from routing.dispatch.messages import ModelLoad
from tests.support.factories import MODEL, Cast, make_model, serve_model
from tests.support.load_feed import LoadFeed
from tests.support.pages import queries_of, signed_in_as


def shown(user: User, address: str = "/catalogue/") -> str:
    page = signed_in_as(user).get(address)
    assert page.status_code == 200
    return page.content.decode()


@pytest.mark.parametrize("who", ["admin", "rennes_user", "orleans_user", "intruder"])
def test_everyone_signed_in_sees_who_serves_which_model(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment, who: str
) -> None:
    page = shown(cast.people()[who])

    assert MODEL in page
    assert "Reims, Rennes" in page  # sites named like their institutions, each named once


def test_a_visitor_signs_in_first(cast: Cast, at_rennes: Deployment) -> None:
    assert Client().get("/catalogue/").status_code == 302
    assert Client().get(f"/catalogue/{MODEL}/").status_code == 302


def test_a_proposed_model_is_the_federation_s_affair(cast: Cast) -> None:
    make_model("secret-project-7b", stage=LifecycleStage.PROPOSED)

    assert "secret-project-7b" in shown(cast.admin)
    assert "secret-project-7b" not in shown(cast.rennes_dsi)
    browser = signed_in_as(cast.rennes_dsi)
    assert browser.get("/catalogue/secret-project-7b/").status_code == 404


def test_proposed_models_stand_last_and_offer_no_call(cast: Cast, at_rennes: Deployment) -> None:
    make_model("a-project-7b", stage=LifecycleStage.PROPOSED)

    page = shown(cast.admin)

    assert page.index("/catalogue/a-project-7b/") > page.index(f"/catalogue/{MODEL}/")
    assert 'id="call"' not in shown(cast.admin, "/catalogue/a-project-7b/")
    assert 'id="call"' in shown(cast.admin, f"/catalogue/{MODEL}/")


def test_a_card_tells_the_facts(cast: Cast) -> None:
    facts = ModelFacts(
        display_name="Mistral Small",
        description_fr="Un modèle généraliste.",
        description_en="A general model.",
        publisher="Mistral AI",
        licence="Apache-2.0",
        languages=("fr", "zh", "xx"),
        capabilities=(Capability.CHAT, Capability.TOOLS),
    )
    make_model(facts=facts, context_length=131_072)

    page = shown(cast.rennes_user)

    for fact in (
        "Mistral Small",
        "Un modèle généraliste.",
        "Mistral AI",
        "Apache-2.0",
        "Français, chinois, xx",
    ):
        assert fact in page
    assert "072" in page
    assert 'class="text-secondary">' in page


def test_the_page_of_a_model_has_calls_for_this_very_model(
    cast: Cast, at_rennes: Deployment
) -> None:
    page = shown(cast.rennes_user, f"/catalogue/{MODEL}/")

    assert page.count("http://127.0.0.1:8000/v1") >= 3
    assert f"&quot;model&quot;: &quot;{MODEL}&quot;" in page
    assert at_rennes.server.name in page
    assert "21001" not in page


def test_the_load_of_a_model_comes_from_the_router(
    cast: Cast, at_rennes: Deployment, feed: LoadFeed
) -> None:
    model = at_rennes.version.model
    feed.tell(models={model.pk: ModelLoad(in_flight=5, waiting=2, available_servers=1)})

    for address in ("/catalogue/", f"/catalogue/{MODEL}/"):
        page = shown(cast.rennes_user, address)
        assert f'data-live="models/{model.pk}/in_flight">5<' in page
        assert f'data-live="models/{model.pk}/waiting">2<' in page
        assert f'data-live="models/{model.pk}/available">1<' in page


@pytest.mark.parametrize("name", ["mistral", "MISTRAL", MODEL.upper()])
def test_an_alias_or_another_case_leads_to_the_model(
    cast: Cast, at_rennes: Deployment, name: str
) -> None:
    Alias.objects.create(name="mistral", model=at_rennes.version.model)

    answer = signed_in_as(cast.rennes_user).get(f"/catalogue/{name}/")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/catalogue/{MODEL}/")


def test_a_model_names_its_aliases_and_when_they_end(cast: Cast, at_rennes: Deployment) -> None:
    successor = make_model("mistral-medium-4")
    Alias.objects.create(
        name="mistral",
        model=at_rennes.version.model,
        successor=successor,
        sunset=timezone.localdate().replace(year=2099),
    )

    page = shown(cast.rennes_user, f"/catalogue/{MODEL}/")

    for told in (">mistral</code>", "2099", "mistral-medium-4"):
        assert told in page


def test_a_name_with_slashes_and_colons_has_its_page(cast: Cast) -> None:
    make_model("vendor/Model-8b:latest")

    assert "vendor/Model-8b:latest" in shown(cast.admin, "/catalogue/vendor/Model-8b:latest/")


@pytest.mark.parametrize(
    "address",
    [
        "/catalogue/nonsense/",
        "/catalogue/%00/",
        "/catalogue/a%00b/",
        "/catalogue/%2e%2e%2f/",
        "/catalogue/" + "a" * 3000 + "/",
        "/catalogue/%F0%9F%92%A5/",
        "/catalogue/'%20OR%201=1/",
    ],
)
def test_a_name_that_no_model_has_is_not_there(
    cast: Cast, at_rennes: Deployment, address: str
) -> None:
    assert signed_in_as(cast.admin).get(address).status_code == 404


def test_an_empty_catalogue_says_what_will_stand_here(cast: Cast) -> None:
    assert 'class="empty"' in shown(cast.orleans_user)


@pytest.mark.parametrize("address", ["/catalogue/", f"/catalogue/{MODEL}/"])
def test_three_models_take_as_many_queries_as_one(
    cast: Cast, at_rennes: Deployment, address: str
) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    browser.get(address)  # from here on, what everybody may know is remembered
    one = queries_of(browser, address)
    serve_model(cast.reims, MODEL)
    serve_model(cast.reims, "qwen-3-30b")
    serve_model(cast.rennes, "llama-3.1-8b")

    assert queries_of(browser, address) == one


def test_one_model_s_card_reads_nothing_of_the_others(cast: Cast, at_rennes: Deployment) -> None:
    serve_model(cast.reims, MODEL)
    other = serve_model(cast.reims, "qwen-3-30b")
    model = at_rennes.version.model

    with CaptureQueriesContext(connection) as captured:
        card = model_card(cast.rennes_dsi, model)

    assert [each.server.institution for each in card.servings] == ["Reims", "Rennes"]
    assert card == next(each for each in model_cards(cast.rennes_dsi) if each.model == model)
    asked = "".join(query["sql"] for query in captured).replace("-", "")
    assert model.pk.hex in asked
    assert other.pk.hex not in asked
