"""The e-mails of the accounts: of budgets and of requests for more, of statements, contested lines and credit notes."""

from datetime import date
from functools import partial

from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from billing.budgeting.amounts import in_words
from billing.budgeting.standing import Shown, names_of
from billing.enums import BudgetLevel, RequestState
from billing.models import (
    ACCOUNTANTS,
    AccountingPeriod,
    Budget,
    BudgetRequest,
    Contest,
    Holder,
    Note,
    Statement,
)
from billing.policies import application_of, institution_of
from billing.statements.standing import TACIT_DAYS
from federation.access.models import ApiKey, Application
from federation.access.queries import people_behind
from federation.days import long_day
from federation.members.models import Institution
from federation.members.queries import committee
from federation.people.enums import Role
from federation.people.letters import Letter, page_address
from federation.people.models import RoleGrant, User
from federation.people.post import post, post_each, withdraw
from routing.core.enums import BudgetUnit


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
        case Holder(user=person):
            return [person] if person.is_active else []
        case Institution():
            return accountants_of(owner)
        case _:
            return keepers()


def accountants_of(institution: Institution) -> list[User]:
    """Return who reads an institution's accounts and answers for them."""
    return _people(RoleGrant.objects.filter(role__in=ACCOUNTANTS, institution_id=institution.pk))


def keepers() -> list[User]:
    """Return who keeps the federation's accounts."""
    return _people(RoleGrant.objects.filter(role__in=(Role.FINANCE, Role.FEDERATION_ADMIN)))


def _people(grants: QuerySet[RoleGrant]) -> list[User]:
    people = User.objects.filter(pk__in=grants.values("user_id"), is_active=True)
    return list(people.order_by("pk"))


def tell_of_closing(period: AccountingPeriod) -> None:
    """Tell each institution that its statement is there, and until when a line can be contested."""
    for statement in period.statements.select_related("institution"):
        post_each(accountants_of(statement.institution), partial(_closing, period, statement))


def _closing(period: AccountingPeriod, statement: Statement) -> Letter:
    said = {
        "month": date_format(period.month, "F Y"),
        "institution": statement.institution.name,
        "days": TACIT_DAYS,
    }
    return Letter(
        _("%(institution)s: the statement of %(month)s") % said,
        (
            _("The statement of %(month)s is closed. Read it, then accept it or contest a line.")
            % said,
            _("Without a word from you it counts as accepted after %(days)s days.") % said,
            page_address("statement", period.month, statement.institution.slug),
        ),
    )


def tell_of_contest(contest: Contest) -> None:
    """Tell whoever keeps the accounts that a line waits for an answer."""
    post_each(keepers(), partial(_contest, contest))


def _contest(contest: Contest) -> Letter:
    said = {
        "institution": contest.institution.name,
        "month": date_format(contest.month, "F Y"),
    }
    return Letter(
        _("%(institution)s contests a line of %(month)s") % said,
        (
            _("%(institution)s says of a line of its statement of %(month)s:") % said,
            contest.reason,
            page_address("contest", contest.pk),
        ),
    )


def tell_of_contest_answer(contest: Contest) -> None:
    """Tell the institution how its contested line is answered."""
    post_each(accountants_of(contest.institution), partial(_answer, contest))


def _answer(contest: Contest) -> Letter:
    said = {"month": date_format(contest.month, "F Y"), "state": contest.get_state_display()}
    return Letter(
        _("Your contested line of %(month)s: %(state)s") % said,
        (
            _("The federation’s finance has answered:"),
            contest.answer,
            page_address("contest", contest.pk),
        ),
    )


def tell_of_note(note: Note) -> None:
    """Tell an institution that a credit note or the adjustment of a year is there."""
    post_each(accountants_of(note.institution), partial(_note, note))


def _note(note: Note) -> Letter:
    said = {"number": note.number, "institution": note.institution.name}
    if note.statement is None:
        subject = _("%(institution)s: the adjustment of the year, no. %(number)s")
    else:
        subject = _("%(institution)s: credit note no. %(number)s")
    return Letter(
        subject % said,
        (
            _("It is there to be read, as a page and as files."),
            page_address("note", note.number),
        ),
    )


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


def tell_of_request(asked: BudgetRequest) -> list[User]:
    """Tell who holds a budget that more of it is asked for; return who is told."""
    readers = [each for each in deciders_of(asked.budget) if each.pk != asked.asked_by_id]
    return post_each(readers or committee(), partial(_asked, asked), topic=_topic(asked))


def deciders_of(budget: Budget) -> list[User]:
    """Return who answers requests for more of a budget: of its own level, none of a higher one."""
    owner = budget.owner
    institution = institution_of(owner)
    if institution is None or budget.level == BudgetLevel.FEDERATION:
        return committee()
    roles: tuple[Role, ...] = ACCOUNTANTS
    if isinstance(owner, ApiKey | Application):
        if budget.level == BudgetLevel.OWNER:
            return people_behind(application_of(owner))
        roles = (Role.MEMBER_DSI,)
    grants = RoleGrant.objects.filter(role__in=roles, institution_id=institution.pk)
    people = User.objects.filter(pk__in=grants.values("user_id"), is_active=True)
    return list(people.order_by("pk"))


def forget_asked(asked: BudgetRequest) -> None:
    """Send nothing more about a request that needs no answer."""
    withdraw(_topic(asked))


def tell_of_answer(asked: BudgetRequest) -> bool:
    """Tell who has asked what has come of it."""
    return post(asked.asked_by, partial(_answered, asked))


def _asked(asked: BudgetRequest) -> Letter:
    said = _facts(asked)
    return Letter(
        _("%(who)s asks for more of the budget of %(whose)s") % said,
        (
            _("At present: %(most)s %(window)s. Asked for: %(wanted)s, %(until)s.") % said,
            asked.reason,
            _("Approve or decline it on its page:"),
            page_address("budget_request", asked.pk),
        ),
    )


def _answered(asked: BudgetRequest) -> Letter:
    said = _facts(asked)
    match asked.state:
        case RequestState.GRANTED | RequestState.RAISED:
            heading = _("The budget of %(whose)s is raised to %(granted)s")
            text = _("You have asked for %(wanted)s; it is now %(granted)s %(window)s, %(until)s.")
        case RequestState.DECLINED:
            heading = _("The budget of %(whose)s stays as it is")
            text = _("You have asked for %(wanted)s. The answer:")
        case RequestState.ENDED:
            heading = _("The budget of %(whose)s is back at %(most)s")
            text = _("It was raised to %(granted)s, %(until)s; that day is past.")
        case _:
            heading = _("The budget of %(whose)s has ended")
            text = _("You had asked for more of it: it bounds nothing any more.")
    return Letter(
        heading % said, (text % said, asked.answer, page_address("budget_request", asked.pk))
    )


def _facts(asked: BudgetRequest) -> dict[str, str]:
    budget = Budget.objects.get(pk=asked.budget_id)
    unit = BudgetUnit(budget.unit)
    return {
        "who": asked.asked_by.name,
        "whose": names_of([budget]).get(budget.scope_id, ""),
        "most": in_words(budget.most, unit),
        "wanted": in_words(asked.wanted, unit),
        "granted": "–" if asked.granted is None else in_words(asked.granted, unit),
        "window": budget.get_window_display(),
        "until": until_in_words(asked.until),
    }


def until_in_words(until: date | None) -> str:
    return _("until %(day)s") % {"day": long_day(until)} if until else _("for good")


def _topic(asked: BudgetRequest) -> str:
    return f"budget-request:{asked.pk}"
