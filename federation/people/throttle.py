"""How often a page may be used: the settings' limits for pages that are not allauth's, and who counts as asker."""

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from allauth.core.internal import ratelimit as counter
from django.http import HttpRequest, HttpResponse

SECONDS = 60
"""To wait until one may try again: the limits are by the minute."""
WRONG_KEY = "wrong_key"
"""Counted by address (`ACCOUNT_RATE_LIMITS`): keys and tokens are not to be guessed at the portal, either."""


def client_address(request: HttpRequest) -> str:
    """Return who asks: the router in front names the address that it believes."""
    return str(get_adapter().get_client_ip(request))


def may_go_on(request: HttpRequest, action: str, *, counts_reading: bool = False) -> bool:
    """Count this use, if need be a mere reading, and say whether it stays within `ACCOUNT_RATE_LIMITS`."""
    return (
        counter.consume(request, app="allauth.account", action=action, limit_get=counts_reading)
        is not None
    )


def too_many(request: HttpRequest) -> HttpResponse:
    """Return the page for whoever used one too often."""
    response: HttpResponse = ratelimit.respond_429(request)
    return response
