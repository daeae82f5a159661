"""A budget as people set it: for whom, how much of what, in what time, and whether it refuses. And a wish for more."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.budgeting.amounts import in_words
from billing.enums import BUDGET_UNIT_LABELS, BudgetWindow
from billing.models import (
    ACCOUNTANTS,
    LARGEST_BUDGET,
    LONGEST_ANSWER,
    LONGEST_NAME,
    THE_FEDERATION,
    Budget,
    BudgetRequest,
    Holder,
    Owner,
)
from billing.models.budgets import KINDS
from billing.money import NANO, euros
from billing.operations.budgets import change_budget, scope_of, set_budget
from billing.operations.requests import approve_request, ask_for_more
from billing.policies import can_keep_accounts
from federation.access.models import ApiKey, Application
from federation.access.queries import applications_to_manage
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User
from federation.people.policies import is_federation_admin
from federation.widgets import DayInput
from routing.core.enums import BudgetScope, BudgetUnit

AMOUNTS = frozenset({"most", "wanted", "granted"})
"""Fields of the operations that a form calls its amount."""
HARD, SOFT = "hard", "soft"
KIND_LABELS = {
    HARD: gettext_lazy("hard: what would pass it is refused"),
    SOFT: gettext_lazy("soft: nothing is refused, people are told"),
}
Group = tuple[str, list[tuple[str, str]]]


class _Amount(forms.Form):
    """An amount of a budget's unit. `asks_again` once it was refused for being used up already."""

    amount = forms.DecimalField(
        min_value=Decimal(1) / NANO,
        error_messages={"min_value": gettext_lazy("Give more than nothing.")},
        max_value=LARGEST_BUDGET,
        max_digits=27,
        decimal_places=9,
        label=gettext_lazy("At most"),
    )
    knowingly = forms.BooleanField(
        required=False,
        label=gettext_lazy("I know that it is used up already: set it all the same"),
    )
    asks_again = False

    def _amount(self, unit: BudgetUnit) -> int:
        """Return the amount in its unit. Raises `ValidationError` on a part of a token."""
        amount: Decimal = self.cleaned_data["amount"]
        whole = amount * NANO if unit is BudgetUnit.NANO_EUROS else amount
        if whole != int(whole):
            raise ValidationError({"amount": _("Give a whole number of these.")})
        return int(whole)

    def _take(self, refusal: ValidationError) -> None:
        """Show what is refused where it can be put right."""
        self.asks_again = getattr(refusal, "code", "") == "below_spent"
        for name, errors in getattr(refusal, "error_dict", {None: refusal.messages}).items():
            field = "amount" if name in AMOUNTS else name
            self.add_error(field if field in self.fields else None, errors)


class AmountForm(_Amount):
    """What can be changed of a budget."""

    kind = forms.ChoiceField(
        choices=KIND_LABELS, label=gettext_lazy("What happens when it is used up")
    )
    name = forms.CharField(
        required=False,
        max_length=LONGEST_NAME,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What it is for, such as a course or a contract."),
    )
    field_order: tuple[str, ...] = ("amount", "kind", "name", "knowingly")


class BudgetForm(AmountForm):
    owner = forms.ChoiceField(label=gettext_lazy("For"))
    unit = forms.ChoiceField(choices=BUDGET_UNIT_LABELS, label=gettext_lazy("Of what"))
    window = forms.ChoiceField(
        choices=BudgetWindow.choices,
        label=gettext_lazy("In what time"),
        help_text=gettext_lazy("Days, weeks, months and years begin at midnight in Paris."),
    )
    field_order = ("owner", "amount", "unit", "window", "kind", "name")

    def __init__(self, data: Mapping[str, Any] | None, *, user: User) -> None:
        super().__init__(data, initial={"window": BudgetWindow.MONTH})
        field = cast(forms.ChoiceField, self.fields["owner"])
        field.choices = list(owners(user))

    def save(self, by: User) -> Budget | None:
        """Set it. None, with the reason in the form, when it is refused."""
        unit = BudgetUnit(self.cleaned_data["unit"])
        try:
            return set_budget(
                by=by,
                owner=owner_of(self.cleaned_data["owner"]),
                unit=unit,
                most=self._amount(unit),
                window=BudgetWindow(self.cleaned_data["window"]),
                hard=self.cleaned_data["kind"] == HARD,
                name=self.cleaned_data["name"],
                knowingly=self.cleaned_data["knowingly"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


class ChangeForm(AmountForm):
    def __init__(self, data: Mapping[str, Any] | None, *, budget: Budget) -> None:
        super().__init__(
            data,
            initial={
                "amount": written(budget.most, budget),
                "kind": HARD if budget.hard else SOFT,
                "name": budget.name,
            },
        )
        self._budget = budget

    def save(self, by: User) -> Budget | None:
        try:
            return change_budget(
                by=by,
                budget=self._budget,
                most=self._amount(BudgetUnit(self._budget.unit)),
                hard=self.cleaned_data["kind"] == HARD,
                name=self.cleaned_data["name"],
                knowingly=self.cleaned_data["knowingly"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


class _More(_Amount):
    """A new amount, for a time or for good."""

    until = forms.DateField(
        required=False,
        widget=DayInput,
        input_formats=["%Y-%m-%d"],
        label=gettext_lazy("Last day"),
        help_text=gettext_lazy("After it the budget falls back by itself. Empty: for good."),
    )


class AskForm(_More):
    """How much more of a budget is wanted, for how long, and why."""

    reason = forms.CharField(
        max_length=LONGEST_ANSWER,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("What it is for: whoever decides reads it."),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, budget: Budget) -> None:
        super().__init__(data)
        self.fields["amount"].help_text = _("At present: %(most)s.") % {
            "most": in_words(budget.most, BudgetUnit(budget.unit))
        }
        self._budget = budget

    def save(self, by: User) -> BudgetRequest | None:
        """Ask for it. None, with the reason in the form, when it is refused."""
        try:
            return ask_for_more(
                by=by,
                budget=self._budget,
                wanted=self._amount(BudgetUnit(self._budget.unit)),
                until=self.cleaned_data["until"],
                reason=self.cleaned_data["reason"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


class ApprovalForm(_More):
    """How much is granted, and for how long: to begin with, what was asked for."""

    field_order = ("amount", "until", "knowingly")

    def __init__(self, data: Mapping[str, Any] | None, *, asked: BudgetRequest) -> None:
        amount = written(asked.wanted, asked.budget)
        super().__init__(data, initial={"amount": amount, "until": asked.until})
        self._asked = asked

    def save(self, by: User) -> BudgetRequest | None:
        try:
            return approve_request(
                by=by,
                asked=self._asked,
                granted=self._amount(BudgetUnit(self._asked.budget.unit)),
                until=self.cleaned_data["until"],
                knowingly=self.cleaned_data["knowingly"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


class AnswerForm(forms.Form):
    answer = forms.CharField(
        max_length=LONGEST_ANSWER,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Who has asked gets it by e-mail."),
    )


def written(amount: int, budget: Budget) -> str:
    """Return an amount as it is typed: euros, or whole numbers."""
    is_money = budget.unit == BudgetUnit.NANO_EUROS
    return f"{euros(amount).normalize() if is_money else Decimal(amount):f}"


def owners(user: User) -> Iterator[Group]:
    """Yield for whom `user` may set budgets, in groups, those that are not empty."""
    applications = applications_to_manage(user)
    keys = ApiKey.objects.usable().filter(application__in=applications)
    keys = keys.select_related("application").order_by("application__name", "name")
    institutions = Institution.objects.order_by("name")
    if not is_federation_admin(user):
        institutions = institutions.filter(pk__in=user.institution_ids(*ACCOUNTANTS))
    groups: list[Group] = [
        (_("Applications"), [_choice(each, each.name) for each in applications]),
        (_("Keys"), [_choice(key, f"{key.application.name} · {key.name}") for key in keys]),
        (_("People, all keys of theirs"), list(_people(institutions))),
        (_("Institutions"), [_choice(each, each.name) for each in institutions]),
    ]
    if can_keep_accounts(user):
        models = AIModel.objects.for_user(user).order_by("slug")
        whole = (f"{BudgetScope.FEDERATION}:{THE_FEDERATION}", _("the whole federation"))
        groups += [
            (_("Models"), [_choice(model, model.slug) for model in models]),
            (_("Federation"), [whole]),
        ]
    yield from (group for group in groups if group[1])


def owner_of(choice: str) -> Owner:
    """Return whose budget was chosen among `owners`."""
    scope, _colon, pk = choice.partition(":")
    if scope == BudgetScope.PERSON:
        user_id, _at, institution_id = pk.partition("@")
        institution = Institution.objects.get(pk=institution_id)
        return Holder.of(User.objects.get(pk=user_id), institution)
    kind = KINDS.get(BudgetScope(scope))
    return kind._default_manager.get(pk=pk) if kind else None


def _people(institutions: Iterable[Institution]) -> Iterator[tuple[str, str]]:
    """Yield who owns applications at these institutions."""
    owned = Application.objects.filter(institution__in=institutions, owner__is_active=True)
    pairs = owned.order_by("owner__name", "owner_id", "institution__name").values_list(
        "owner_id", "owner__name", "institution_id", "institution__short_name"
    )
    for owner_id, name, institution_id, place in dict.fromkeys(pairs):
        yield f"{BudgetScope.PERSON}:{owner_id}@{institution_id}", f"{name} ({place})"


def _choice(owner: Model, label: str) -> tuple[str, str]:
    return f"{scope_of(cast(Owner, owner))}:{owner.pk}", label
