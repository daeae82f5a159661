"""Who may write the accounts: the federation's administrators and its finance. And who sets whose budgets."""

from billing.models import ACCOUNTANTS, Owner, reads_all_accounts
from federation.access.models import ApiKey, Application
from federation.access.policies import check_manage_application
from federation.journal.actors import Actor, is_operator
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless


def check_keep_accounts(by: Actor) -> None:
    refuse_unless(is_federation_admin(by) or (isinstance(by, User) and by.has_role(Role.FINANCE)))


def check_speak_for(by: Actor, institution: Institution) -> None:
    """About a statement speaks whose it is: finance or IT department of the institution, or a command in their name."""
    refuse_unless(is_operator(by) or holds(by, institution.pk, *ACCOUNTANTS))


def check_read_balance(by: Actor) -> None:
    """What all give and take is every member's to read, and the federation's."""
    refuse_unless(isinstance(by, User) and (reads_all_accounts(by) or bool(by.institution_ids())))


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


can_speak_for = asking(check_speak_for)
can_read_balance = asking(check_read_balance)
can_set_budget = asking(check_set_budget)
can_keep_accounts = asking(check_keep_accounts)
