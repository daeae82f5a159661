"""Who may write the accounts: the federation's administrators and its finance. And who sets whose budgets, or asks."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from billing.enums import BudgetLevel, RequestState
from billing.models import (
    ACCOUNTANTS,
    Budget,
    BudgetRequest,
    Holder,
    Owner,
    reads_all_accounts,
)
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


def level_of(by: Actor, owner: Owner) -> BudgetLevel:
    """Return at which level `by` sets budgets of `owner`. Raises `PermissionDenied` where at none.

    Who manages an application sets its keys' and its own, an institution's accountants its own and its people's, the
    federation those of models and of all; each those below as well.
    """
    institution = institution_of(owner)
    if institution is None:
        check_keep_accounts(by)
    elif isinstance(owner, ApiKey | Application):
        check_manage_application(by, application_of(owner))
    else:
        refuse_unless(is_federation_admin(by) or holds(by, institution.pk, *ACCOUNTANTS))
    if institution is None or is_federation_admin(by):
        return BudgetLevel.FEDERATION
    if isinstance(owner, ApiKey | Application) and not holds(by, institution.pk, Role.MEMBER_DSI):
        return BudgetLevel.OWNER
    return BudgetLevel.INSTITUTION


def check_change_budget(by: Actor, budget: Budget) -> None:
    """Those of the level that holds it, or of a higher one: whom it bounds from above does not lift it."""
    refuse_unless(level_of(by, budget.owner) >= budget.level)


def check_ask_for_more(by: Actor, budget: Budget) -> None:
    """Whom it bounds: who manages the application, the person, the institution's accountants; not who holds it."""
    match owner := budget.owner:
        case ApiKey() | Application():
            check_manage_application(by, application_of(owner))
        case Holder():
            own = owner.institution_id
            refuse_unless(holds(by, own, *ACCOUNTANTS) or (by == owner.user and holds(by, own)))
        case Institution():
            refuse_unless(holds(by, owner.pk, *ACCOUNTANTS))
        case _:
            refuse_unless(False)
    refuse_unless(isinstance(by, User))
    if can_change_budget(by, budget):
        raise ValidationError(
            _("You set this budget yourself: change it instead of asking for more."), code="own"
        )


def check_decide_request(by: Actor, asked: BudgetRequest) -> None:
    """Who may change the budget; of one's own request another, unless nobody stands above."""
    check_change_budget(by, asked.budget)
    refuse_unless(by != asked.asked_by or asked.budget.level == BudgetLevel.FEDERATION)


def check_withdraw_request(by: Actor, asked: BudgetRequest) -> None:
    """Who has asked, while it is open."""
    refuse_unless(is_operator(by) or by == asked.asked_by)


def application_of(owner: ApiKey | Application) -> Application:
    return owner.application if isinstance(owner, ApiKey) else owner


def institution_of(owner: Owner) -> Institution | None:
    """Return the institution within which a budget lies, None for those of models and of all."""
    match owner:
        case ApiKey() | Application():
            return application_of(owner).institution
        case Holder():
            return owner.institution
        case Institution():
            return owner
    return None


def check_tell_invoicing(by: Actor, institution: Institution) -> None:
    """An institution's accountants for theirs, and who keeps the accounts."""
    if not holds(by, institution.pk, *ACCOUNTANTS):
        check_keep_accounts(by)


can_speak_for = asking(check_speak_for)
can_read_balance = asking(check_read_balance)
can_change_budget = asking(check_change_budget)
can_keep_accounts = asking(check_keep_accounts)
can_ask_for_more = asking(check_ask_for_more)
can_tell_invoicing = asking(check_tell_invoicing)


def can_decide_request(by: Actor, asked: BudgetRequest) -> bool:
    return asked.state == RequestState.OPEN and _can_decide(by, asked)


_can_decide = asking(check_decide_request)
