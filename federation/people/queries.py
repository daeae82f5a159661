"""Reads about people that several callers share."""

from federation.people.models import FirstAdminLink
from federation.people.policies import can_be_first_admin


def first_admin_link_is_usable(token: str) -> bool:
    """Whether the page behind this one-time link may be shown."""
    return can_be_first_admin() and FirstAdminLink.objects.usable(token).exists()
