"""Who signs in by a service gets the place that follows from what it says."""

from typing import Any

from allauth.account.signals import user_logged_in
from django.http import HttpRequest

from federation.identity.places import take_places
from federation.people.models import User


def connect() -> None:
    user_logged_in.connect(place, dispatch_uid="place")


def place(request: HttpRequest, user: User, **details: Any) -> None:
    take_places(user)
