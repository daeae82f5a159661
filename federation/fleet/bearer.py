"""A server's token as proof that a job of it asks the portal's JSON interface."""

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.errors import HttpError
from ninja.security import HttpBearer

from federation.fleet.models import ServerToken
from federation.people.throttle import SECONDS, WRONG_KEY, may_go_on

LONGEST = 200


class ServerBearer(HttpBearer):
    """`Authorization: Bearer TOKEN`. The token is then `request.auth`."""

    def authenticate(self, request: HttpRequest, token: str) -> ServerToken | None:
        known = ServerToken.objects.known_as(token) if 0 < len(token) <= LONGEST else None
        found = known.select_related("server__site__institution").first() if known else None
        if found is None and not may_go_on(request, WRONG_KEY, counts_reading=True):
            told = _("Too many wrong keys: try again in %(seconds)s seconds.")
            raise HttpError(429, told % {"seconds": SECONDS})
        return found
