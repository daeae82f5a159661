"""The doctor says of a pasted key what is right and what is wrong, and neither keeps nor shows it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from dashboards.doctor import Verdict, examine
from federation.access.keys import checksum, new_key
from federation.access.models import ApiKey
from federation.access.operations import issue_key, revoke_key, set_limit
from federation.catalogue.enums import Capability
from federation.catalogue.operations.registering import ModelFacts
from federation.fleet.models import Deployment
from federation.journal.models import AuditEvent
from federation.members.enums import MembershipState
from federation.members.models import Membership
from routing.core.enums import Measure
from routing.upstream.credentials import Secret
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_model,
    serve_model,
)
from tests.support.kept import Kept
from tests.support.pages import plain_static, signed_in_as

__all__ = ["plain_static"]
MOST_A_MINUTE = 10
HERE = "192.0.2.7"
FORM, KNOWN, IN_FORCE, ADDRESS = range(4)


@pytest.fixture
def cast(db: None, plain_static: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)


def a_key(cast: Cast, **scopes: Any) -> tuple[ApiKey, str]:
    application = make_application(cast.rennes, cast.rennes_user)
    key, secret = issue_key(by=OPERATOR, application=application, name="Sésame", **scopes)
    return key, secret.reveal()


def verdicts(text: str, address: str = HERE) -> list[Verdict]:
    return [finding.verdict for finding in examine(text, address).findings]


def ask(text: str, **headers: str) -> Any:
    return Client().post("/doctor/", {"key": text}, headers=headers)


def test_a_good_key_is_right_in_every_line_and_can_be_tried(
    cast: Cast, deployment: Deployment
) -> None:
    _key, text = a_key(cast)

    found = examine(f"  {text}\n", HERE)

    assert {finding.verdict for finding in found.findings} == {Verdict.OK}
    assert len(found.findings) == 6
    assert HERE in found.findings[ADDRESS].text
    assert found.call is not None
    assert found.call.path == "/v1/chat/completions"
    body = json.loads(found.call.body)
    assert (body["model"], body["stream"]) == (deployment.version.model.slug, True)


def test_a_typing_error_is_found_without_looking_the_key_up(cast: Cast) -> None:
    _key, text = a_key(cast)
    wrong = text[:-10] + ("a" if text[-10] != "a" else "b") + text[-9:]

    for each in (wrong, text[:-1], text + "x"):
        assert verdicts(each) == [Verdict.FAILED, Verdict.FAILED]


def test_a_key_from_elsewhere_is_known_though_it_is_written_otherwise(cast: Cast) -> None:
    a_key(cast, text=Secret("sk-imported"))
    assert verdicts("sk-imported")[: IN_FORCE + 1] == [Verdict.WARNING, Verdict.OK, Verdict.OK]


@pytest.mark.parametrize("text", ["", " ", "x" * 400, "ilaas_live_", "é\0", "Bearer x"])
def test_what_is_no_key_is_unknown(cast: Cast, text: str) -> None:
    assert Verdict.OK not in verdicts(text)
    assert examine(text, HERE).call is None


def test_a_revoked_an_expired_and_a_suspended_key_are_told_apart(cast: Cast) -> None:
    revoked, revoked_text = a_key(cast)
    revoke_key(by=OPERATOR, key=revoked, reason="the reason is its owner's affair")
    expired, expired_text = a_key(cast)
    long_ago = timezone.now() - timedelta(days=2)
    ApiKey.objects.filter(pk=expired.pk).update(
        created_at=long_ago, expires_at=long_ago + timedelta(days=1)
    )
    _good, good_text = a_key(cast)
    Membership.objects.filter(institution=cast.rennes).update(state=MembershipState.SUSPENDED)

    told = [examine(text, HERE) for text in (revoked_text, expired_text, good_text)]

    assert len({found.findings[-1].text for found in told}) == 3
    for found in told:
        assert [each.verdict for each in found.findings] == [*[Verdict.OK] * 2, Verdict.FAILED]
        assert found.key is None
        assert "affair" not in found.findings[-1].text


def test_from_a_wrong_address_it_is_not_tried(cast: Cast, deployment: Deployment) -> None:
    _key, text = a_key(cast, networks=["198.51.100.0/24", "2001:db8::/32"])

    away, here = examine(text, HERE), examine(text, "2001:db8::7")

    assert away.findings[ADDRESS].verdict is Verdict.FAILED
    assert away.call is None
    assert here.findings[ADDRESS].verdict is Verdict.OK
    assert here.call is not None


@pytest.mark.parametrize(
    ("endpoints", "path"),
    [
        (["responses", "embeddings"], "/v1/responses"),
        (["messages"], "/v1/messages"),
        (["completions"], "/v1/completions"),
        (["embeddings"], None),
    ],
)
def test_it_is_tried_by_an_interface_that_it_may_use(
    cast: Cast, deployment: Deployment, endpoints: list[str], path: str | None
) -> None:
    _key, text = a_key(cast, endpoints=endpoints)
    call = examine(text, HERE).call
    assert (call.path if call else None) == path


@pytest.mark.parametrize(
    "before", ["Bearer ", "bearer  ", "Authorization: Bearer ", '"', "'Bearer "]
)
def test_what_is_copied_with_a_key_is_left_away(cast: Cast, before: str) -> None:
    _key, text = a_key(cast)
    quote = before[0] if before[0] in "\"'" else ""

    assert examine(f" {before}{text}{quote}\n", HERE).key is not None


def test_a_key_is_tried_with_a_model_that_answers_by_what_it_is_bound_to(cast: Cast) -> None:
    make_model("a-chat", facts=ModelFacts(capabilities=(Capability.CHAT,)))
    serve_model(cast.rennes, "a-chat")
    key, text = a_key(cast, endpoints=["embeddings"])
    refused = examine(text, HERE)
    make_model("embed", facts=ModelFacts(capabilities=(Capability.EMBEDDINGS,)))
    serve_model(cast.rennes, "embed")

    call = examine(text, HERE).call

    assert refused.findings[-1].verdict is Verdict.FAILED
    assert refused.call is None
    assert call is not None
    assert (call.path, call.model) == ("/v1/embeddings", "embed")
    page = (
        signed_in_as(key.application.owner or cast.admin).get(f"/keys/{key.pk}/").content.decode()
    )
    assert "/v1/embeddings" in page
    assert "chat/completions \\" not in page


def test_a_key_whose_labels_no_site_has_gets_no_model(cast: Cast, deployment: Deployment) -> None:
    _key, text = a_key(cast, labels=["HDS"])
    assert examine(text, HERE).findings[-1].verdict is Verdict.FAILED


def test_neither_the_key_nor_whose_it_is_is_shown_logged_or_kept(
    cast: Cast, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    key, text = a_key(cast)
    set_limit(by=OPERATOR, owner=key, measure=Measure.REQUESTS_PER_DAY, most=77)
    events = AuditEvent.objects.count()

    pages = [ask(text), ask(text, hx_request="true"), ask(text[:-1])]

    shown = "".join(page.content.decode() for page in pages)
    assert "le routeur ne répond pas" in shown, "of what is left of its limit"
    assert text not in shown
    assert text[-20:] not in shown
    assert key.name not in shown
    assert cast.rennes_user.name not in shown
    assert text not in caplog.text
    assert AuditEvent.objects.count() == events
    assert all("no-store" in page.headers["Cache-Control"] for page in pages)
    secret = text.rsplit("_", 1)[1]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT 1 FROM "{table}" t WHERE strpos(t::text, %s) > 0', [secret])
            assert cursor.fetchone() is None, table


def test_an_address_asks_so_often(cast: Cast) -> None:
    for _ in range(MOST_A_MINUTE):
        assert ask(new_key().reveal()).status_code == 200

    page, part = ask("x"), ask("x", hx_request="true")

    assert (page.status_code, part.status_code) == (429, 200)
    assert "Trop de clés" in part.content.decode()
    assert "<html" not in part.content.decode()
    assert ask("x", x_forwarded_for="192.0.2.9").status_code == 200


def test_nothing_typed_is_told_at_the_field(cast: Cast) -> None:
    assert "invalid" in ask("").content.decode()
    assert "alert" in ask("", hx_request="true").content.decode()


def test_the_checksum_alone_makes_no_key_known(cast: Cast) -> None:
    body = f"ilaas_live_{'0' * 8}_{'0' * 43}"
    assert verdicts(body + checksum(body)) == [Verdict.OK, Verdict.FAILED]
