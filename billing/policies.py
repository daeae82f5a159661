"""Who may write the accounts: the federation's administrators and its finance."""

from federation.journal.actors import Actor
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import is_federation_admin
from federation.policy import asking, refuse_unless


def check_keep_accounts(by: Actor) -> None:
    refuse_unless(is_federation_admin(by) or (isinstance(by, User) and by.has_role(Role.FINANCE)))


can_keep_accounts = asking(check_keep_accounts)
