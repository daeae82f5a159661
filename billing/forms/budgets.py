"""A budget as people set it: for whom, how much of what, in what time, and whether it refuses."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.enums import BUDGET_UNIT_LABELS, BudgetWindow
from billing.models import ACCOUNTANTS, LARGEST_BUDGET, LONGEST_NAME, THE_FEDERATION, Budget, Owner
from billing.models.budgets import KINDS
from billing.money import NANO, euros
from billing.operations.budgets import change_budget, scope_of, set_budget
from billing.policies import can_keep_accounts
from federation.access.models import ApiKey
from federation.access.queries import applications_to_manage
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User
from federation.people.policies import is_federation_admin
from routing.core.enums import BudgetScope, BudgetUnit

HARD, SOFT = "hard", "soft"
KIND_LABELS = {
    HARD: gettext_lazy("hard: what would pass it is refused"),
    SOFT: gettext_lazy("soft: nothing is refused, people are told"),
}
Group = tuple[str, list[tuple[str, str]]]


class AmountForm(forms.Form):
    """What can be changed of a budget. `asks_again` once it was refused for being used up already."""

    amount = forms.DecimalField(
        min_value=Decimal(1) / NANO,
        max_value=LARGEST_BUDGET,
        max_digits=27,
        decimal_places=9,
        label=gettext_lazy("At most"),
    )
    kind = forms.ChoiceField(
        choices=KIND_LABELS, label=gettext_lazy("What happens when it is used up")
    )
    name = forms.CharField(
        required=False,
        max_length=LONGEST_NAME,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What it is for, such as a course or a contract."),
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
            self.add_error(name if name in self.fields else None, errors)


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
        is_money = budget.unit == BudgetUnit.NANO_EUROS
        amount = euros(budget.most).normalize() if is_money else Decimal(budget.most)
        super().__init__(
            data,
            initial={
                "amount": f"{amount:f}",
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
    kind = KINDS.get(BudgetScope(scope))
    return kind._default_manager.get(pk=pk) if kind else None


def _choice(owner: Model, label: str) -> tuple[str, str]:
    return f"{scope_of(cast(Owner, owner))}:{owner.pk}", label
