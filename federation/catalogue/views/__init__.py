"""Pages of the catalogue, by what they are about."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from federation.catalogue.models import AIModel
from federation.people.guards import signed_in
from federation.people.models import User


def overseer(request: HttpRequest) -> User:
    """Return who is signed in, when it is the federation. Raises `PermissionDenied`."""
    user = signed_in(request)
    if not user.sees_everything:
        raise PermissionDenied
    return user


def overseen_model(request: HttpRequest, pk: UUID) -> tuple[User, AIModel]:
    user = overseer(request)
    models = AIModel.objects.for_user(user).select_related("successor")
    return user, get_object_or_404(models, pk=pk)
