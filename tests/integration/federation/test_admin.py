"""Django's admin: a window for federation administrators, with nothing to write but the operations."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from federation.access.models import ApiKey
from federation.fleet.models import Deployment, EgressGrant, InferenceServer
from federation.journal.models import AuditEvent
from federation.members.enums import MembershipState
from federation.members.models import Membership
from federation.people.models import User
from routing.core.enums import ServerState
from tests.integration.federation.world import World
from tests.support.pages import signed_in_as

TABLES = tuple(admin.site._registry)

pytestmark = pytest.mark.usefixtures("plain_static")


@pytest.fixture
def browser(world: World) -> Client:
    return signed_in_as(world.cast.admin)


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_only_tables_of_the_register_are_shown() -> None:
    assert {model._meta.app_label for model in TABLES} == {
        *("journal", "people", "members", "identity", "catalogue", "fleet", "access")
    }


def test_every_list_and_every_row_opens_for_an_administrator(browser: Client, world: World) -> None:
    assert browser.get(reverse("admin:index")).status_code == 200
    for model in TABLES:
        row = model._default_manager.first()
        assert row is not None, model
        for page in (address(model, "changelist"), address(model, "change", row.pk)):
            answer = browser.get(page)
            assert answer.status_code == 200, page
            assert 'name="_save"' not in answer.content.decode()


def test_no_page_shows_a_secret_of_the_database(browser: Client, world: World) -> None:
    secrets = [
        world.key.digest,
        world.server.credentials.get().ciphertext,
        world.cast.admin.password,
    ]
    for model in TABLES:
        for row in model._default_manager.all():
            page = browser.get(address(model, "change", row.pk)).content.decode()
            assert not [secret for secret in secrets if secret in page], model


def test_nobody_searches_by_what_is_hidden(browser: Client) -> None:
    for model, lookup in (
        (ApiKey, "digest__startswith"),
        (User, "password__startswith"),
        (ApiKey, "created_by__password__startswith"),
    ):
        assert browser.get(address(model, "changelist"), {lookup: "a"}).status_code == 400


def test_nothing_is_added_changed_or_deleted_there(browser: Client, world: World) -> None:
    for model in TABLES:
        row = model._default_manager.first()
        assert row is not None
        before = list(model._default_manager.values())
        for answer in (
            browser.get(address(model, "add")),
            browser.post(address(model, "add"), {}),
            browser.post(address(model, "change", row.pk), {"name": "changed"}),
            browser.get(address(model, "delete", row.pk)),
            browser.post(address(model, "delete", row.pk), {"post": "yes"}),
        ):
            assert answer.status_code == 403, model
        assert list(model._default_manager.values()) == before


def test_nobody_else_sees_a_table(world: World) -> None:
    cast = world.cast
    cast.auditor.is_staff = True
    cast.auditor.save()
    for person in cast.people().values():
        if person == cast.admin:
            continue
        client = signed_in_as(person)
        for page in [reverse("admin:index"), *(address(model, "changelist") for model in TABLES)]:
            assert client.get(page).status_code in {302, 403}, (person, page)


def test_a_visitor_is_sent_to_the_portals_own_sign_in(client: Client, world: World) -> None:
    answer = client.get(reverse("admin:index"), follow=True)

    assert answer.request["PATH_INFO"] == reverse("account_login")


FOR_GOOD = {
    (InferenceServer, "retire"),
    (Deployment, "retire"),
    (EgressGrant, "revoke"),
    (Membership, "end"),
    (ApiKey, "revoke"),
}


def choose(browser: Client, model: type[Model], action: str, *rows: Model, **more: str) -> str:
    """Choose rows in a list and an action on them; return the page that follows."""
    chosen: dict[str, Any] = {
        "action": action,
        ACTION_CHECKBOX_NAME: [str(row.pk) for row in rows],
        **more,
    }
    answer = browser.post(address(model, "changelist"), chosen, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def act(browser: Client, model: type[Model], action: str, *rows: Model) -> str:
    """As `choose`, and confirm what is asked about first."""
    page = choose(browser, model, action, *rows)
    assert ('name="confirmed"' in page) == ((model, action) in FOR_GOOD), (model, action)
    return (
        choose(browser, model, action, *rows, confirmed="1")
        if (model, action) in FOR_GOOD
        else page
    )


def test_what_nothing_undoes_is_named_and_asked_about_first(browser: Client, world: World) -> None:
    rows = {
        (InferenceServer, "retire"): (world.server, world.server.name),
        (Deployment, "retire"): (world.deployment, world.deployment.served_name),
        (EgressGrant, "revoke"): (world.grant, str(world.grant)),
        (Membership, "end"): (world.cast.reims.memberships.get(), "Reims"),
        (ApiKey, "revoke"): (world.key, world.key.last4),
    }
    acts = AuditEvent.objects.count()

    pages = {each: choose(browser, *each, row) for each, (row, _name) in rows.items()}

    assert rows.keys() == FOR_GOOD
    for each, (row, name) in rows.items():
        assert f'value="{row.pk}"' in pages[each], each
        assert f"{name}" in pages[each], each
        assert 'name="confirmed"' in pages[each], each
    assert AuditEvent.objects.count() == acts


ACTIONS: dict[str, tuple[type[Model], str, object]] = {
    "drain": (InferenceServer, "state", ServerState.DRAINING),
    "suspend": (InferenceServer, "state", ServerState.SUSPENDED),
    "retire": (Deployment, "state", "retired"),
    "end": (Membership, "state", MembershipState.LEFT),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_does_what_the_operation_does_and_the_journal_tells_it(
    browser: Client, world: World, action: str
) -> None:
    model, field, value = ACTIONS[action]
    rows: dict[type[Model], Model] = {
        InferenceServer: world.server,
        Deployment: world.deployment,
        Membership: world.cast.reims.memberships.get(),
    }
    row = rows[model]

    act(browser, model, action, row)

    row.refresh_from_db()
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert getattr(row, field) == value
    assert (event.actor_pseudonym, event.object_id) == (world.cast.admin.pseudonym, str(row.pk))


def test_a_server_is_suspended_resumed_drained_and_retired(browser: Client, world: World) -> None:
    for action, state in (
        ("suspend", ServerState.SUSPENDED),
        ("resume", ServerState.LIVE),
        ("drain", ServerState.DRAINING),
        ("retire", ServerState.RETIRED),
    ):
        act(browser, InferenceServer, action, world.server)
        world.server.refresh_from_db()
        assert world.server.state == state


def test_a_membership_is_suspended_and_approved_again(browser: Client, world: World) -> None:
    membership = world.cast.rennes.memberships.get()
    for action, state in (
        ("suspend", MembershipState.SUSPENDED),
        ("approve", MembershipState.APPROVED),
    ):
        act(browser, Membership, action, membership)
        membership.refresh_from_db()
        assert membership.state == state


def test_a_permission_is_withdrawn(browser: Client, world: World) -> None:
    act(browser, EgressGrant, "revoke", world.grant)

    assert not world.server.egress_grants.in_force().exists()


def test_keys_are_revoked_with_a_reason_and_those_revoked_before_are_named(
    browser: Client, world: World
) -> None:
    other = world.users_application.keys.get()
    act(browser, ApiKey, "revoke", world.key)

    page = act(browser, ApiKey, "revoke", world.key, other)

    other.refresh_from_db()
    assert other.revoked_reason
    assert "messagelist" in page
    assert page.count('class="error"') == page.count('class="success"') == 1


def test_an_action_that_is_refused_says_so_and_changes_nothing(
    browser: Client, world: World
) -> None:
    page = act(browser, InferenceServer, "resume", world.server)

    world.server.refresh_from_db()
    assert world.server.state == ServerState.LIVE
    assert 'class="error"' in page


def test_the_journal_names_who_acted(browser: Client, world: World) -> None:
    admin_user = world.cast.admin
    admin_user.name = "Anne Le Goff"
    admin_user.save()
    act(browser, InferenceServer, "suspend", world.server)
    event = AuditEvent.objects.order_by("-seq")[0]

    listed = browser.get(address(AuditEvent, "changelist")).content.decode()
    opened = browser.get(address(AuditEvent, "change", event.pk)).content.decode()

    assert '<td class="field-actor">Anne Le Goff</td>' in listed
    assert "Anne Le Goff" in opened
    assert "Prev hash" not in opened
