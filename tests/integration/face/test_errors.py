"""What went wrong is said in the design and in the reader's language, the last of it without a database."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import Settings

from config import urls as config_urls

FAILURES = {
    "bad": BadRequest(),
    "denied": PermissionDenied(),
    "broken": RuntimeError("this is told to nobody"),
}


def fail(request: HttpRequest, kind: str) -> HttpResponse:
    raise FAILURES[kind]


urlpatterns = [path("fail/<str:kind>/", fail), path("", include(config_urls))]
handler400, handler403 = config_urls.handler400, config_urls.handler403
handler404, handler500 = config_urls.handler404, config_urls.handler500


@pytest.fixture
def failing(settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


@pytest.fixture
def no_database() -> Iterator[None]:
    def refuse(*_arguments: object) -> None:
        raise OperationalError("the database is away")

    with connection.execute_wrapper(refuse):
        yield


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"),
    [("/fail/bad/", 400), ("/fail/denied/", 403), ("/nowhere/", 404), ("/fail/broken/", 500)],
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_error_is_a_page_of_the_design(
    failing: Client, address: str, status: int, language: str
) -> None:
    response = failing.get(address, headers={"accept-language": language})

    html = response.content.decode()
    assert response.status_code == status
    assert f'<html lang="{language}">' in html
    assert "css/ilaas.css" in html
    assert html.count("<h1>") == 1
    assert "told to nobody" not in html


@pytest.mark.django_db
def test_an_address_that_only_takes_forms_leads_on_whoever_opens_it() -> None:
    client, address = Client(), "/language/"
    page = client.get(address, headers={"accept": "text/html,*/*", "accept-language": "fr"})
    bare = client.get(address, headers={"accept": "application/json"})

    assert (page.status_code, bare.status_code) == (405, 405)
    assert page.headers["Allow"] == bare.headers["Allow"] == "POST"
    assert "css/ilaas.css" in page.content.decode()
    assert 'href="/"' in page.content.decode()
    assert bare.content == b""


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_form_without_its_token_is_refused_in_the_design(language: str) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.post("/account/login/", {"login": "x"}, headers={"accept-language": language})

    assert response.status_code == 403
    assert f'<html lang="{language}">' in response.content.decode()
    assert "css/ilaas.css" in response.content.decode()


@pytest.mark.django_db
def test_the_page_of_our_own_errors_needs_no_database(
    failing: Client, no_database: None, settings: Settings
) -> None:
    settings.SITE_CONTACT = "ilaas@example.org"

    response = failing.get("/fail/broken/", headers={"accept-language": "en"})

    assert response.status_code == 500
    assert "ilaas@example.org" in response.content.decode()


@pytest.mark.django_db
def test_the_portal_is_well_while_its_database_answers(client: Client) -> None:
    response = client.get("/health/portal")

    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.django_db
def test_the_portal_says_when_its_database_is_away(client: Client, no_database: None) -> None:
    assert client.get("/health/portal").status_code == 503


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/%00/", "/%ff%fe/", "/" + "a/" * 2000, "/?next=%00", "//"])
def test_a_strange_address_is_no_error_of_ours(client: Client, address: str) -> None:
    assert client.get(address).status_code in {200, 404}
