"""The card of a model: what was tested on which of its servers, how fast they were, and nothing that was not found."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboards.abilities import Ability
from dashboards.findings import LOOKS_BACK, Standing
from dashboards.queries import ModelCard, model_cards
from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel
from federation.fleet.models import ConformityRun, Deployment, InferenceServer
from federation.people.models import User
from routing.core.conformity import Check, Finding, RunKind, Verdict
from routing.core.enums import ServerState
from tests.support.factories import MODEL, Cast, make_model, serve_model
from tests.support.findings import (
    FAILED,
    NOT_OFFERED,
    NOT_REACHED,
    RESERVED,
    WELL,
    Line,
    make_report,
    speed,
    window,
)
from tests.support.pages import signed_in_as

DECLARED = [Capability.CHAT.value, Capability.TOOLS.value]


@pytest.fixture(autouse=True)
def declared(at_rennes: Deployment, at_reims: Deployment) -> None:
    AIModel.objects.update(capabilities=DECLARED)


def card(user: User, slug: str = MODEL) -> ModelCard:
    return next(card for card in model_cards(user) if card.model.slug == slug)


def ability(user: User, name: str = "tools") -> Ability:
    return next(each for each in card(user).abilities if each.name == name)


def shown(user: User, address: str = f"/catalogue/{MODEL}/", language: str = "fr") -> str:
    browser = signed_in_as(user)
    page = browser.get(address, headers={"accept-language": language})
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def test_what_is_declared_and_never_tested_is_said_to_be_just_that(cast: Cast) -> None:
    told = ability(cast.orleans_user)

    assert (told.standing, told.short) == (Standing.UNTESTED, "")
    assert told.sentence == "déclaré, jamais testé"


def test_a_test_counts_for_the_servers_on_which_it_was_made(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    make_report(at_rennes, {Check.TOOLS: WELL}, at=at)
    told = ability(cast.orleans_user)
    assert (told.standing, told.short) == (Standing.WELL, "1/2")
    assert "jamais testé sur 1" in told.sentence
    assert "28\u00a0nov.\u00a02026" in told.sentence

    make_report(at_reims, {Check.TOOLS: WELL})
    assert ability(cast.orleans_user).short == "2/2"


def test_one_failure_is_never_hidden_by_the_servers_that_pass(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL})
    make_report(at_reims, {Check.TOOLS: FAILED})

    told = ability(cast.orleans_user)

    assert (told.standing, told.short, told.is_tested) == (Standing.FAILED, "1/2", False)
    assert "en échec sur 1" in told.sentence
    assert 'data-ability="tools" data-standing="failed"' in shown(cast.orleans_user)


@pytest.mark.parametrize(
    ("line", "standing"),
    [
        (WELL, Standing.WELL),
        (RESERVED, Standing.RESERVED),
        (FAILED, Standing.FAILED),
        (NOT_OFFERED, Standing.UNTESTED),
        (NOT_REACHED, Standing.UNTESTED),
    ],
)
def test_each_finding_stands_for_what_it_is(
    cast: Cast, at_rennes: Deployment, line: Line, standing: Standing
) -> None:
    make_report(at_rennes, {Check.TOOLS: line})

    assert ability(cast.orleans_user).standing is standing


@pytest.mark.parametrize("finding", [Finding.NOT_REACHED, Finding.BUSY, Finding.OWN_FAULT])
def test_a_night_that_found_nothing_leaves_the_finding_before(
    cast: Cast, at_rennes: Deployment, finding: Finding
) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    make_report(at_rennes, {Check.TOOLS: WELL}, at=yesterday)
    make_report(at_rennes, {Check.TOOLS: Line(Verdict.FAILED, finding)})

    told = ability(cast.orleans_user)

    assert told.standing is Standing.WELL
    assert told.latest == yesterday


def test_the_newest_finding_counts(cast: Cast, at_rennes: Deployment) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL}, at=timezone.now() - timedelta(days=2))
    make_report(at_rennes, {Check.TOOLS: FAILED}, at=timezone.now() - timedelta(days=1))

    assert ability(cast.orleans_user).standing is Standing.FAILED


def test_what_was_tested_long_ago_says_nothing_of_today(cast: Cast, at_rennes: Deployment) -> None:
    at = timezone.now() - LOOKS_BACK - timedelta(minutes=1)
    make_report(at_rennes, {Check.TOOLS: WELL}, at=at)

    assert ability(cast.orleans_user).standing is Standing.UNTESTED


def test_another_model_of_the_same_server_is_not_tested_by_it(
    cast: Cast, at_rennes: Deployment
) -> None:
    other = serve_model(cast.rennes, "llama-3.1-8b", url=at_rennes.server.base_url)
    assert other.server_id == at_rennes.server_id
    AIModel.objects.update(capabilities=DECLARED)
    make_report(at_rennes, {Check.TOOLS: WELL})

    abilities = {each.name: each for each in card(cast.orleans_user, "llama-3.1-8b").abilities}

    assert abilities["tools"].standing is Standing.UNTESTED


def test_a_report_that_names_no_model_speaks_for_none(cast: Cast, at_rennes: Deployment) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL})
    ConformityRun.objects.update(deployment=None)

    assert ability(cast.orleans_user).standing is Standing.UNTESTED


def test_what_is_not_declared_is_told_once_a_server_can_do_it(
    cast: Cast, at_rennes: Deployment
) -> None:
    assert "vision" not in {each.name for each in card(cast.orleans_user).abilities}

    make_report(at_rennes, {Check.IMAGES: WELL})

    told = ability(cast.orleans_user, "vision")
    assert told.standing is Standing.WELL
    assert "non déclaré au catalogue" in told.sentence


def test_a_capability_without_a_check_is_never_called_tested(
    cast: Cast, at_rennes: Deployment
) -> None:
    AIModel.objects.update(capabilities=[Capability.REASONING, Capability.RERANK])
    make_report(at_rennes, dict.fromkeys((Check.STREAMING, Check.MODEL), WELL))

    for name in ("reasoning", "rerank"):
        told = ability(cast.orleans_user, name)
        assert (told.standing, told.has_check) == (Standing.UNTESTED, False)
        assert "aucun test" in told.sentence


def test_a_server_that_is_out_of_service_counts_for_nothing(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL})
    InferenceServer.objects.filter(pk=at_rennes.server_id).update(state=ServerState.SUSPENDED)

    for person in (cast.orleans_user, cast.rennes_dsi):
        assert ability(person).standing is Standing.UNTESTED
        assert ability(person).servers == 1


def test_the_card_tells_speeds_and_the_context_that_was_really_read(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    make_report(
        at_rennes,
        {
            Check.SPEED_ALONE: speed(180, 45.4),
            Check.SPEED_TOGETHER: speed(400, 240.0, 8),
            Check.CONTEXT: window(31_700, 32_768),
        },
    )
    make_report(
        at_reims, {Check.SPEED_ALONE: speed(1420, 60.0), Check.CONTEXT: window(15_800, 32_768)}
    )

    page = shown(cast.orleans_user)

    assert "Premier jeton après 180 à 1" in page
    assert "420 ms, puis 45 à 60 jetons par seconde" in page
    assert "Vitesse mesurée, 8 requêtes à la fois" in page
    assert "puis 240 jetons par seconde au total" in page
    assert "une invite de 31" in page
    assert "700 jetons a été lue entière" in page


def test_what_was_not_measured_has_no_figure_and_neither_have_price_and_energy(cast: Cast) -> None:
    page = shown(cast.orleans_user)

    assert "Pas encore mesurée" in page
    assert "sans prix : utilisé sans être facturé" in page
    assert "sa fiche ne dit pas combien de paramètres il a" in page
    assert "jetons par seconde" not in page


def test_no_figure_of_a_network_reaches_another_institution(
    cast: Cast, at_rennes: Deployment
) -> None:
    secret: dict[str, int | float | str] = {"address": "10.11.12.13", "host": "gpu.intern.example"}
    lines = {check: Line(Verdict.OK, Finding.CONNECTED, secret) for check in Check}
    make_report(at_rennes, lines)

    for address in (f"/catalogue/{MODEL}/", f"/compare/{MODEL}/", "/catalogue/"):
        page = shown(cast.orleans_user, address)
        assert "10.11.12.13" not in page
        assert "gpu.intern" not in page
    found = card(cast.orleans_user).findings[at_rennes.pk]
    assert Check.DNS not in found
    assert all(not each.figures for each in found.values())


def test_prompts_are_no_checks_of_abilities(cast: Cast, at_rennes: Deployment) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL}, kind=RunKind.REPLAY)

    assert ability(cast.orleans_user).standing is Standing.UNTESTED


@pytest.mark.parametrize("address", ["/catalogue/", f"/catalogue/{MODEL}/", f"/compare/{MODEL}/"])
def test_the_queries_do_not_grow_with_models_servers_and_reports(
    cast: Cast, at_rennes: Deployment, address: str
) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL})
    browser = signed_in_as(cast.rennes_dsi)
    browser.get(address)  # from here on, what everybody may know is remembered
    with CaptureQueriesContext(connection) as one:
        browser.get(address)
    for name in ("qwen-3-30b", "llama-3.1-8b", MODEL):
        for institution in (cast.rennes, cast.reims):
            deployment = serve_model(institution, name)
            make_report(deployment, {Check.TOOLS: WELL, Check.CONTEXT: window(9, 10)})

    with CaptureQueriesContext(connection) as many:
        browser.get(address)

    assert len(many) == len(one)


def test_a_card_of_a_model_without_servers_says_so(cast: Cast) -> None:
    model = make_model("speech-1b")
    AIModel.objects.filter(pk=model.pk).update(capabilities=[Capability.TRANSCRIPTION])

    page = shown(cast.orleans_user, "/catalogue/speech-1b/")

    assert "Transcription de la parole" in page
    assert "aucun serveur ne le sert en ce moment" in page
