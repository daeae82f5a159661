"""Writes about people: accounts, roles, the first administrator."""

import secrets
from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people import policies
from federation.people.enums import AccountKind, Language, Role
from federation.people.models import FirstAdminLink, RoleGrant, User

FIRST_ADMIN_LINK_VALIDITY = timedelta(hours=24)


@transaction.atomic
def create_user(
    *,
    by: Actor,
    email: str,
    name: str,
    password: str,
    language: str = Language.FRENCH,
    kind: str = AccountKind.PERSON,
) -> User:
    """Open an account whose address the federation vouches for. Raises `ValidationError` on bad input."""
    policies.check_manage_people(by)
    user = _open_account(email=email, name=name, password=password, language=language, kind=kind)
    record(by=by, verb="people.create_user", obj=user, diff={"kind": kind, "language": language})
    return user


@transaction.atomic
def set_password(*, by: Actor, user: User, password: str) -> User:
    """Replace a password; sessions opened with the old one end. Raises `ValidationError` on a weak one."""
    policies.check_manage_people(by)
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    record(by=by, verb="people.set_password", obj=user)
    return user


@transaction.atomic
def grant_role(
    *, by: Actor, user: User, role: str, institution_id: UUID | None = None
) -> RoleGrant:
    """Give a role at an institution, or in the whole federation. An administrator becomes staff."""
    policies.check_manage_people(by)
    return _give_role(by, user, role, institution_id)


@transaction.atomic
def choose_language(*, by: User, language: str) -> None:
    """Speak to a person in another language, on pages and in e-mails. Raises `ValidationError` on an unknown one."""
    by.language = language
    by.clean_fields(exclude={field.name for field in User._meta.fields if field.name != "language"})
    by.save(update_fields=["language"])
    record(by=by, verb="people.choose_language", obj=by, diff={"language": language})


@transaction.atomic
def make_first_admin_link(*, by: Actor) -> str:
    """Return the token of a new one-time link, valid 24 hours; only its digest is kept."""
    policies.check_make_first_admin_link(by)
    token = secrets.token_urlsafe(32)
    link = FirstAdminLink.objects.create(
        digest=FirstAdminLink.digest_of(token),
        expires_at=timezone.now() + FIRST_ADMIN_LINK_VALIDITY,
    )
    record(by=by, verb="people.make_first_admin_link", obj=link)
    return token


@transaction.atomic
def claim_first_admin(
    *, token: str, email: str, name: str, password: str, language: str = Language.FRENCH
) -> User:
    """Open the first administrator's account with a one-time token, which is used up.

    Raises `ValidationError` when the token is wrong, used or too old, when there is an administrator
    by now, or on bad input; nothing is used up then.
    """
    # All links are locked, so that two of them used at once make one administrator.
    list(FirstAdminLink.objects.select_for_update().values_list("pk"))
    link = FirstAdminLink.objects.usable(token).first()
    if link is None:
        raise ValidationError(_("This link is no longer valid."), code="link_invalid")
    policies.check_no_federation_admin()
    user = _open_account(email=email, name=name, password=password, language=language)
    link.used_at = timezone.now()
    link.save(update_fields=["used_at"])
    record(by=user, verb="people.claim_first_admin", obj=link)
    _give_role(user, user, Role.FEDERATION_ADMIN, None)
    return user


def _open_account(
    *, email: str, name: str, password: str, language: str, kind: str = AccountKind.PERSON
) -> User:
    user = User(email=email.strip().lower(), name=name.strip(), language=language, kind=kind)
    validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def _give_role(by: Actor, user: User, role: str, institution_id: UUID | None) -> RoleGrant:
    grant = RoleGrant(user=user, role=role, institution_id=institution_id)
    grant.full_clean()
    grant.save()
    user.__dict__.pop("grants", None)
    if role == Role.FEDERATION_ADMIN and not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    record(
        by=by,
        verb="people.grant_role",
        obj=user,
        diff={"role": role, "institution": institution_id},
    )
    return grant
