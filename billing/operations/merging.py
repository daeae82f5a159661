"""One institution becomes a part of another: what it has goes on there, what it was stays told under its own name.

Records, sums, charges and statements keep the old institution's id; its accounts are emptied into the new one's by
transfers, so that the ledger, which only grows, adds up to the same.
"""

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.budgeting.raises import end_raise, void_requests
from billing.enums import OWN_ACCOUNTS, AccountKind, TransferReason
from billing.ledger.books import hold_the_books
from billing.models import AccountMonth, Budget, Holder, Transfer
from billing.operations.entries import account, book, first_open_month
from federation.access.models import Application, Limit
from federation.fleet.models import Site, TechnicalForm
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.enums import InvitationState, MembershipState
from federation.members.models import Institution, Membership, Team
from federation.members.operations.memberships import move
from federation.members.policies import check_decide_membership, check_is_member
from federation.members.queries import heir_of
from federation.people.models import RoleGrant, User
from routing.core.enums import BudgetScope
from routing.core.ids import uuid7


@transaction.atomic
def merge_institutions(*, by: Actor, old: Institution, new: Institution) -> list[Transfer]:
    """Let `old` go on as a part of `new`; return what moved between their accounts.

    Asked again, it moves what has come since. Raises `ValidationError` when `new` is no member or a part of another
    itself, or `old` has become a part of a third: of none on the way to `new`.
    """
    check_decide_membership(by)
    hold_the_books()  # first: who closes a month holds them before institutions and journal
    both = (
        Institution.objects.select_for_update(no_key=True).order_by("pk").in_bulk([old.pk, new.pk])
    )
    if len(both) != 2:  # two institutions
        raise ValidationError(_("An institution does not become a part of itself."), code="same")
    locked, heir = both[old.pk], both[new.pk]
    check_is_member(heir)
    if heir.successor_id is not None or heir_of(locked) not in (locked, heir):
        raise ValidationError(_("One of them is a part of a third already."), code="merged")
    now = timezone.now()
    _move_what_works(locked, heir)
    _give_roles(locked, heir)
    _end_what_bounds(locked, now)
    _move_budgets_of_people(locked, heir, now)
    if locked.successor_id is None:
        locked.successor = heir
        locked.save(update_fields=["successor"])
    for membership in Membership.objects.live().filter(institution=locked):
        reason = _("Has become a part of %(name)s.") % {"name": heir.name}
        move(by=by, locked=membership, state=MembershipState.LEFT, reason=reason)
    moved = _empty_accounts(by, locked, heir)
    record(
        by=by,
        verb="billing.merge_institutions",
        obj=locked,
        institution=heir,
        diff={"successor": heir.pk, "transfers": [transfer.pk for transfer in moved]},
    )
    return moved


@transaction.atomic
def move_what_came_late(*, by: Actor) -> list[Transfer]:
    """Empty the accounts of institutions that are parts of others into those that go on; return what moved.

    Requests of the last minutes before a merger, a rounding at a month's end. Twice changes nothing.
    """
    check_decide_membership(by)
    hold_the_books()
    merged = Institution.objects.filter(successor__isnull=False).order_by("pk")
    found: list[Transfer] = []
    for part in merged.select_for_update(no_key=True):
        heir = heir_of(part)
        if moved := _empty_accounts(by, part, heir):
            record(
                by=by,
                verb="billing.move_late",
                obj=part,
                institution=heir,
                diff={"transfers": [transfer.pk for transfer in moved]},
            )
            found += moved
    return found


def _move_what_works(old: Institution, new: Institution) -> None:
    """Applications with their keys, teams, sites with their servers: under their names, or with the old one behind."""
    for kind in (Application, Team, Site):
        taken = set(kind._default_manager.filter(institution=new).values_list("name", flat=True))
        for row in kind._default_manager.filter(institution=old):
            _move(row, new, old, taken)
    TechnicalForm.objects.filter(institution=old).update(institution=new)


def _move(row: Model, new: Institution, old: Institution, taken: set[str]) -> None:
    name = str(row)
    known = {each.casefold() for each in taken}
    if name.casefold() in known:
        field = row._meta.get_field("name")
        behind = f" ({old.slug})"
        name = f"{name[: (field.max_length or 0) - len(behind)]}{behind}"  # type: ignore[union-attr]
    taken.add(name)
    row.__dict__["name"] = name
    row.__dict__["institution_id"] = new.pk
    row.save(update_fields=["name", "institution"])


def _give_roles(old: Institution, new: Institution) -> None:
    """Whoever has a role at the old institution has it at the new one, too; the old one's history stays theirs."""
    for grant in RoleGrant.objects.filter(institution_id=old.pk):
        RoleGrant.objects.get_or_create(
            user_id=grant.user_id, role=grant.role, institution_id=new.pk
        )


def _end_what_bounds(old: Institution, now: datetime) -> None:
    Limit.objects.in_force().filter(institution=old).update(removed_at=now)
    of_old = Budget.objects.in_force().filter(scope=BudgetScope.INSTITUTION, scope_id=old.pk)
    for budget in of_old.select_for_update():
        _end(budget, now)
    old.invitations.filter(state=InvitationState.PENDING).update(state=InvitationState.WITHDRAWN)


def _move_budgets_of_people(old: Institution, new: Institution, now: datetime) -> None:
    """They go on bounding the same keys; one of a kind that the person has at the new institution already ends."""
    for before in Holder.objects.filter(institution=old).select_related("user"):
        heir = Holder.of(before.user, new)
        known = Budget.objects.in_force().filter(scope=BudgetScope.PERSON, scope_id=heir.pk)
        kinds = set(known.values_list("unit", "window", "hard"))
        budgets = Budget.objects.in_force().filter(scope=BudgetScope.PERSON, scope_id=before.pk)
        for budget in budgets.select_for_update():
            if (budget.unit, budget.window, budget.hard) in kinds:
                _end(budget, now)
                continue
            Holder.objects.get_or_create(
                pk=heir.pk, defaults={"user": before.user, "institution": new}
            )
            budget.scope_id = heir.pk
            budget.save(update_fields=["scope_id"])


def _end(budget: Budget, now: datetime) -> None:
    budget.ended_at = now
    budget.save(update_fields=["ended_at"])
    end_raise(budget)
    void_requests(budget)


def _empty_accounts(by: Actor, old: Institution, new: Institution) -> list[Transfer]:
    month = first_open_month()
    left = AccountMonth.objects.filter(account__institution=old).balances()
    return [
        _transfer(by, kind, old, new, nano, month)
        for kind in OWN_ACCOUNTS
        if (nano := left.get(f"{kind.value}:{old.pk}", 0))
    ]


def _transfer(
    by: Actor, kind: AccountKind, old: Institution, new: Institution, nano: int, month: date
) -> Transfer:
    one, other = account(kind, old), account(kind, new)
    return book(
        Transfer(
            key=f"merger:{uuid7()}",
            debit=one if nano > 0 else other,
            credit=other if nano > 0 else one,
            amount_nano=abs(nano),
            booked_month=month,
            reason=TransferReason.MERGER,
            note=f"{old.name} → {new.name}",
            made_by=by if isinstance(by, User) else None,
        )
    )
