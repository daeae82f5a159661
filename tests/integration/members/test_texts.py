"""Published texts, the charter before a first key, and the demonstration's letter box."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.backends.filebased import EmailBackend
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from federation.access.models import ApiKey
from federation.access.operations import issue_key
from federation.members.enums import TextKind
from federation.members.models import TextVersion
from federation.members.operations.texts import accept_charter, publish_text
from federation.members.queries import has_accepted_charter
from tests.support.factories import OPERATOR, Cast, make_application
from tests.support.pages import signed_in_as

pytestmark = pytest.mark.usefixtures("plain_static")

PARIS = ZoneInfo("Europe/Paris")


def publish(cast: Cast, seen: int = 1) -> TextVersion:
    return publish_text(
        by=cast.admin,
        kind=TextKind.CHARTER,
        text_fr="# Charte\n\nSobriété.",
        text_en="# Charter\n\nModeration.",
        seen=seen,
    )


def test_without_the_charter_there_is_no_key(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    publish(cast)

    with pytest.raises(ValidationError) as refused:
        issue_key(by=cast.rennes_user, application=application, name="first")

    assert refused.value.code == "charter_not_accepted"
    assert not ApiKey.objects.exists()
    issue_key(by=OPERATOR, application=application, name="by a command")


def test_the_page_of_a_new_key_leads_to_the_charter_and_back(cast: Cast) -> None:
    publish(cast)
    client = signed_in_as(cast.rennes_user)
    client.cookies["django_language"] = "en"

    asked = client.get("/keys/new/")
    assert asked.headers["Location"] == "/charter/?next=/keys/new/"
    assert "Moderation." in client.get(asked.headers["Location"]).content.decode()
    answer = client.post("/charter/", {"number": "2", "next": "/keys/new/"})

    assert answer.headers["Location"] == "/keys/new/"
    assert has_accepted_charter(cast.rennes_user)
    assert client.get("/keys/new/").status_code == 200


def test_a_version_that_was_replaced_meanwhile_is_not_accepted_unread(cast: Cast) -> None:
    publish(cast)

    with pytest.raises(ValidationError) as refused:
        accept_charter(by=cast.rennes_user, number=1)

    assert refused.value.code == "changed_meanwhile"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:1"])
def test_the_charter_leads_to_no_other_site(cast: Cast, address: str) -> None:
    answer = signed_in_as(cast.rennes_user).post("/charter/", {"number": "1", "next": address})

    assert answer.headers["Location"] == "/charter/"


def test_a_visitor_reads_the_charter_and_signs_in_to_accept_it(db: None) -> None:
    client = Client()

    assert "jeton" not in client.get("/charter/").content.decode()
    assert client.post("/charter/", {"number": "1"}).headers["Location"].startswith("/account/")


def test_a_text_published_meanwhile_is_not_overwritten_and_nothing_typed_is_lost(
    cast: Cast,
) -> None:
    publish(cast)
    client = signed_in_as(cast.admin)
    given = {"text_fr": "# Ma charte", "text_en": "# My charter", "seen": "1"}

    page = client.post("/texts/charter/", given).content.decode()

    assert "# My charter" in page
    assert 'name="seen" value="2"' in page
    assert TextVersion.objects.filter(kind=TextKind.CHARTER).count() == 2
    client.post("/texts/charter/", {**given, "seen": "2"})
    assert TextVersion.objects.filter(kind=TextKind.CHARTER).count() == 3


def test_the_letter_box_is_the_demonstrations_alone(
    db: None, settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_FILE_PATH, before = tmp_path, timezone.now()
    subject, body = "Été à Nantes", "Bonjour,\n\nhttps://example.org/link\n<script>no</script>"
    EmailBackend(file_path=str(tmp_path)).send_messages(
        [EmailMessage(subject, body, "from@example.org", ["ada@example.org"])] * 2
    )
    (tmp_path / "broken.log").write_bytes(b"\xff\xfe nothing of a mail")

    assert Client().get("/demo/mail/").status_code == 404
    settings.SHOWS_MAIL = True
    page = Client().get("/demo/mail/").content.decode()

    assert page.count(subject) == 2
    hours = {f", {moment.astimezone(PARIS):%H:}" for moment in (before, timezone.now())}
    assert any(hour in page for hour in hours)
    assert '<a href="https://example.org/link"' in page
    assert "<script>no" not in page
