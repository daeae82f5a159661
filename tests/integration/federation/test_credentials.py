"""Servers' tokens: sealed for their server, replaced as a whole, nowhere else to be found."""

import logging

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from pytest_django import Settings

from federation.fleet.models import InferenceServer, UpstreamCredential
from federation.fleet.operations.credentials import current_credential, rotate_credential
from federation.fleet.operations.servers import change_server_state
from federation.journal.models import AuditEvent
from routing.core.enums import ServerState
from routing.upstream.credentials import Secret, UnsealError, load_keys, unseal
from tests.integration.federation.world import World
from tests.support.factories import OPERATOR

TOKEN = "hf-7d1b-a-token-of-Rennes"


@pytest.fixture
def sealed(world: World) -> UpstreamCredential:
    return rotate_credential(by=OPERATOR, server=world.server, credential=Secret(TOKEN))


def test_a_token_is_kept_sealed_and_opens_for_its_server(
    world: World, sealed: UpstreamCredential
) -> None:
    keys = load_keys(settings.ENCRYPTION_KEY)

    assert TOKEN not in sealed.ciphertext
    assert unseal(str(world.server.pk), sealed.ciphertext, keys).reveal() == TOKEN


def test_a_sealed_token_moved_to_another_server_opens_nothing(
    world: World, sealed: UpstreamCredential
) -> None:
    other = InferenceServer.objects.present().exclude(pk=world.server.pk).first()
    assert other is not None

    with pytest.raises(UnsealError):
        unseal(str(other.pk), sealed.ciphertext, load_keys(settings.ENCRYPTION_KEY))


def test_a_new_token_ends_the_one_before(world: World, sealed: UpstreamCredential) -> None:
    rotate_credential(by=OPERATOR, server=world.server, credential=Secret("another"))

    sealed.refresh_from_db()
    held = current_credential(world.server)
    assert sealed.valid_to is not None
    assert held is not None
    assert held.reveal() == "another"


def test_a_token_that_no_present_key_opens_counts_as_none(
    world: World, sealed: UpstreamCredential, settings: Settings
) -> None:
    settings.ENCRYPTION_KEY = Fernet.generate_key().decode()

    assert current_credential(world.server) is None


def test_a_new_encryption_key_in_front_still_opens_what_the_old_one_sealed(
    world: World, sealed: UpstreamCredential, settings: Settings
) -> None:
    settings.ENCRYPTION_KEY = f"{Fernet.generate_key().decode()},{settings.ENCRYPTION_KEY}"

    held = current_credential(world.server)

    assert held is not None
    assert held.reveal() == TOKEN


def test_a_token_is_in_no_journal_and_no_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    rotate_credential(by=OPERATOR, server=world.server, credential=Secret(TOKEN))

    assert TOKEN not in caplog.text
    assert TOKEN not in str(list(AuditEvent.objects.values()))
    assert TOKEN not in str(list(UpstreamCredential.objects.values()))


def test_a_retired_server_keeps_no_token_no_permission_and_no_model(
    world: World, sealed: UpstreamCredential
) -> None:
    change_server_state(by=OPERATOR, server=world.server, state=ServerState.DRAINING)

    change_server_state(by=OPERATOR, server=world.server, state=ServerState.RETIRED)

    assert current_credential(world.server) is None
    assert not world.server.egress_grants.in_force().exists()
    assert not world.server.deployments.live().exists()
