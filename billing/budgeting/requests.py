"""What pages read of requests for more: those to decide, and those that one sees."""

from billing.models import ACCOUNTANTS, BudgetRequest, BudgetRequestQuerySet, fetch_owners
from billing.policies import can_decide_request
from federation.people.models import User
from federation.people.policies import is_federation_admin


def requests_to_decide(user: User) -> list[BudgetRequest]:
    """Return the open requests that `user` may answer, the oldest first. A constant number of queries."""
    if not (is_federation_admin(user) or user.institution_ids(*ACCOUNTANTS)):
        return []
    rows = list(requests_seen(user).open().order_by("pk"))
    fetch_owners(asked.budget for asked in rows)
    return [asked for asked in rows if can_decide_request(user, asked)]


def requests_seen(user: User) -> BudgetRequestQuerySet:
    return BudgetRequest.objects.for_user(user).select_related("budget", "asked_by", "decided_by")
