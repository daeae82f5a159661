"""Writes about people: accounts, roles, the first administrator."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Literal
from uuid import UUID, uuid4

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people import policies
from federation.people.enums import SERVICE_ACCOUNTS, AccountKind, Forgotten, Language, Role
from federation.people.mails import tell_reset_factor
from federation.people.models import FirstAdminLink, Forgetting, RoleGrant, User

FactorChange = Literal["add", "remove", "renew"]
FACTOR_VERBS: dict[FactorChange, str] = {
    "add": "people.add_second_factor",
    "remove": "people.remove_second_factor",
    "renew": "people.renew_second_factor",
}
FIRST_ADMIN_LINK_VALIDITY = timedelta(hours=24)
FORGETTINGS_KEPT = timedelta(days=400)


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
    policies.check_grant_role(by, user, role, institution_id)
    return _give_role(by, user, role, institution_id)


@transaction.atomic
def revoke_role(*, by: Actor, grant: RoleGrant) -> None:
    """Take a role back. Raises `ValidationError` for the last one who could give it again."""
    _hold_all_like([grant])
    policies.check_revoke_role(by, grant)
    _take_role(by, grant)


def hold_roles(user: User) -> None:
    """Lock what `check_leaves_no_gap` looks at, until the transaction ends. To be called before the account is held."""
    _hold_all_like(RoleGrant.objects.filter(user=user))


def give_up_roles(*, by: Actor, user: User) -> None:
    """Take every role off somebody who leaves for good; the room above has asked its policy, and holds the rows."""
    for grant in RoleGrant.objects.filter(user=user).order_by("pk"):
        grant.user = user
        _take_role(by, grant)


@transaction.atomic
def close_account(*, by: Actor, user: User) -> User:
    """Close an account: nobody signs in with it any more, and it counts for no decision."""
    hold_roles(user)
    locked: User = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    policies.check_close_account(by, locked)
    locked.is_active = False
    locked.save(update_fields=["is_active"])
    record(by=by, verb="people.close_account", obj=locked)
    return locked


@transaction.atomic
def reset_second_factor(*, by: Actor, user: User) -> User:
    """Take a lost second factor off an account, recovery codes with it; end its sessions, and tell its owner."""
    locked: User = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    policies.check_reset_second_factor(by, locked)
    held = Authenticator.objects.filter(user=locked)
    kinds = sorted(held.values_list("type", flat=True))
    held.delete()
    for session in UserSession.objects.filter(user=locked):
        session.end()
    tell_reset_factor(locked)
    record(by=by, verb="people.reset_second_factor", obj=locked, diff={"kinds": kinds})
    return locked


@transaction.atomic
def note_second_factor(*, user: User, kind: str, change: FactorChange) -> None:
    """Tell the journal that somebody has added or removed an authenticator of theirs, or made new recovery codes."""
    record(by=user, verb=FACTOR_VERBS[change], obj=user, diff={"kind": kind})


@transaction.atomic
def open_account(*, email: str, name: str, password: str, language: str = Language.FRENCH) -> User:
    """Open the account of somebody who has proved to read this address, by a link that was sent there."""
    user = _open_account(email=email, name=name, password=password, language=language)
    record(by=user, verb="people.open_account", obj=user, diff={"language": language})
    return user


@transaction.atomic
def note_forgotten(*, what: Forgotten, removed: int, before: datetime | None = None) -> None:
    """Leave word of a run that forgets, and drop words of long ago: a year of them is what is asked for."""
    Forgetting.objects.create(what=what, removed=removed, before=before)
    Forgetting.objects.filter(created_at__lt=timezone.now() - FORGETTINGS_KEPT).delete()


@transaction.atomic
def note_export(*, user: User) -> None:
    """Tell the journal that somebody has taken a copy of what is known of them."""
    record(by=user, verb="people.export_data", obj=user)


@transaction.atomic
def note_sign_up(*, user: User) -> None:
    """Tell the journal of an account that its owner has opened; the address is proved before the first sign-in."""
    record(by=user, verb="people.sign_up", obj=user, diff={"language": user.language})


def open_service_account(*, name: str, institution_id: UUID) -> User:
    """Open a program's account with a role at an institution. The room above has asked its policy and tells of it.

    Its address exists nowhere, so that no e-mail can ever open it.
    """
    user = User(
        email=f"{uuid4().hex}@{SERVICE_ACCOUNTS}",
        name=" ".join(name.split()),
        kind=AccountKind.SERVICE,
    )
    user.set_unusable_password()
    user.full_clean()
    user.save()
    RoleGrant.objects.create(user=user, role=Role.USER, institution_id=institution_id)
    return user


def take_offered_role(*, user: User, role: str, institution_id: UUID | None) -> None:
    """Give a role that somebody entitled has offered; the room above has checked the offer. Safe to run twice."""
    if not user.has_role(role, institution_id):
        _give_role(user, user, role, institution_id)


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


def _hold_all_like(grants: Iterable[RoleGrant]) -> None:
    """Lock all of their kinds, so that of the last two nobody takes the other's at the same moment."""
    of_their_kinds = [Q(role=each.role, institution_id=each.institution_id) for each in grants]
    if of_their_kinds:
        alike = RoleGrant.objects.filter(reduce(or_, of_their_kinds)).order_by("pk")
        list(alike.select_for_update().values_list("pk"))


def _take_role(by: Actor, grant: RoleGrant) -> None:
    user, pk = grant.user, grant.pk
    grant.delete()
    user.__dict__.pop("grants", None)
    if grant.role == Role.FEDERATION_ADMIN and user.is_staff:
        user.is_staff = False
        user.save(update_fields=["is_staff"])
    record(
        by=by,
        verb="people.revoke_role",
        obj=user,
        diff={"grant": pk, "role": grant.role, "institution": grant.institution_id},
    )
