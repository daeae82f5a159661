"""Who may write the accounts: the federation's administrators and its finance. And who sets whose budgets."""

from billing.models import ACCOUNTANTS, Owner
from federation.access.models import ApiKey, Application
from federation.access.policies import check_manage_application
from federation.journal.actors import Actor
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless


def check_keep_accounts(by: Actor) -> None:
    refuse_unless(is_federation_admin(by) or (isinstance(by, User) and by.has_role(Role.FINANCE)))


def check_set_budget(by: Actor, owner: Owner) -> None:
    """Each level its own: who manages an application its keys' and its own, an institution's accountants theirs, the
    federation those of models and of all.
    """
    match owner:
        case ApiKey():
            check_manage_application(by, owner.application)
        case Application():
            check_manage_application(by, owner)
        case Institution():
            refuse_unless(is_federation_admin(by) or holds(by, owner.pk, *ACCOUNTANTS))
        case _:
            check_keep_accounts(by)


def check_tell_invoicing(by: Actor, institution: Institution) -> None:
    """An institution's accountants for theirs, and who keeps the accounts."""
    if not holds(by, institution.pk, *ACCOUNTANTS):
        check_keep_accounts(by)


can_set_budget = asking(check_set_budget)
can_keep_accounts = asking(check_keep_accounts)
can_tell_invoicing = asking(check_tell_invoicing)
