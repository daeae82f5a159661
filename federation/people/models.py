"""People: accounts, roles, the one-time link that makes the first administrator, and the e-mails that wait.

A role names its institution by id alone: institutions live above people in the import order.
"""

from functools import cached_property
from typing import ClassVar, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.journal.actors import ActorKind, AuditIdentity
from federation.people.enums import (
    FEDERATION_ROLES,
    INSTITUTION_ROLES,
    OVERVIEW_ROLES,
    SECOND_FACTOR_ROLES,
    AccountKind,
    Forgotten,
    Language,
    Role,
)
from routing.core.keys import digest


class Grant(NamedTuple):
    """A role that someone holds, at an institution or (None) in the whole federation."""

    role: str
    institution_id: UUID | None


class UserQuerySet(models.QuerySet["User"]):
    def for_user(self, user: "User | AnonymousUser") -> "UserQuerySet":
        """Everyone for the federation; for an IT department its institution's people; else oneself."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        if user.sees_everything:
            return self
        colleagues = RoleGrant.objects.filter(institution_id__in=user.overseen_institution_ids)
        return self.filter(Q(pk=user.pk) | Q(pk__in=colleagues.values("user_id")))


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Finds accounts by address, whatever its case. `operations.create_user` makes them."""

    def get_by_natural_key(self, username: str | None) -> "User":
        user: User = self.get(email__iexact=username)
        return user


class User(AbstractBaseUser, PermissionsMixin, Row):
    """An account. The journal and the usage records know it by `pseudonym` alone."""

    email = models.EmailField(_("e-mail address"), unique=True)
    pseudonym = models.UUIDField(unique=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=150)
    kind = models.CharField(
        _("kind"), max_length=8, choices=AccountKind, default=AccountKind.PERSON
    )
    language = models.CharField(
        _("language"), max_length=2, choices=Language, default=Language.FRENCH
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may open the register's tables"), default=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = UserManager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = (
            models.UniqueConstraint(Lower("email"), name="one_account_per_address"),
            models.CheckConstraint(
                condition=Q(kind__in=AccountKind.values), name="an_account_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="an_account_language_is_spoken"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name

    @property
    def audit_identity(self) -> AuditIdentity:
        return AuditIdentity(ActorKind.PERSON, pseudonym=self.pseudonym)

    @cached_property
    def grants(self) -> frozenset[Grant]:
        """Roles held, read once per instance; none for an account that is closed."""
        if not self.is_active:
            return frozenset()
        return frozenset(
            Grant(*row) for row in self.role_grants.values_list("role", "institution_id")
        )

    def has_role(self, role: str, institution_id: UUID | None = None) -> bool:
        """Whether this role is held at exactly this institution, or (None) in the whole federation."""
        return Grant(role, institution_id) in self.grants

    def institution_ids(self, *roles: str) -> frozenset[UUID]:
        """Institutions at which one of `roles` is held; with none named, any role."""
        return frozenset(
            grant.institution_id
            for grant in self.grants
            if grant.institution_id is not None and (not roles or grant.role in roles)
        )

    @property
    def sees_everything(self) -> bool:
        return any(self.has_role(role) for role in OVERVIEW_ROLES)

    @property
    def needs_second_factor(self) -> bool:
        """Whether a role of theirs is not exercised with a password alone."""
        return any(grant.role in SECOND_FACTOR_ROLES for grant in self.grants)

    @property
    def overseen_institution_ids(self) -> frozenset[UUID]:
        """Institutions whose people and journal this person may read."""
        return self.institution_ids(Role.MEMBER_DSI)


class RoleGrantQuerySet(models.QuerySet["RoleGrant"]):
    def for_user(self, user: User | AnonymousUser) -> "RoleGrantQuerySet":
        return self.filter(user__in=User.objects.for_user(user))


class RoleGrant(Row):
    """A role given to someone: in the whole federation, or at one institution."""

    user = models.ForeignKey(
        User, models.PROTECT, related_name="role_grants", verbose_name=_("account")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)
    institution_id = models.UUIDField(_("institution"), null=True, blank=True, db_index=True)

    objects = RoleGrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        constraints = (
            models.UniqueConstraint(
                fields=("user", "role", "institution_id"),
                nulls_distinct=False,
                name="a_role_is_given_once",
            ),
            models.CheckConstraint(
                condition=Q(role__in=sorted(FEDERATION_ROLES), institution_id__isnull=True)
                | Q(
                    role__in=sorted(INSTITUTION_ROLES),
                    institution_id__isnull=False,
                ),
                name="only_a_member_role_names_an_institution",
                violation_error_message=_(
                    "A role in an institution names one; a role in the federation names none."
                ),
            ),
        )

    def __str__(self) -> str:
        return str(self.get_role_display())


class FirstAdminLinkQuerySet(models.QuerySet["FirstAdminLink"]):
    def usable(self, token: str) -> "FirstAdminLinkQuerySet":
        """The link with this token, while it is neither used nor too old."""
        digest = FirstAdminLink.digest_of(token)
        return self.filter(digest=digest, used_at__isnull=True, expires_at__gt=timezone.now())


class FirstAdminLink(Row):
    """A one-time link for the first administrator; only its token's digest is kept."""

    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = FirstAdminLinkQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="a_first_admin_link_expires_after_it_is_made",
            ),
        )

    def __str__(self) -> str:
        return str(self.pk)

    @staticmethod
    def digest_of(token: str) -> str:
        return digest(settings.PEPPER.encode(), token)


class Mail(Row):
    """An e-mail that waits to leave (`post`). The one row that is deleted: as soon as it has left, or is given up.

    `sealed`: the heading, a line break and the text, as links in it open things. `failure`: why it has not left.
    """

    MOST_FAILURE: ClassVar = 200

    address = models.EmailField()
    person = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, blank=True)
    sealed = models.TextField()
    topic = models.CharField(max_length=80, blank=True, db_index=True)
    until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now, db_index=True)
    failure = models.CharField(max_length=MOST_FAILURE, blank=True)

    def __str__(self) -> str:
        return str(self.pk)


class ForgettingQuerySet(models.QuerySet["Forgetting"]):
    def for_user(self, user: User | AnonymousUser) -> "ForgettingQuerySet":
        """For those who answer for it: administrators and auditors."""
        sees = isinstance(user, User) and user.sees_everything
        return self if sees else self.none()


class Forgetting(Row):
    """That a job has run which forgets: how many rows were removed or emptied, and of before when (None: of no moment).

    Never whose they were.
    """

    what = models.CharField(_("what was forgotten"), max_length=8, choices=Forgotten)
    removed = models.PositiveBigIntegerField(_("how many"))
    before = models.DateTimeField(_("of before"), null=True, blank=True)

    objects = ForgettingQuerySet.as_manager()

    class Meta:
        verbose_name = _("run of a job that forgets")
        verbose_name_plural = _("runs of jobs that forget")
        ordering = ("-pk",)
        indexes = (models.Index(fields=["created_at"], name="forgettings_by_time"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(what__in=Forgotten.values), name="what_is_forgotten_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_what_display()}: {self.removed}"
