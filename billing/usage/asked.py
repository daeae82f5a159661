"""What a reader asks of a period's usage: which of the rows that they see, and the smallest tables of sums for them."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.enums import Scope
from billing.models import (
    InstitutionDay,
    InstitutionMonth,
    KeyDay,
    KeyMonth,
    ServingDay,
    ServingMonth,
    UsageDay,
    UsageMonth,
    UsageRecord,
    UsageRecordQuerySet,
    UsageSum,
    UsageSumQuerySet,
)
from billing.models.scopes import forgotten_of, of_keys, reads_all_accounts, seen_by, within
from billing.periods import Period
from federation.access.models import OVERSEERS, ApiKey, Application
from federation.people.enums import Role
from federation.people.models import User

Levels = tuple[type[UsageSum], type[UsageSum]]
OF_ALL: Levels = (UsageDay, UsageMonth)
OF_INSTITUTIONS: Levels = (InstitutionDay, InstitutionMonth)
OF_SERVING: Levels = (ServingDay, ServingMonth)
OF_KEYS: Levels = (KeyDay, KeyMonth)


@dataclass(frozen=True)
class Asked:
    """None asks for all. Who may see what is looked up once, however many sums are read of it."""

    user: User
    period: Period
    scope: Scope | None = None
    model: UUID | None = None
    key: UUID | None = None
    application: UUID | None = None

    @cached_property
    def where(self) -> Q:
        """Which rows of the accounts are asked for, out of those that the reader sees."""
        if self.scope in (Scope.INSTITUTION, Scope.SERVED):  # a reader sees all of it
            where = within(self.user, self.scope)
        else:
            where = seen_by(self.user) & (within(self.user, self.scope) if self.scope else Q())
        if self.model:
            where &= Q(model_id=self.model)
        if self.key:
            where &= of_keys(self._keys.filter(pk=self.key))
        if self.application:
            known = Application.objects.for_user(self.user).filter(pk=self.application)
            where &= of_keys(self._keys.filter(application=self.application)) | forgotten_of(known)
        return where

    @property
    def of_visible_keys(self) -> Q:
        """Rows of the keys that the reader may see."""
        return of_keys(self._keys)

    @property
    def _keys(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.for_user(self.user)

    @property
    def is_of_institutions(self) -> bool:
        """Whether it is all of institutions, whosever keys."""
        if self.key or self.application:
            return False
        if self.scope in (Scope.INSTITUTION, Scope.SERVED):
            return True
        return self.scope != Scope.MINE and reads_all_accounts(self.user)

    @property
    def levels(self) -> Levels:
        """The smallest tables that have what is asked for, but for keys."""
        if self.is_of_institutions:
            return OF_INSTITUTIONS if self.scope == Scope.INSTITUTION else OF_SERVING
        return OF_ALL

    @property
    def records(self) -> UsageRecordQuerySet:
        return UsageRecord.objects.filter(self.where).ended_in(self.period)

    @property
    def by_day(self) -> UsageSumQuerySet:
        sums: UsageSumQuerySet = self.levels[0]._default_manager.filter(self.where)
        return sums.between(self.period)

    @property
    def parts(self) -> "list[Part]":
        """What together is the period. Not by keys."""
        return covering(self.where, self.period, self.levels)


class Part(NamedTuple):
    """Sums that are added up, or with the sign -1 taken away."""

    sums: UsageSumQuerySet
    sign: int = 1


def covering(where: Q, period: Period, levels: Levels = OF_ALL) -> list[Part]:
    """Return what together is the period, in as few sums as can be: months, and days that are added or taken away.

    What is taken away is to be read first: a record that is stored meanwhile then makes nothing less than nothing.
    """
    by_day, by_month = (level._default_manager.filter(where) for level in levels)
    months, days, less = period.in_parts()
    return [
        *(Part(by_day.between(part), -1) for part in less),
        *(Part(by_day.between(part)) for part in days),
        *([Part(by_month.between(months))] if months else []),
    ]


def scopes(user: User) -> list[Scope]:
    """Return what `user` may choose from, the smallest first."""
    found = [Scope.MINE]
    if user.institution_ids(*OVERSEERS):
        found += [Scope.INSTITUTION, Scope.SERVED]
    if user.sees_everything or user.has_role(Role.FINANCE):
        found.append(Scope.FEDERATION)
    return found
