"""Forgetting people who have left: name and addresses go, the row stays, and with it whatever names its id."""

from datetime import date

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from federation.journal.actors import Actor
from federation.journal.models import AuditEvent
from federation.journal.operations import record
from federation.members.enums import InvitationState
from federation.members.models import Invitation
from federation.members.policies import check_forget
from federation.people.models import Mail, User
from federation.people.queries import proved_addresses, sent_to

NOWHERE = "forgotten.invalid"
"""The domain of addresses that are forgotten, which can never exist (RFC 2606)."""
NAMELESS = "–"
CLOSED = "people.close_account"


def kept_since(today: date, months: int) -> date:
    """Return the first day of the month that lies so many behind: what ended before is not kept any longer."""
    count = today.year * 12 + today.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)


def forget_people(*, by: Actor, today: date, months: int) -> int:
    """Forget whoever's account was closed so many months ago; return how many these are. Twice changes nothing."""
    gone = User.objects.filter(is_active=False).exclude(email__endswith=f"@{NOWHERE}")
    ids = {str(pk): pk for pk in gone.values_list("pk", flat=True)}
    closed = AuditEvent.objects.filter(verb=CLOSED, object_id__in=ids).order_by()
    due = [
        ids[pk]
        for pk, at in closed.values_list("object_id").annotate(last=Max("at"))
        if timezone.localdate(at) < kept_since(today, months)
    ]
    for user in User.objects.filter(pk__in=due).order_by("pk"):
        forget_person(by=by, user=user)
    return len(due)


@transaction.atomic
def forget_person(*, by: Actor, user: User) -> User:
    """Take name and addresses off a closed account, for good. The journal knew it by its pseudonym alone."""
    check_forget(by, user)
    locked: User = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    take_name_off(locked)
    record(by=by, verb="people.forget_person", obj=locked)
    return locked


def is_forgotten(user: User) -> bool:
    return user.email.endswith(f"@{NOWHERE}")


def take_name_off(locked: User) -> None:
    """Empty an account of what tells whose it was, and delete whatever could open it. A step of those who forget."""
    former, address = proved_addresses(locked), f"{locked.pseudonym.hex}@{NOWHERE}"
    to_them = Invitation.objects.filter(sent_to(former, "email"))
    to_them.pending().update(state=InvitationState.WITHDRAWN)
    to_them.update(email=address)
    for session in UserSession.objects.filter(user=locked):
        session.end()
    for of_theirs in (EmailAddress, Authenticator, SocialAccount):
        of_theirs.objects.filter(user=locked).delete()
    Mail.objects.filter(Q(person=locked) | sent_to(former, "address")).delete()
    locked.email, locked.name, locked.last_login = address, NAMELESS, None
    locked.set_unusable_password()
    locked.save(update_fields=["email", "name", "password", "last_login"])
