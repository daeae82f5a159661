"""Every page of the demonstration says that it is one, once; no page of another federation does."""

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from config.demo.building import BY
from dashboards.demonstration import COMMAND, is_demonstration
from federation.people.enums import Role
from federation.people.models import User
from tests.integration.demo.conftest import Demonstration
from tests.support.factories import make_cast
from tests.support.pages import signed_in_as

NOTE = "the figures include invented ones"
OF_VISITORS = ["/", "/accessibility/", "/account/login/"]
OF_THE_SIGNED_IN = ["/", "/servers/", "/catalogue/", "/keys/", "/keys/new/", "/usage/", "/style/"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    caches["memory"].clear()


def notes(client: Client, path: str) -> int:
    answer = client.get(path, headers={"accept-language": "en"})
    assert answer.status_code == 200, path
    return answer.content.decode().count(NOTE)


def test_every_page_of_the_demonstration_says_so_once(demonstration: Demonstration) -> None:
    demonstration.run()
    admin = User.objects.filter(role_grants__role=Role.FEDERATION_ADMIN).get()
    admin.language = "en"
    admin.save()
    visitor, signed_in = Client(), signed_in_as(admin)
    register = [reverse("admin:index"), reverse("admin:fleet_inferenceserver_changelist")]

    assert {path: notes(visitor, path) for path in OF_VISITORS} == dict.fromkeys(OF_VISITORS, 1)
    asked = [*OF_THE_SIGNED_IN, *register]
    assert {path: notes(signed_in, path) for path in asked} == dict.fromkeys(asked, 1)


def test_no_page_of_a_real_federation_says_so() -> None:
    admin = signed_in_as(make_cast().admin)

    pages = ["/", "/servers/", "/keys/", "/usage/", reverse("admin:index")]
    assert {path: notes(admin, path) for path in pages} == dict.fromkeys(pages, 0)


def test_the_database_is_asked_once_for_many_pages(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        assert not is_demonstration()
        assert not is_demonstration()


def test_the_pages_and_the_command_mean_the_same_act() -> None:
    assert BY.command == COMMAND


def test_whoever_has_no_app_reads_the_codes_on_a_page_of_the_demonstration_alone(
    demonstration: Demonstration, settings: Settings
) -> None:
    account = demonstration.run()["accounts"]["rennes_dsi"]
    assert Client().get("/demo/codes/").status_code == 404
    settings.SHOWS_MAIL = True

    shown = {code.email: code.code for code in Client().get("/demo/codes/").context["codes"]}

    assert set(shown) == {"admin@ilaas.example", "dsi@rennes.example"}
    browser = Client()
    browser.post("/account/login/", {"login": account["email"], "password": account["password"]})
    browser.post("/account/2fa/authenticate/", {"code": shown[account["email"]]})
    assert browser.get("/servers/").status_code == 200
