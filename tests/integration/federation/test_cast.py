"""The cast that all tests share is what its names promise."""

from django.db.models import Model
from django.test import Client

from federation.journal.chain import verify
from federation.journal.models import AuditEvent
from federation.people.enums import Role
from routing.core.enums import ServerState
from tests.integration.federation.world import World
from tests.support.factories import (
    PASSWORD,
    Cast,
    make_application,
    make_key,
    make_model,
    serve_model,
)


def test_the_cast_holds_the_roles_that_its_names_say(cast: Cast) -> None:
    assert cast.admin.has_role(Role.FEDERATION_ADMIN)
    assert cast.rennes_dsi.institution_ids(Role.MEMBER_DSI) == {cast.rennes.pk}
    assert cast.orleans_user.institution_ids() == {cast.orleans.pk}
    assert not cast.intruder.grants


def test_the_cast_signs_in_with_its_password(cast: Cast, client: Client) -> None:
    assert client.login(email=cast.rennes_user.email, password=PASSWORD)


def test_a_model_made_for_a_test_is_in_service_at_an_institution(cast: Cast) -> None:
    model = make_model()

    deployment = serve_model(cast.rennes)

    assert deployment.version.model == model
    assert deployment.server.institution == cast.rennes
    deployment.server.refresh_from_db()
    assert deployment.server.state == ServerState.LIVE
    assert deployment.server.egress_grants.in_force().count() == 1


def test_a_key_made_for_a_test_comes_with_its_text(cast: Cast) -> None:
    key, text = make_key(make_application(cast.rennes, cast.rennes_user))

    assert text.startswith(key.prefix)


def test_a_register_that_was_kept_is_put_back_whole(world: World) -> None:
    """`tests/support/kept.py` writes rows, not acts: all are there, and the journal's chain holds."""
    rows = [row for row in vars(world).values() if isinstance(row, Model)]

    assert all(type(row)._default_manager.filter(pk=row.pk).exists() for row in rows)
    count, _last = verify(AuditEvent.objects.order_by("seq").iterator())
    assert count == AuditEvent.objects.count() > len(rows)
