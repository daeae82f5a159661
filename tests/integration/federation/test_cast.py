"""The cast that all tests share is what its names promise."""

from django.test import Client

from federation.people.enums import Role
from routing.core.enums import ServerState
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
