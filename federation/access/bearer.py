"""A key as proof of who asks the portal's JSON interface, by the rules of the router: in force, and from where."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import HttpBearer

from federation.access.models import ApiKey
from federation.members.enums import MembershipState
from federation.people.throttle import SECONDS, WRONG_KEY, client_address, may_go_on
from routing.core.keys import MAX_KEY_LENGTH, digest


class KeyBearer(HttpBearer):
    """`Authorization: Bearer KEY`. The key is then `request.auth`."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        key = _known(token)
        if key is None:
            if not may_go_on(request, WRONG_KEY, counts_reading=True):
                raise HttpError(429, f"Too many wrong keys: try again in {SECONDS} seconds.")
            return None
        asking = ipaddress.ip_address(client_address(request))
        if key.networks and not any(asking in ipaddress.ip_network(each) for each in key.networks):
            raise HttpError(403, "This key may not be used from your address.")
        return key


def _known(text: str) -> ApiKey | None:
    if not 0 < len(text) <= MAX_KEY_LENGTH:
        return None
    members = ApiKey.objects.usable().filter(
        application__institution__memberships__state=MembershipState.APPROVED
    )
    found = members.filter(digest=digest(settings.PEPPER.encode(), text))
    return found.select_related("application__institution").first()
