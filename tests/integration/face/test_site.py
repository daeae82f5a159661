"""Name, logo and links of the site are settings; a logo that is not there is told before the start."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db


def test_name_logo_and_links_are_settings(client: Client, settings: Settings) -> None:
    settings.SITE_NAME = "Inférence de l'Ouest"
    settings.SITE_TAGLINE = "entre universités"
    settings.SITE_LOGO = "img/favicon.svg"
    settings.SITE_SOURCE = "https://example.org/source"
    settings.SITE_DOCUMENTATION = "https://example.org/docs"

    html = client.get("/account/login/").content.decode()

    assert "· Inférence de l&#x27;Ouest</title>" in html
    assert "entre universités" in html
    assert 'src="/static/img/favicon.svg"' in html
    assert 'href="https://example.org/source"' in html
    assert 'href="https://example.org/docs"' in html


def test_a_logo_that_is_not_there_is_told_before_the_start(settings: Settings) -> None:
    settings.SITE_LOGO = "img/nothing.svg"

    with pytest.raises(CommandError, match=r"img/nothing\.svg"):
        call_command("check")


def test_a_browser_finds_the_icon_of_any_page(client: Client) -> None:
    assert client.get("/favicon.ico").headers["Location"] == "/static/img/favicon.svg"
