"""Who may read what of the accounts: the same for a request's record and for the sums of many."""

from typing import Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

from billing.enums import Scope
from federation.access.models import OVERSEERS, ApiKey, Application, managed_by
from federation.people.enums import Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything

Row = TypeVar("Row", bound=models.Model, covariant=True)
ACCOUNTANTS = (Role.MEMBER_DSI, Role.MEMBER_FINANCE)
"""Who reads an institution's accounts."""


def reads_all_accounts(user: User | AnonymousUser) -> bool:
    return sees_everything(user) or (isinstance(user, User) and user.has_role(Role.FINANCE))


def seen_by(user: User | AnonymousUser) -> Q:
    """Everything for the federation; what an overseer's institution asked or served; one's own keys'.

    Keys are looked up at once rather than in every query: a page has many, and the planner then knows how few.
    """
    if reads_all_accounts(user):
        return Q()
    own = of_keys(ApiKey.objects.for_user(user)) | forgotten_of(Application.objects.for_user(user))
    if institutions := institution_ids_for(user, *OVERSEERS):
        own |= Q(asking_institution_id__in=institutions)
        own |= Q(serving_institution_id__in=institutions)
    return own


def within(user: User, scope: Scope) -> Q:
    """Return a part of what `user` sees."""
    institutions = user.institution_ids(*OVERSEERS)
    match scope:
        case Scope.MINE:
            own = Application.objects.filter(managed_by(user))
            keys = ApiKey.objects.for_user(user).filter(application__in=own)
            return of_keys(keys) | forgotten_of(own)
        case Scope.INSTITUTION:
            return Q(asking_institution_id__in=institutions)
        case Scope.SERVED:
            return Q(serving_institution_id__in=institutions)
        case Scope.FEDERATION:
            return Q()


def of_keys(keys: models.QuerySet[ApiKey]) -> Q:
    return Q(key_id__in=list(keys.values_list("pk", flat=True)))


def forgotten_of(applications: models.QuerySet[Application]) -> Q:
    """Return what keys of these applications have used which nobody remembers (`billing.records.retention`)."""
    return Q(key_id__in=list(applications.values_list("pk", flat=True)))


class Readable(models.QuerySet[Row]):
    """Of rows with `key_id`, `asking_institution_id` and `serving_institution_id`."""

    def for_user(self, user: User | AnonymousUser) -> Self:
        return self.filter(seen_by(user))

    def of_keys(self, keys: models.QuerySet[ApiKey]) -> Self:
        return self.filter(of_keys(keys))
