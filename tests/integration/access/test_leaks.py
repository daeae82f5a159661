"""A key that was found somewhere ends at once, whoever hands it in; the answer says nothing about it."""

import json
import re
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from federation.access.keyring import MOST_TEXT, keys_in, report_leak
from federation.access.keys import new_key
from federation.access.mails import tell_of_leak
from federation.access.models import ApiKey
from federation.access.operations import add_manager, hand_over, issue_key
from federation.journal.models import AuditEvent
from federation.people.enums import AccountKind, Language, Role
from federation.people.models import User
from routing.upstream.credentials import Secret
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_key,
    make_user,
)
from tests.support.post import deliver, recipients

MOST_A_MINUTE = 10


def hand_in(text: str, **headers: Any) -> Any:
    return Client().post("/keys/report-leak/", {"text": text}, headers=headers)


def test_a_key_in_a_pasted_text_is_revoked_at_once_and_its_people_are_told(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")
    add_manager(by=OPERATOR, application=application, manager=cast.rennes_dsi)
    User.objects.filter(pk=cast.rennes_dsi.pk).update(language=Language.ENGLISH)
    key, text = make_key(application)

    page = hand_in(f"export OPENAI_API_KEY={text}; # oops")

    key.refresh_from_db()
    assert page.status_code == 200
    assert not key.is_usable
    assert key.revoked_reason
    assert AuditEvent.objects.get(verb="access.revoke_leaked_key").object_id == str(key.pk)
    assert text not in page.content.decode()
    told = {letter.to[0]: letter for letter in deliver()}
    assert set(told) == {cast.rennes_user.email, cast.rennes_dsi.email}
    assert "a été révoquée aussitôt" in told[cast.rennes_user.email].body
    assert "It was revoked at once" in told[cast.rennes_dsi.email].body
    assert all(text not in f"{letter.subject} {letter.body}" for letter in told.values())


def test_without_people_the_it_department_is_told(cast: Cast) -> None:
    application = make_application(cast.rennes)
    robot = make_user("robot", Role.PROJECT_OWNER, cast.rennes)
    User.objects.filter(pk=robot.pk).update(kind=AccountKind.SERVICE)
    hand_over(by=OPERATOR, application=application, owner=User.objects.get(pk=robot.pk))
    key, _text = make_key(application)

    tell_of_leak(key)

    assert recipients() == [cast.rennes_dsi.email]


def without_tokens(page: Any) -> str:
    return re.sub(r"(value|content|hx-headers)=.[^>]*>", "", page.content.decode())


def test_the_answer_is_the_same_whatever_was_handed_in(cast: Cast) -> None:
    _key, text = make_key(make_application(cast.rennes))

    answers = [hand_in(words) for words in (text, text, new_key().reveal(), "no key at all")]

    assert len({without_tokens(answer) for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {200}
    assert ApiKey.objects.filter(revoked_at__isnull=False).count() == 1


def test_a_key_from_elsewhere_is_recognised_when_it_stands_alone(cast: Cast) -> None:
    text = "sk-from-another-dispatcher"
    issue_key(by=OPERATOR, application=make_application(cast.rennes), name="old", text=Secret(text))

    assert report_leak(text=f"the key is {text}") == []
    (ended,) = report_leak(text=f" {text}\n")

    assert ended.revoked_at is not None


def test_only_the_product_itself_reports(cast: Cast, key: ApiKey) -> None:
    with pytest.raises(PermissionDenied):
        report_leak(text="x", by=cast.admin)


def test_programs_have_an_address_of_their_own(cast: Cast) -> None:
    key, text = make_key(make_application(cast.rennes))
    browser, leaks = Client(enforce_csrf_checks=True), "/keys/leaks/"

    plain = browser.post(leaks, f"a log: {text}", content_type="text/plain")
    structured = browser.post(leaks, json.dumps({"text": text}), content_type="application/json")

    key.refresh_from_db()
    assert not key.is_usable
    assert (plain.status_code, structured.status_code) == (202, 202)
    assert plain.json() == structured.json()
    assert browser.get(leaks).status_code == 405


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "text/plain"),
        (b"\xff\xfe", "text/plain"),
        (b"a" * (MOST_TEXT + 1), "text/plain"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"text": 3}', "application/json"),
        (b"[" * 10_000, "application/json"),
    ],
    ids=["empty", "no text", "too long", "no JSON", "no object", "a number", "deep"],
)
def test_what_is_no_report_is_refused(db: None, body: bytes, kind: str) -> None:
    answer = Client().post("/keys/leaks/", body, content_type=kind)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_address_reports_so_often_and_another_goes_on(cast: Cast) -> None:
    _key, text = make_key(make_application(cast.rennes))
    for _ in range(MOST_A_MINUTE):
        assert hand_in("x").status_code == 200

    page = hand_in(text)
    program = Client().post("/keys/leaks/", text, content_type="text/plain")

    assert (page.status_code, program.status_code) == (429, 429)
    assert page.headers["Retry-After"] == "60"
    assert ApiKey.objects.get().is_usable
    assert hand_in(text, x_forwarded_for="192.0.2.7").status_code == 200
    assert not ApiKey.objects.get().is_usable


def test_what_is_looked_at_of_a_text_is_bounded() -> None:
    key = new_key().reveal()
    assert key in keys_in(f"«{key}» and {key}x")
    assert keys_in("x" * MOST_TEXT + key) == set()
    assert len(keys_in(" ".join(new_key().reveal() for _ in range(200)))) == 50
