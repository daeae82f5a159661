"""A key is bound anew without another text; who changes it may, and two people do not undo each other."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from federation.access.fields import end_of
from federation.access.keyring import replace_key
from federation.access.models import ApiKey
from federation.access.operations import change_key, revoke_key
from federation.journal.models import AuditEvent
from routing.core.enums import PriorityClass, RoutingMode
from tests.support.factories import OPERATOR, Cast, make_model
from tests.support.pages import signed_in_as


def sent(key: ApiKey, **changed: Any) -> dict[str, Any]:
    """Return what a browser sends that has opened the page, with these changes."""
    owner = key.application.owner
    assert owner is not None
    form = signed_in_as(owner).get(f"/keys/{key.pk}/change/").context["form"]
    values = {field.html_name: field.value() for field in form}
    models = [str(model.pk) for model in values.pop("models")]
    return (
        {name: value for name, value in values.items() if value is not None}
        | {"models": models}
        | changed
    )


def test_a_key_is_bound_anew_and_its_text_stays(cast: Cast, key: ApiKey) -> None:
    model, digest = make_model("a"), key.digest
    last = timezone.localdate() + timedelta(days=30)
    body = sent(
        key,
        priority=2,
        routing_mode="private-first",
        models=[str(model.pk)],
        networks="192.0.2.0/24",
        endpoints=["embeddings"],
        tells=["impact"],
        origins="https://chat.example.fr",
        expires_on=last.isoformat(),
    )

    page = signed_in_as(cast.rennes_user).post(f"/keys/{key.pk}/change/", body)

    assert page.status_code == 302, page.context["form"].errors
    key.refresh_from_db()
    assert (key.priority, key.routing_mode) == (PriorityClass.P2, RoutingMode.PRIVATE_FIRST)
    assert (key.networks, key.endpoints) == (["192.0.2.0/24"], ["embeddings"])
    assert key.tells == ["impact"]
    assert "usage.impact" in signed_in_as(cast.rennes_user).get(f"/keys/{key.pk}/").content.decode()
    assert (list(key.models.all()), key.expires_at) == ([model], end_of(last))
    assert (key.origins, key.digest) == (["https://chat.example.fr"], digest)


def test_the_journal_tells_what_has_changed_and_no_address(cast: Cast, key: ApiKey) -> None:
    change_key(by=cast.rennes_user, key=key, networks=["192.0.2.0/24"], priority=PriorityClass.P1)
    change_key(by=cast.rennes_user, key=key, priority=PriorityClass.P1)

    told = AuditEvent.objects.get(verb="access.change_key")
    assert told.diff == {"networks": [0, 1], "priority": [3, 1]}


def test_a_page_that_changes_nothing_leaves_no_trace(cast: Cast, key: ApiKey) -> None:
    signed_in_as(cast.rennes_user).post(f"/keys/{key.pk}/change/", sent(key))

    assert not AuditEvent.objects.filter(verb="access.change_key").exists()


def test_of_two_tabs_the_second_is_told(cast: Cast, key: ApiKey) -> None:
    browser, body = signed_in_as(cast.rennes_user), sent(key, priority=1)
    change_key(by=cast.rennes_dsi, key=key, networks=["192.0.2.0/24"])

    page = browser.post(f"/keys/{key.pk}/change/", body)

    text = page.content.decode().replace("\u00a0", " ")
    assert "Quelqu’un d’autre" in text
    assert "Enregistré entre-temps : « 192.0.2.0/24 »" in text
    key.refresh_from_db()
    assert (key.priority, key.networks) == (PriorityClass.P3, ["192.0.2.0/24"])

    again = {**body, "seen": page.context["form"]["seen"].value()}
    assert browser.post(f"/keys/{key.pk}/change/", again).status_code == 302
    key.refresh_from_db()
    assert (key.priority, key.networks) == (PriorityClass.P1, [])


def test_a_class_given_by_somebody_higher_stays_and_none_above_it_is_taken(
    cast: Cast, key: ApiKey
) -> None:
    change_key(by=cast.rennes_dsi, key=key, priority=PriorityClass.P4)
    change_key(by=cast.rennes_user, key=key, priority=PriorityClass.P4, endpoints=["embeddings"])

    with pytest.raises(PermissionDenied):
        change_key(by=cast.rennes_user, key=key, priority=PriorityClass.P5)


def test_what_has_ended_or_is_replaced_or_would_never_end_is_refused(
    cast: Cast, key: ApiKey
) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(days=60))
    too_long = timezone.now() + timedelta(days=800)
    for late in (None, too_long, timezone.now() - timedelta(days=1)):
        with pytest.raises(ValidationError):
            change_key(by=cast.rennes_user, key=key, expires_at=late)
    replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + timedelta(days=7))
    with pytest.raises(ValidationError, match="remplac"):
        change_key(by=cast.rennes_user, key=key, expires_at=timezone.now() + timedelta(days=90))
    revoke_key(by=OPERATOR, key=key, reason="leak")
    with pytest.raises(ValidationError):
        change_key(by=cast.rennes_user, key=key, priority=PriorityClass.P1)


def test_nobody_else_changes_it(cast: Cast, key: ApiKey) -> None:
    for person in (cast.reims_dsi, cast.auditor, cast.intruder, cast.orleans_user):
        with pytest.raises(PermissionDenied):
            change_key(by=person, key=key, priority=PriorityClass.P1)
    assert signed_in_as(cast.reims_dsi).get(f"/keys/{key.pk}/change/").status_code == 404
    assert signed_in_as(cast.auditor).get(f"/keys/{key.pk}/change/").status_code == 403
