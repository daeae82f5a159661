"""One model on several servers: what differs is said in words, and so is what was never looked at."""

from decimal import Decimal

import pytest
from django.test import Client

from federation.catalogue.models import ModelVersion
from federation.catalogue.operations.registering import add_version
from federation.fleet.models import Deployment, Site
from federation.people.models import User
from routing.core.conformity import Check, Finding, Verdict
from routing.core.enums import LifecycleStage
from tests.support.factories import MODEL, OPERATOR, Cast, make_model
from tests.support.findings import FAILED, WELL, Line, make_report, speed
from tests.support.pages import signed_in_as


def shown(user: User, name: str = MODEL) -> str:
    page = signed_in_as(user).get(f"/compare/{name}/")
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def row(page: str, label: str) -> str:
    """Return the cells of the line with this label."""
    return page.split(f'<th scope="row">{label}</th>')[1].split("</tr>")[0]


def test_each_server_has_a_column_and_each_check_its_line(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    make_report(at_rennes, {Check.TOOLS: WELL, Check.SPEED_ALONE: speed(120, 50)})
    make_report(at_reims, {Check.TOOLS: FAILED})

    page = shown(cast.orleans_user)

    assert page.count('<th scope="col">') == 2
    tools = row(page, "Appels d’outils")
    assert "échec" in tools.split("</td>")[0], "Reims stands first"
    assert "testé" in tools.split("</td>")[1]
    alone = row(page, "Vitesse, une requête")
    assert "non mesurée" in alone.split("</td>")[0]
    assert "120" in alone.split("</td>")[1]
    assert 'scope="row">Images<' not in page, "nobody looked at it anywhere"


def test_what_differs_from_the_current_version_is_said_in_words(
    cast: Cast, at_rennes: Deployment, at_reims: Deployment
) -> None:
    smaller = add_version(
        by=OPERATOR,
        model=at_rennes.version.model,
        revision=at_rennes.version.revision,
        quantisation="Q4_K_M",
        context_length=16_384,
        current=False,
    )
    Deployment.objects.filter(pk=at_rennes.pk).update(version=smaller)

    page = shown(cast.orleans_user)

    assert "diffère" in row(page, "Quantification")
    assert row(page, "Quantification").count("diffère") == 1
    assert "diffère" in row(page, "Contexte déclaré")
    assert "diffère" not in row(page, "Poids")


def test_without_a_current_version_nothing_is_said_to_differ(
    cast: Cast, at_rennes: Deployment
) -> None:
    ModelVersion.objects.update(current=False)

    assert "diffère" not in shown(cast.orleans_user)


def test_answers_unlike_those_of_the_peers_are_a_warning_with_the_figure(
    cast: Cast, at_rennes: Deployment
) -> None:
    line = Line(Verdict.WARNING, Finding.UNALIKE, {"percent": 38, "peers": 1})
    make_report(at_rennes, {Check.PEERS: line})

    assert "38" in row(shown(cast.orleans_user), "Réponses semblables à celles de ses pairs")


def test_labels_and_pue_of_the_site_are_told(cast: Cast, at_rennes: Deployment) -> None:
    Site.objects.filter(pk=at_rennes.server.site_id).update(pue=Decimal("1.28"), labels=["HDS"])

    page = shown(cast.orleans_user)

    assert "HDS (données de santé)" in row(page, "Labels du site")
    assert "1,28" in row(page, "PUE")


@pytest.mark.parametrize("name", ["nonsense", "%00", "a-model-to-come"])
def test_a_model_that_the_reader_does_not_know_is_not_there(
    cast: Cast, at_rennes: Deployment, name: str
) -> None:
    make_model("a-model-to-come", stage=LifecycleStage.PROPOSED)

    assert signed_in_as(cast.orleans_user).get(f"/compare/{name}/").status_code == 404


def test_a_visitor_signs_in_first_and_another_case_leads_on(
    cast: Cast, at_rennes: Deployment
) -> None:
    assert Client().get(f"/compare/{MODEL}/").status_code == 302
    answer = signed_in_as(cast.orleans_user).get(f"/compare/{MODEL.upper()}/")
    assert answer.headers["Location"] == f"/compare/{MODEL}/"


def test_a_model_that_nobody_serves_says_so(cast: Cast) -> None:
    make_model("lonely-1b")

    assert 'class="empty"' in shown(cast.orleans_user, "lonely-1b")
