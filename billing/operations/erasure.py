"""Erasing a person who asks for it: the account is empty and closed for good, and no sum changes.

What stays names nobody: the row of the account, under a pseudonym, and whatever names its id; the journal; usage, of
which retention forgets the key as of everybody's (`billing.records.retention`).
"""

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F, Func, Model, Q, QuerySet, TextField, Value
from django.db.models.functions import Left
from django.utils import timezone

from billing.models import Budget, BudgetRequest, Contest, Holder
from federation.access.models import ApiKey, Application
from federation.access.policies import check_erase
from federation.catalogue.models import Notice, Proposal
from federation.fleet.models import Maintenance, SiteEgressGrant, TechnicalForm
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import (
    Agreement,
    Candidacy,
    Contact,
    MembershipDecision,
    TeamPlace,
    Vote,
)
from federation.members.operations.leaving import NAMELESS, NOWHERE, take_name_off
from federation.people.models import User
from federation.people.operations import give_up_roles, hold_roles
from federation.people.queries import proved_addresses, sent_to
from routing.core.enums import BudgetScope

FREE_TEXTS: Mapping[type[Model], tuple[str, ...]] = {
    Agreement: ("remark",),
    ApiKey: ("name", "revoked_reason"),
    Application: ("name", "description"),
    Budget: ("name",),
    BudgetRequest: ("reason", "answer"),
    Candidacy: ("motivation",),
    Contest: ("reason", "answer"),
    Maintenance: ("reason",),
    MembershipDecision: ("reason",),
    Proposal: ("reason", "hosts"),
    SiteEgressGrant: ("reason", "answer"),
    TechnicalForm: ("slurm_note", "decline_reason"),
    Vote: ("comment",),
}
"""What people type and may change. Signed agreements, documents of the accounts and published texts never change."""
SHORT_MARK = 8
"""Characters of the pseudonym in the place of a name: two names of applications stay two."""


@transaction.atomic
def erase_person(*, by: Actor, user: User) -> User:
    """Erase what tells who somebody is, close the account, end their roles. It cannot be undone.

    Raises `PermissionDenied`, or `ValidationError` with all that has to be done first.
    """
    hold_roles(user)
    locked: User = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    # A key that is made at this moment waits, and finds an application that is nobody's.
    list(Application.objects.filter(owner=locked).select_for_update().values_list("pk"))
    check_erase(by, locked)
    _forget_words(locked)
    _end_what_is_theirs(locked)
    take_name_off(locked)
    locked.is_active = locked.is_superuser = False
    locked.save(update_fields=["is_active", "is_superuser"])
    give_up_roles(by=by, user=locked)
    record(by=by, verb="people.erase_person", obj=locked)
    return locked


def _end_what_is_theirs(locked: User) -> None:
    TeamPlace.objects.filter(user=locked).delete()
    locked.managed_applications.clear()
    holders = Holder.objects.filter(user=locked).values("pk")
    now = timezone.now()
    budgets = Budget.objects.filter(scope=BudgetScope.PERSON, scope_id__in=holders).in_force()
    budgets.update(ended_at=now)
    drafts = Candidacy.objects.kept().filter(applicant=locked, membership=None)
    drafts.update(discarded_at=now)
    Notice.objects.filter(person=locked).update(keys=[])


def _forget_words(locked: User) -> None:
    """Put a mark where free text has an address or the whole name, and empty contacts with such an address.

    A name of one word stays: it would be taken out of words of every kind.
    """
    mark = f"{NAMELESS}{locked.pseudonym.hex[:SHORT_MARK]}"
    addresses = proved_addresses(locked)
    Contact.objects.filter(sent_to(addresses, "email")).update(
        name=NAMELESS, function="", phone="", email=f"{locked.pseudonym.hex}@{NOWHERE}"
    )
    words = [*addresses, *([locked.name] if len(locked.name.split()) > 1 else [])]
    pattern = rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)"
    for model, names in FREE_TEXTS.items():
        for name in names:
            rows: QuerySet[Any] = model._default_manager.filter(Q(**{f"{name}__iregex": pattern}))
            cleared = Func(
                *(F(name), Value(pattern), Value(mark), Value("gi")),
                function="regexp_replace",
                output_field=TextField(),
            )
            longest = getattr(model._meta.get_field(name), "max_length", None)
            rows.update(**{name: Left(cleared, longest) if longest else cleared})
