"""Cards, comparison and journal in a real browser: readable by everyone, usable by keyboard and without scripts."""

import pytest
from playwright.sync_api import Browser, expect

from federation.access.operations import revoke_key
from federation.catalogue.models import AIModel
from federation.journal.models import AuditEvent
from routing.core.conformity import Check, Finding, Verdict
from tests.support.browser import PHONE, Portal, Visit
from tests.support.factories import MODEL, Cast, make_application, make_cast, make_key, serve_model
from tests.support.findings import FAILED, RESERVED, WELL, Line, make_report, speed, window


@pytest.fixture
def cast(portal: Portal) -> Cast:
    """Two servers that were found different, and a few acts."""
    cast = make_cast()
    at_rennes, at_reims = serve_model(cast.rennes), serve_model(cast.reims)
    AIModel.objects.update(capabilities=["chat", "tools", "vision", "reasoning"])
    unlike = Line(Verdict.WARNING, Finding.UNALIKE, {"percent": 38, "peers": 1})
    common = {Check.STREAMING: WELL, Check.STREAM_USAGE: RESERVED, Check.PEERS: unlike}
    make_report(at_rennes, {**common, Check.TOOLS: WELL, Check.CONTEXT: window(31_700, 32_768)})
    make_report(at_reims, {**common, Check.TOOLS: FAILED, Check.SPEED_ALONE: speed(180, 45.0)})
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user), name="carnet")
    revoke_key(by=cast.rennes_dsi, key=key, reason="perdue")
    return cast


def test_a_model_is_found_and_its_search_is_an_address_to_share(visit: Visit, cast: Cast) -> None:
    page = visit("/catalogue/", as_=cast.orleans_user, language="fr")

    page.get_by_label("Sait faire").select_option("tools")
    page.get_by_role("button", name="Afficher").click()
    expect(page.get_by_role("article")).to_have_count(1)
    shared = page.url
    page.get_by_label("Seulement là où le test a réussi").check()
    page.get_by_role("button", name="Afficher").click()
    expect(page.get_by_role("heading", name="Aucun modèle ne répond à cela")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Montrer tous les modèles").last.click()
    expect(page.get_by_role("article")).to_have_count(1)

    page.goto(shared)
    expect(page.get_by_label("Sait faire")).to_have_value("tools")


def test_a_search_works_without_scripts(browser: Browser, portal: Portal, cast: Cast) -> None:
    context = browser.new_context(
        base_url=portal.url, java_script_enabled=False, locale="fr", viewport=PHONE
    )
    page = context.new_page()
    page.goto("/account/login/?next=/catalogue/")
    page.locator("input[name=login]").fill(cast.orleans_user.email)
    page.locator("input[name=password]").fill("lande bretonne 1831")
    page.get_by_role("main").get_by_role("button").first.click()

    page.get_by_label("Catégorie").select_option("speech")
    page.get_by_role("button", name="Afficher").click()

    expect(page.get_by_role("heading", name="Aucun modèle ne répond à cela")).to_be_visible()
    context.close()


def test_from_the_card_to_what_differs_between_servers(visit: Visit, cast: Cast) -> None:
    page = visit(f"/catalogue/{MODEL}/", as_=cast.orleans_user, language="fr")
    tools = page.locator('[data-ability="tools"]')
    expect(tools).to_contain_text("en échec sur 1")

    page.get_by_role("link", name="Comparer les serveurs").click()

    row = page.get_by_role("row", name="Appels d’outils")
    expect(row.get_by_role("cell").first).to_contain_text("échec")
    expect(row.get_by_role("cell").last).to_contain_text("testé")


def test_of_two_tabs_with_the_same_card_the_second_is_told(visit: Visit, cast: Cast) -> None:
    first = visit(f"/catalogue/{MODEL}/", as_=cast.admin, language="fr")
    first.get_by_role("link", name="Modifier la fiche").click()
    second = visit(f"/cards/{MODEL}/", as_=cast.admin, language="fr")

    first.get_by_label("Licence", exact=False).first.fill("Apache-2.0")
    first.get_by_role("button", name="Enregistrer la fiche").click()
    expect(first.get_by_text("La fiche est modifiée.")).to_be_visible()
    second.get_by_label("Licence", exact=False).first.fill("GPL-3.0")
    second.get_by_role("button", name="Enregistrer la fiche").click()

    expect(second.get_by_role("alert")).to_be_focused()
    assert AIModel.objects.get().licence == "Apache-2.0"


def test_the_chain_is_verified_while_one_looks(visit: Visit, cast: Cast) -> None:
    page = visit("/journal/", as_=cast.auditor, language="fr")

    page.get_by_role("button", name="Vérifier la chaîne").click()

    expect(page.get_by_text("La chaîne est intacte")).to_be_visible()
    expect(page.locator("#chain code")).to_have_text(AuditEvent.objects.latest("seq").hash)


def test_a_person_finds_their_acts_in_their_menu(visit: Visit, cast: Cast) -> None:
    page = visit("/", as_=cast.rennes_dsi, language="fr")

    page.get_by_role("button", name="rennes_dsi").click()
    page.get_by_role("link", name="Journal").click()

    row = page.get_by_role("row", name="rennes_dsi a révoqué une clé")
    expect(row.get_by_role("link", name="carnet")).to_be_visible()
    row.get_by_role("link", name="son historique").click()
    expect(page.get_by_role("row", name="a émis une clé")).to_be_visible()
