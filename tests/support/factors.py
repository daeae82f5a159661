"""Second factors of the cast: an app's secret, its codes, and sessions that have shown it.

The portal takes each code once: `one_time_code` never gives the same one twice to the same process.
"""

import time

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.internal.flows.login import _AUTHENTICATION_METHODS_USER_SESSION_KEY
from allauth.account.internal.userkit import user_id_to_str
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from fido2.cose import ES256, CoseKey
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from federation.people.factors import has_factor
from federation.people.models import User

PERIOD = 30
_used: dict[str, set[int]] = {}


def set_app(user: User) -> str:
    """Give the account an app of one-time codes; return its secret."""
    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def set_passkey(user: User, name: str) -> Authenticator:
    """Give the account a passkey as a browser would have answered; whether one opens is the browser's test."""
    public: CoseKey = ES256.from_cryptography_key(  # type: ignore[no-untyped-call]
        ec.generate_private_key(ec.SECP256R1()).public_key()
    )
    held = AttestedCredentialData.create(Aaguid.NONE, user.pk.bytes, public)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    shown = AuthenticatorData.create(bytes(32), flags, 0, held)
    told = CollectedClientData.create("webauthn.create", bytes(16), "https://portal.example")
    identifier = websafe_encode(user.pk.bytes)
    credential = {
        "id": identifier,
        "rawId": identifier,
        "type": "public-key",
        "response": {
            "clientDataJSON": told.b64,
            "attestationObject": websafe_encode(AttestationObject.create("none", shown, {})),
        },
        "clientExtensionResults": {"credProps": {"rk": True}},
    }
    found: Authenticator = WebAuthn.add(user, name, credential).instance
    return found


def one_time_code(secret: str) -> str:
    """Return a code that the portal takes now, waiting for the next one when all were used."""
    used = _used.setdefault(secret, set())
    deadline = time.monotonic() + 2 * PERIOD
    while time.monotonic() < deadline:
        now = int(time.time()) // PERIOD
        # The portal takes the former code and the next one as well; the former may be over before it arrives.
        for counter in (now, now + 1):
            if counter not in used:
                used.add(counter)
                return str(format_hotp_value(hotp_value(secret, counter)))
        time.sleep(0.5)
    raise AssertionError("no code was left")


def sign_in_fully(client: Client, user: User, *, seconds_ago: float = 0) -> Client:
    """Sign in without the forms, which have tests of their own: with a second factor where the role demands one."""
    client.force_login(user)
    if user.needs_second_factor and not has_factor(user):
        set_app(user)
    at = time.time() - seconds_ago
    records = [{"method": "password", "at": at, "email": user.email}]
    factor = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if factor is not None:
        records.append({"method": "mfa", "at": at, "id": factor.pk, "type": factor.type})
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = user_id_to_str(user)
    session.save()
    return client


def forget_authentication(client: Client) -> None:
    """Make the session one from before second factors: signed in, and nothing shown."""
    session = SessionStore(client.cookies[settings.SESSION_COOKIE_NAME].value)
    session.pop(AUTHENTICATION_METHODS_SESSION_KEY, None)
    session.save()
