"""How to reach one server: where it is, what the federation granted for it, whom to trust, what to show it."""

import re
from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet

from routing.core.table import Server
from routing.upstream.credentials import Secret, UnsealError, unseal
from routing.upstream.egress import Grants, Target, parse_base_url
from routing.upstream.tls import Identity

_HEADER_WORD = re.compile(r"[!-~]+(?: [!-~]+)*")


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one server. With `unix_path` the socket there is used and the guard has no say (the portal)."""

    target: Target
    grants: Grants = ()
    token: Secret | None = None
    """Sent as `Authorization: Bearer`."""
    ca_bundle: str | None = None
    """PEM text to trust instead of the system's authorities."""
    identity: Identity | None = None
    """Shown to a server that asks for a certificate of ours."""
    unix_path: str | None = None


def destination_of(server: Server, keys: Sequence[Fernet]) -> Destination:
    """Return how to reach a server of the table; make it once for each version of the row (30 µs).

    Raises `EgressRefused` on a base URL that is none, `UnsealError` on a credential that does not open.
    """
    return Destination(
        target=parse_base_url(server.base_url),
        grants=server.grants,
        token=_token_of(server.id, server.credential, keys) if server.credential else None,
        ca_bundle=server.ca_bundle or None,
        identity=_identity_of(server, keys),
    )


def _identity_of(server: Server, keys: Sequence[Fernet]) -> Identity | None:
    if not (server.client_chain and server.client_key):
        return None
    return Identity(server.client_chain, unseal(server.id, server.client_key, keys))


def _token_of(server_id: str, sealed: str, keys: Sequence[Fernet]) -> Secret:
    token = unseal(server_id, sealed, keys)
    if not _HEADER_WORD.fullmatch(token.reveal()):
        raise UnsealError("holds what no header can carry")
    return token
