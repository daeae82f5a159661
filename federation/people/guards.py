"""From a request to the person behind it, for whoever needs an actor."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from federation.people.models import User


def signed_in(request: HttpRequest) -> User:
    """Return the person signed in. Raises `PermissionDenied` for a visitor."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
