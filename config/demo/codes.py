"""The one-time codes of the demonstration's accounts: whoever tries it need not have an app for them."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from allauth.mfa.adapter import get_adapter
from allauth.mfa.app_settings import TOTP_PERIOD
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.fernet import InvalidToken

from config.demo.members import ACCOUNTS


class Code(NamedTuple):
    """What an account types now, and for how many seconds more it is shown."""

    name: str
    email: str
    code: str
    seconds: int


def codes_now() -> Iterator[Code]:
    """Yield the codes of the accounts that the demonstration made, as their authenticators are now."""
    now = int(time.time())
    addresses = [account.email for account in ACCOUNTS]
    held = Authenticator.objects.filter(
        user__email__in=addresses, type=Authenticator.Type.TOTP
    ).select_related("user")
    for authenticator in held.order_by("user__email"):
        try:
            secret = get_adapter().decrypt(authenticator.data["secret"])
        except (
            InvalidToken
        ):  # sealed with a key that is no longer there: the next start makes another
            continue
        code = format_hotp_value(hotp_value(secret, now // TOTP_PERIOD))
        user = authenticator.user
        yield Code(user.name, user.email, code, TOTP_PERIOD - now % TOTP_PERIOD)
