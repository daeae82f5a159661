"""Who is bound by a budget asks for more; who holds it answers; a raise for a time falls back by itself."""

from datetime import date, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string
from django_q.models import Schedule

from billing.budgeting.requests import requests_to_decide
from billing.enums import BudgetLevel, BudgetWindow, RequestState
from billing.models import Budget, BudgetGrant, BudgetRequest, Holder, Owner
from billing.operations.budgets import change_budget, end_budget
from billing.operations.requests import approve_request, ask_for_more, decline_request
from billing.periods import paris_today
from billing.records import intake
from billing.tasks import end_raises
from federation.access.models import Application
from federation.access.operations import give_to_team
from federation.journal.models import AuditEvent
from federation.members.operations.teams import add_to_team, create_team
from federation.people.enums import Role
from federation.people.models import Mail, User
from federation.people.operations import grant_role
from tests.integration.billing.conftest import used
from tests.integration.billing.test_budgets import a_budget, a_key, cast
from tests.support.factories import OPERATOR, Cast, make_application, make_user
from tests.support.pages import plain_static, signed_in_as

__all__ = ["cast", "plain_static"]
pytestmark = pytest.mark.django_db
MIGRATION = "billing.migrations.0013_requests_for_more"


@pytest.fixture
def application(cast: Cast) -> Application:
    return make_application(cast.rennes, owner=cast.rennes_user)


@pytest.fixture
def budget(cast: Cast, application: Application) -> Budget:
    """Of a person's application, held by the IT department: 100 requests a month."""
    return a_budget(application, by=cast.rennes_dsi)


def ask(budget: Budget, by: User, wanted: int = 200, **facts: Any) -> BudgetRequest:
    known: dict[str, Any] = {"by": by, "budget": budget, "wanted": wanted, "reason": "x"}
    return ask_for_more(**known | facts)


def most(budget: Budget) -> int:
    return Budget.objects.get(pk=budget.pk).most


def pass_the_day_of(asked: BudgetRequest) -> None:
    BudgetRequest.objects.filter(pk=asked.pk).update(until=paris_today() - timedelta(days=1))


# Whose a budget is, and who may lift it


def test_whom_a_budget_bounds_from_above_neither_lifts_nor_ends_it(
    cast: Cast, budget: Budget
) -> None:
    assert budget.level == BudgetLevel.INSTITUTION
    with pytest.raises(PermissionDenied):
        change_budget(by=cast.rennes_user, budget=budget, most=10**6, hard=True)
    with pytest.raises(PermissionDenied):
        end_budget(by=cast.rennes_user, budget=budget)

    change_budget(by=cast.rennes_dsi, budget=budget, most=101, hard=True)
    change_budget(by=cast.admin, budget=budget, most=102, hard=True)

    assert most(budget) == 102


def test_who_tightens_a_budget_from_above_holds_it_and_who_raises_it_does_not(
    cast: Cast, application: Application
) -> None:
    budget = a_budget(application, by=cast.rennes_user)

    change_budget(by=cast.rennes_dsi, budget=budget, most=200, hard=True)
    change_budget(by=cast.rennes_user, budget=budget, most=190, hard=True)
    change_budget(by=cast.rennes_dsi, budget=budget, most=50, hard=True)

    with pytest.raises(PermissionDenied):
        change_budget(by=cast.rennes_user, budget=budget, most=60, hard=True)


def test_nobody_sets_a_budget_at_a_level_above_their_own(
    cast: Cast, application: Application
) -> None:
    budget = a_budget(application, by=cast.rennes_user, level=BudgetLevel.FEDERATION)
    lower = a_budget(application, by=OPERATOR, hard=False, level=BudgetLevel.INSTITUTION)

    assert (budget.level, lower.level) == (BudgetLevel.OWNER, BudgetLevel.INSTITUTION)


# A person


def test_a_persons_budget_counts_all_keys_of_theirs_at_the_institution_and_no_other(
    cast: Cast, application: Application
) -> None:
    grant_role(by=OPERATOR, user=cast.rennes_user, role=Role.USER, institution_id=cast.reims.pk)
    mine = [a_key(application), a_key(make_application(cast.rennes, owner=cast.rennes_user))]
    others = [
        a_key(make_application(cast.rennes, owner=cast.rennes_dsi)),
        a_key(make_application(cast.rennes)),
        a_key(make_application(cast.reims, owner=cast.rennes_user)),
    ]
    intake.store([used(key) for key in (*mine, *others)])
    budget = a_budget(Holder.of(cast.rennes_user, cast.rennes), by=cast.rennes_dsi)

    intake.store([used(key) for key in (*mine, *others)])

    assert BudgetGrant.objects.get(budget=budget).spent == 4
    assert list(Budget.objects.for_user(cast.rennes_user)) == [budget]
    assert not Budget.objects.for_user(cast.reims_dsi).exists()


def test_what_changes_hands_counts_for_who_has_it_from_then_on(
    cast: Cast, application: Application
) -> None:
    key = a_key(application)
    budget = a_budget(Holder.of(cast.rennes_user, cast.rennes), by=cast.rennes_dsi)
    intake.store([used(key)])
    Application.objects.filter(pk=application.pk).update(owner=cast.rennes_dsi)

    intake.store([used(key)])

    assert budget.hours.get().spent == 1


def test_an_institutions_accountants_bound_its_people_and_nobody_elses(cast: Cast) -> None:
    owner: Owner = Holder.of(cast.rennes_user, cast.rennes)
    accountant = make_user("accountant", Role.MEMBER_FINANCE, cast.rennes)
    a_budget(owner, by=accountant)

    for person in (cast.rennes_user, cast.reims_dsi, cast.intruder):
        with pytest.raises(PermissionDenied):
            a_budget(owner, by=person, window=BudgetWindow.YEAR)
    assert requests_to_decide(accountant) == []


# Asking


def test_who_is_bound_asks_and_who_holds_the_budget_approves(cast: Cast, budget: Budget) -> None:
    asked = ask(budget, cast.rennes_user, wanted=500)
    assert Mail.objects.filter(person=cast.rennes_dsi).count() == 1
    assert requests_to_decide(cast.rennes_dsi) == [asked]
    assert requests_to_decide(cast.rennes_user) == requests_to_decide(cast.reims_dsi) == []

    approve_request(by=cast.rennes_dsi, asked=asked, granted=300)

    asked.refresh_from_db()
    assert (most(budget), asked.state, asked.before) == (300, RequestState.GRANTED, 100)
    assert not Mail.objects.filter(person=cast.rennes_dsi).exists()  # nothing is left to decide
    assert Mail.objects.filter(person=cast.rennes_user).count() == 1
    assert Budget.objects.get(pk=budget.pk).level == BudgetLevel.INSTITUTION
    told = AuditEvent.objects.order_by("-seq").values_list("verb", flat=True)
    assert list(told[:2]) == ["billing.approve_request", "billing.change_budget"]


def test_who_may_answer_is_asked_without_a_query_for_each_request(cast: Cast) -> None:
    team = create_team(by=OPERATOR, institution=cast.rennes, name="pair")
    add_to_team(by=OPERATOR, team=team, email=cast.rennes_user.email)

    def ask_three_times(window: BudgetWindow) -> None:
        owned = make_application(cast.rennes, owner=cast.rennes_user)
        of_team = give_to_team(by=OPERATOR, application=make_application(cast.rennes), team=team)
        owners = (a_key(of_team), owned, Holder.of(cast.rennes_user, cast.rennes))
        for owner in owners:
            ask(a_budget(owner, by=cast.rennes_dsi, window=window), cast.rennes_user)

    ask_three_times(BudgetWindow.DAY)
    assert cast.rennes_dsi.grants  # read once per person
    with CaptureQueriesContext(connection) as few:
        assert len(requests_to_decide(cast.rennes_dsi)) == 3
    for window in (BudgetWindow.WEEK, BudgetWindow.MONTH, BudgetWindow.YEAR):
        ask_three_times(window)

    with CaptureQueriesContext(connection) as many:
        assert len(requests_to_decide(cast.rennes_dsi)) == 12

    assert len(many) == len(few)


def test_nobody_answers_their_own_request_while_somebody_stands_above(
    cast: Cast, budget: Budget
) -> None:
    asked = ask(budget, cast.rennes_user)
    dsi = Role.MEMBER_DSI
    grant_role(by=OPERATOR, user=cast.rennes_user, role=dsi, institution_id=cast.rennes.pk)
    promoted = User.objects.get(pk=cast.rennes_user.pk)

    with pytest.raises(PermissionDenied):
        approve_request(by=promoted, asked=asked, granted=200)
    assert requests_to_decide(promoted) == []

    approve_request(by=cast.admin, asked=asked, granted=200)


def test_a_budget_of_the_federation_is_raised_by_the_federation(cast: Cast) -> None:
    budget = a_budget(cast.rennes)
    asked = ask(budget, cast.rennes_dsi)

    with pytest.raises(PermissionDenied):
        approve_request(by=cast.rennes_dsi, asked=asked, granted=200)
    with pytest.raises(PermissionDenied):
        ask(budget, cast.rennes_user)  # who has a role there is not who answers for it

    decline_request(by=cast.admin, asked=asked, answer="not this year")
    assert (most(budget), Mail.objects.filter(person=cast.rennes_dsi).count()) == (100, 1)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"wanted": 100}, "wanted"),
        ({"wanted": -1}, "wanted"),
        ({"wanted": 10**17 + 1}, "wanted"),
        ({"until": date(2020, 1, 1)}, "until"),
        ({"until": date(9999, 1, 1)}, "until"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    cast: Cast, budget: Budget, facts: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        ask(budget, cast.rennes_user, **facts)
    assert list(refused.value.message_dict) == [field]


def test_one_request_is_open_for_a_budget_at_a_time(cast: Cast, budget: Budget) -> None:
    asked = ask(budget, cast.rennes_user)
    with pytest.raises(ValidationError):
        ask(budget, cast.rennes_user)

    decline_request(by=cast.rennes_dsi, asked=asked, answer="no")
    ask(budget, cast.rennes_user)


def test_who_sets_a_budget_changes_it_and_does_not_ask(cast: Cast, budget: Budget) -> None:
    with pytest.raises(ValidationError) as refused:
        ask(budget, cast.rennes_dsi)
    assert refused.value.code == "own"


def test_an_end_takes_what_is_asked_for_with_it(cast: Cast, budget: Budget) -> None:
    asked = ask(budget, cast.rennes_user)

    end_budget(by=cast.rennes_dsi, budget=budget)

    asked.refresh_from_db()
    assert asked.state == RequestState.WITHDRAWN
    with pytest.raises(ValidationError):
        approve_request(by=cast.rennes_dsi, asked=asked, granted=200)


def test_a_raise_that_leaves_nothing_is_refused_unless_it_is_meant(
    cast: Cast, application: Application, budget: Budget
) -> None:
    key = a_key(application)
    change_budget(by=cast.rennes_dsi, budget=budget, most=2, hard=True)
    intake.store([used(key) for _ in range(4)])
    asked = ask(budget, cast.rennes_user, wanted=3)

    with pytest.raises(ValidationError) as refused:
        approve_request(by=cast.rennes_dsi, asked=asked, granted=3)
    assert refused.value.code == "below_spent"
    approve_request(by=cast.rennes_dsi, asked=asked, granted=3, knowingly=True)


# For a time


def test_a_raise_for_a_time_falls_back_on_its_day_and_once(cast: Cast, budget: Budget) -> None:
    asked = ask(budget, cast.rennes_user, until=paris_today())
    approve_request(by=cast.rennes_dsi, asked=asked, granted=200, until=asked.until)
    end_raises()
    assert most(budget) == 200
    pass_the_day_of(asked)

    end_raises()
    end_raises()

    asked.refresh_from_db()
    fallen = Budget.objects.get(pk=budget.pk)
    assert (fallen.most, fallen.level) == (100, BudgetLevel.INSTITUTION)
    assert asked.state == RequestState.ENDED
    assert AuditEvent.objects.filter(verb="billing.end_raise").count() == 1


def test_what_is_set_by_hand_meanwhile_stays(cast: Cast, budget: Budget) -> None:
    asked = ask(budget, cast.rennes_user, until=paris_today())
    approve_request(by=cast.rennes_dsi, asked=asked, granted=200, until=asked.until)
    change_budget(by=cast.rennes_dsi, budget=budget, most=150, hard=True)
    pass_the_day_of(asked)

    end_raises()

    assert most(budget) == 150


def test_a_second_raise_falls_back_to_where_the_first_began(cast: Cast, budget: Budget) -> None:
    for wanted in (200, 300):
        asked = ask(budget, cast.rennes_user, wanted=wanted, until=paris_today())
        approve_request(by=cast.rennes_dsi, asked=asked, granted=wanted, until=asked.until)
    assert most(budget) == 300
    pass_the_day_of(asked)

    end_raises()

    assert most(budget) == 100


def test_the_worker_looks_every_hour() -> None:
    # Told again here: a test that empties every table may have run before.
    import_module(MIGRATION).schedule(apps, None)

    scheduled = Schedule.objects.get(func="billing.tasks.end_raises")

    assert scheduled.schedule_type == Schedule.HOURLY
    import_string(scheduled.func)()


# On pages


def test_a_request_goes_its_way_on_pages(
    cast: Cast, plain_static: None, application: Application, budget: Budget
) -> None:
    person, department = signed_in_as(cast.rennes_user), signed_in_as(cast.rennes_dsi)
    ask_page, part = f"/budgets/{budget.pk}/ask/", f"/budgets/of-key/{a_key(application).pk}/"
    assert ask_page in person.get(part).content.decode()
    assert ask_page in person.get(f"/budgets/{budget.pk}/").content.decode()
    assert ask_page not in department.get(part).content.decode()

    page = person.post(ask_page, {"amount": "90", "reason": "une soutenance"})
    assert page.status_code == 200
    assert page.context["form"].errors["amount"]
    page = person.post(ask_page, {"amount": "400", "reason": "une soutenance"}, follow=True)

    asked = BudgetRequest.objects.get()
    address = f"/budgets/requests/{asked.pk}/"
    assert page.redirect_chain == [(address, 302)]
    assert department.get("/").context["to_decide"][0].address == "/budgets/requests/"
    assert "une soutenance" in department.get(address).content.decode()
    assert person.post(f"{address}approve/", {"amount": "400"}).status_code == 403
    page = department.post(f"{address}approve/", {"amount": "50"})
    assert page.context["approval"].errors["amount"]
    day = (paris_today() + timedelta(days=3)).isoformat()
    department.post(f"{address}approve/", {"amount": "300", "until": day})

    asked.refresh_from_db()
    assert (most(budget), asked.state, str(asked.until)) == (300, RequestState.RAISED, day)
    assert "300" in person.get("/budgets/requests/").content.decode()


def test_a_request_is_declined_with_a_reason_or_taken_back_on_pages(
    cast: Cast, plain_static: None, budget: Budget
) -> None:
    person, department = signed_in_as(cast.rennes_user), signed_in_as(cast.rennes_dsi)
    asked = ask(budget, cast.rennes_user)
    address = f"/budgets/requests/{asked.pk}/"

    assert department.post(f"{address}decline/", {"answer": ""}).context["answer"].errors
    department.post(f"{address}decline/", {"answer": "pas cette année"})
    assert "pas cette année" in person.get(address).content.decode()
    again = ask(budget, cast.rennes_user)
    assert department.post(f"/budgets/requests/{again.pk}/withdraw/").status_code == 403
    person.post(f"/budgets/requests/{again.pk}/withdraw/")

    states = BudgetRequest.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [RequestState.DECLINED, RequestState.WITHDRAWN]


def test_a_request_of_others_is_not_there(cast: Cast, plain_static: None, budget: Budget) -> None:
    address = f"/budgets/requests/{ask(budget, cast.rennes_user).pk}/"

    for stranger in (cast.reims_dsi, cast.orleans_user, cast.intruder):
        browser = signed_in_as(stranger)
        assert browser.get(address).status_code == 404
        assert browser.get(f"/budgets/{budget.pk}/ask/").status_code == 404
        assert address not in browser.get("/budgets/requests/").content.decode()


def test_an_accountant_sets_a_persons_budget_on_a_page(
    cast: Cast, plain_static: None, application: Application
) -> None:
    form = {
        "owner": f"person:{cast.rennes_user.pk}@{cast.rennes.pk}",
        "amount": "5",
        "unit": "requests",
        "window": "month",
        "kind": "hard",
        "name": "",
    }
    strangers = {**form, "owner": f"person:{cast.orleans_user.pk}@{cast.orleans.pk}"}
    department = signed_in_as(cast.rennes_dsi)

    assert department.post("/budgets/new/", strangers).status_code == 200
    department.post("/budgets/new/", form)

    made = Budget.objects.get()
    assert made.owner == Holder.of(cast.rennes_user, cast.rennes)
    assert cast.rennes_user.name in department.get("/budgets/").content.decode()


def test_the_command_bounds_a_person_and_says_who_holds_it(cast: Cast) -> None:
    call_command(
        "set_budget",
        "9",
        *("--unit", "requests", "--institution", "rennes"),
        *("--person", cast.rennes_user.email, "--level", "institution"),
    )

    made = Budget.objects.get()
    assert (made.most, made.level) == (9, BudgetLevel.INSTITUTION)
    assert made.owner == Holder.of(cast.rennes_user, cast.rennes)
    with pytest.raises(CommandError, match="nobody"):
        call_command("set_budget", "9", "--institution", "rennes", "--person", "who@example.org")
