"""A server of the table becomes a destination; its token opens for it alone and shows nowhere."""

import msgspec
import pytest
from cryptography.fernet import Fernet

from routing.core.enums import ServerState
from routing.core.table import Server
from routing.upstream.credentials import Secret, UnsealError, load_keys, seal, unseal
from routing.upstream.destinations import destination_of
from routing.upstream.egress import Target
from routing.upstream.errors import EgressRefused

KEYS = (Fernet(Fernet.generate_key()),)
SERVER = Server(
    id="7",
    name="rennes-1",
    institution_id="1",
    institution="Rennes",
    site="3",
    engine="vllm",
    base_url="https://gpu.rennes.fr/v1",
    state=ServerState.LIVE,
)


def with_token(token: str, owner: str = "7") -> Server:
    sealed = seal(owner, Secret(token), KEYS)
    return msgspec.structs.replace(SERVER, credential=sealed)


def test_a_server_becomes_a_destination() -> None:
    server = msgspec.structs.replace(
        with_token("sk-1"), grants=(("10.0.0.1", 443),), ca_bundle="PEM"
    )
    destination = destination_of(server, KEYS)
    assert destination.target == Target("https", "gpu.rennes.fr", 443)
    assert destination.grants == (("10.0.0.1", 443),)
    assert destination.ca_bundle == "PEM"
    assert destination.token is not None
    assert destination.token.reveal() == "sk-1"


def test_a_server_without_a_token_or_bundle_has_none() -> None:
    destination = destination_of(msgspec.structs.replace(SERVER, ca_bundle=""), KEYS)
    assert destination.token is None
    assert destination.ca_bundle is None


def test_a_token_shows_nowhere() -> None:
    destination = destination_of(with_token("sk-secret"), KEYS)
    assert "sk-secret" not in f"{destination!r} {destination.token} {destination.token!r}"


def test_a_token_sealed_for_another_server_does_not_open() -> None:
    with pytest.raises(UnsealError, match="another server"):
        destination_of(with_token("sk-1", owner="8"), KEYS)


def test_a_token_sealed_with_another_key_or_damaged_does_not_open() -> None:
    other = (Fernet(Fernet.generate_key()),)
    for server in (with_token("sk-1"), msgspec.structs.replace(SERVER, credential="nonsense é")):
        with pytest.raises(UnsealError):
            destination_of(server, other)


@pytest.mark.parametrize("token", ["a\r\nx: y", "a\nb", "é", " a", "a\x00"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UnsealError) as error:
        destination_of(with_token(token), KEYS)
    assert token not in str(error.value)


def test_a_base_url_that_is_none_is_refused() -> None:
    with pytest.raises(EgressRefused):
        destination_of(msgspec.structs.replace(SERVER, base_url="ftp://x"), KEYS)


def test_keys_rotate() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = seal("7", Secret("sk-1"), load_keys(old))
    keys = load_keys(f"{new}, {old}")
    assert unseal("7", sealed, keys).reveal() == "sk-1"
    with pytest.raises(UnsealError):
        unseal("7", seal("7", Secret("sk-1"), keys), load_keys(old))
    with pytest.raises(ValueError, match="Fernet"):
        load_keys("nonsense")
