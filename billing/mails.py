"""The e-mails of the accounts: how far budgets are used."""

from functools import partial

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from billing.budgets import Shown
from billing.models import ACCOUNTANTS, Budget
from federation.access.models import ApiKey, Application
from federation.access.queries import people_behind
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.letters import Letter, page_address
from federation.people.models import RoleGrant, User
from federation.people.post import post_each


def tell_of_threshold(shown: Shown, threshold: int) -> list[User]:
    """Tell whom a budget concerns that so many per cent of it are used; return who is told."""
    topic = f"budget:{shown.budget.pk}"
    return post_each(readers_of(shown.budget), partial(_threshold, shown, threshold), topic=topic)


def readers_of(budget: Budget) -> list[User]:
    """Return who answers for what a budget bounds."""
    match owner := budget.owner:
        case ApiKey():
            return people_behind(owner.application)
        case Application():
            return people_behind(owner)
        case Institution():
            grants = RoleGrant.objects.filter(role__in=ACCOUNTANTS, institution_id=owner.pk)
        case _:
            grants = RoleGrant.objects.filter(role__in=(Role.FINANCE, Role.FEDERATION_ADMIN))
    people = User.objects.filter(pk__in=grants.values("user_id"), is_active=True)
    return list(people.order_by("pk"))


def _threshold(shown: Shown, threshold: int) -> Letter:
    budget = shown.budget
    said = {
        "percent": threshold,
        "name": budget.name or shown.whose,
        "whose": shown.whose,
        "spent": shown.spent_words,
        "most": shown.most_words,
        "window": budget.get_window_display(),
    }
    return Letter(
        _("%(percent)s%% of the budget “%(name)s” are used") % said,
        (
            _("Of the budget of %(whose)s, %(most)s %(window)s, %(spent)s are used.") % said,
            _what_follows(shown),
            page_address("budget", budget.pk),
        ),
    )


def _what_follows(shown: Shown) -> str:
    if not shown.budget.hard:
        return _("Nothing is refused: it is a budget that only tells.")
    if shown.remaining:
        return _("When it is used up, requests are refused.")
    if shown.until is None:
        return _("Requests are refused from now on, until it is raised.")
    until = date_format(localtime(shown.until), "SHORT_DATETIME_FORMAT")
    return _("Requests are refused from now on, until it is raised or begins anew: %(until)s.") % {
        "until": until
    }
