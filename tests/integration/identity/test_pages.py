"""Choosing by whom one signs in, and the pages of whom the federation believes."""

import pytest
from django.test import Client

from federation.identity.models import MetadataSource, SignInService
from tests.integration.identity.conftest import Federation
from tests.support.factories import Cast
from tests.support.pages import signed_in_as
from tests.support.saml import Idp, Signer, aggregate, write


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_institution_is_found_by_its_name_or_domain(
    federation: Federation, client: Client
) -> None:
    federation.idps.append(Idp("cache.fr", "Caché", hidden=True))
    federation.publish()
    federation.read()
    assert "Université de Rennes" in text(client, "/sign-in/")
    assert "Caché" not in text(client, "/sign-in/")

    for query in ("rennes", "univ-rennes.fr", "UNIVERSITÉ RENNES"):
        page = text(client, f"/sign-in/?q={query}")
        assert "Université de Rennes" in page
        assert "Université de Reims" not in page
    assert "Aucun établissement ne répond" in text(client, "/sign-in/?q=<script>")
    assert "<script>alert" not in text(client, "/sign-in/?q=<script>alert")


def test_the_choice_is_remembered_and_leads_on(federation: Federation, client: Client) -> None:
    service = SignInService.objects.get(service_id=federation.rennes.entity_id)

    gone = client.get(f"/sign-in/{service.pk}/?next=/usage/")

    assert gone["location"].startswith("/account/saml/fer/login/?idp=")
    assert gone["location"].endswith("next=%2Fusage%2F")
    assert client.cookies["sign_in_service"]["httponly"]
    first = text(client, "/sign-in/").split("Université de Rennes")[0]
    assert "btn-primary" in first


@pytest.mark.parametrize(
    "then", ["https://evil.example.org/", "//evil.example.org", "javascript:x"]
)
def test_it_leads_nowhere_else(federation: Federation, client: Client, then: str) -> None:
    service = SignInService.objects.get(service_id=federation.rennes.entity_id)

    gone = client.get(f"/sign-in/{service.pk}/", {"next": then})

    assert "evil" not in gone["location"]
    assert "next" not in gone["location"]


def test_a_federations_own_discovery_comes_back_here(
    federation: Federation, client: Client
) -> None:
    gone = client.get("/sign-in/", {"entityID": federation.rennes.entity_id})

    assert gone["location"].startswith("/account/saml/fer/login/?idp=")
    assert client.get("/sign-in/", {"entityID": "https://evil.example.org"}).status_code == 200


def test_the_sign_in_page_offers_it_once_there_is_one(
    cast: Cast, client: Client, federation: Federation
) -> None:
    assert 'href="/sign-in/' in text(client, "/account/login/")
    SignInService.objects.all().delete()
    assert 'href="/sign-in/' not in text(client, "/account/login/")


def test_an_administrator_adds_a_federation_on_a_page(cast: Cast, federation: Federation) -> None:
    browser, signer = signed_in_as(cast.admin), Signer.new("other")
    typed = {
        "name": "eduGAIN",
        "url": "https://mds.example.org/all.xml",
        "certificate": signer.certificate,
    }
    for wrong in (
        {"certificate": "x"},
        {"url": "http://mds.example.org"},
        {"url": "file:/etc/passwd"},
    ):
        answer = browser.post("/sign-in/services/federations/new/", typed | wrong)
        assert answer.status_code == 200, wrong
    assert MetadataSource.objects.count() == 1

    added = browser.post("/sign-in/services/federations/new/", typed)

    assert added["location"] == "/sign-in/services/"
    assert "Son adresse ne répond pas" in text(browser, "/sign-in/services/")


def test_a_refusal_is_told_on_the_page(cast: Cast, federation: Federation) -> None:
    browser = signed_in_as(cast.admin)
    write(aggregate(federation.idps, Signer.new("somebody")), federation.path)

    browser.post(f"/sign-in/services/federations/{federation.source.pk}/refresh/")

    page = text(browser, "/sign-in/services/")
    assert "ne sont pas crues" in page
    assert "Université de Rennes" in page  # what was read before goes on


def test_an_it_department_lets_its_students_in_and_no_others(
    cast: Cast, federation: Federation
) -> None:
    service = SignInService.objects.get(service_id=federation.rennes.entity_id)
    other = SignInService.objects.get(service_id=federation.reims.entity_id)
    browser = signed_in_as(cast.rennes_dsi)

    browser.post(f"/sign-in/services/{service.pk}/", {"students": "yes"})
    assert SignInService.objects.get(pk=service.pk).takes_students
    assert browser.post(f"/sign-in/services/{other.pk}/", {"students": "yes"}).status_code == 403
    assert (
        browser.post(
            f"/sign-in/services/{service.pk}/", {"link": "1", "institution": ""}
        ).status_code
        == 403
    )
    assert SignInService.objects.get(pk=service.pk).institution == cast.rennes
    assert "Université de Reims" not in text(browser, "/sign-in/services/")
    for person in (cast.rennes_user, cast.intruder):
        assert signed_in_as(person).get("/sign-in/services/").status_code == 403


def test_an_administrator_says_whose_people_they_are_and_ends_a_federation(
    cast: Cast, federation: Federation
) -> None:
    browser = signed_in_as(cast.admin)
    service = SignInService.objects.get(service_id=federation.reims.entity_id)

    browser.post(
        f"/sign-in/services/{service.pk}/", {"link": "1", "institution": str(cast.reims.pk)}
    )
    assert SignInService.objects.get(pk=service.pk).institution == cast.reims

    address = f"/sign-in/services/federations/{federation.source.pk}/stop/"
    assert "2" in text(browser, address)
    browser.post(address)
    assert not SignInService.objects.usable().exists()
