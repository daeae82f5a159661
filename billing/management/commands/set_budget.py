"""`manage.py set_budget`: set, change or end a budget."""

from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError

from billing.budgeting.amounts import in_words
from billing.enums import BudgetLevel, BudgetWindow
from billing.models import THE_FEDERATION, Budget, Holder, Owner
from billing.money import NANO
from billing.operations.budgets import change_budget, end_budget, scope_of, set_budget
from federation.access.named import owner_named
from federation.catalogue.models import AIModel
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from federation.members.queries import institution_with_slug
from federation.people.models import User
from routing.core.enums import BudgetUnit

NONE, EUROS = "none", "euros"
BY = CommandActor("set_budget")
UNITS = {EUROS: BudgetUnit.NANO_EUROS, **{unit.value: unit for unit in BudgetUnit}}


class Command(OperatorCommand):
    help = "Set, change or end a budget; without an owner it is the whole federation's."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("most", help=f"an amount, or `{NONE}` to end the budget")
        parser.add_argument("--unit", choices=[EUROS, "tokens", "requests"], default=EUROS)
        windows = BudgetWindow.values
        parser.add_argument("--window", choices=windows, default=BudgetWindow.MONTH.value)
        parser.add_argument("--institution", metavar="SLUG", help="such as rennes")
        parser.add_argument("--application", metavar="NAME", help="of the institution")
        parser.add_argument("--key", metavar="NAME", help="of the application")
        parser.add_argument("--person", metavar="EMAIL", help="all keys that they own there")
        parser.add_argument("--model", metavar="NAME", help="all requests that it serves")
        levels = [level.name.lower() for level in BudgetLevel]
        parser.add_argument(
            "--level", choices=levels, default=levels[-1], help="who may change it on pages"
        )
        parser.add_argument("--soft", action="store_true", help="refuse nothing, only tell")
        parser.add_argument("--knowingly", action="store_true", help="also when it is used up")

    def handle(self, *args: Any, **options: Any) -> None:
        owner, unit = _owner(options), UNITS[options["unit"]]
        window, hard = BudgetWindow(options["window"]), not options["soft"]
        known = Budget.objects.in_force().filter(
            scope=scope_of(owner),
            scope_id=owner.pk if owner else THE_FEDERATION,
            unit=unit,
            window=window,
            hard=hard,
        )
        whose = owner or "the federation"
        if options["most"] == NONE:
            if (budget := known.first()) is None:
                raise ValidationError(f"{whose} has no such budget")
            end_budget(by=BY, budget=budget)
            self.stdout.write(f"{whose}: no such budget any more")
            return
        most, knowingly = _amount(options["most"], unit), options["knowingly"]
        if budget := known.first():
            change_budget(
                by=BY, budget=budget, most=most, hard=hard, name=budget.name, knowingly=knowingly
            )
        else:
            set_budget(
                by=BY,
                owner=owner,
                unit=unit,
                most=most,
                window=window,
                hard=hard,
                knowingly=knowingly,
                level=BudgetLevel[options["level"].upper()],
            )
        self.stdout.write(f"{whose}: at most {in_words(most, unit)} {window.label}")


def _owner(options: dict[str, Any]) -> Owner:
    if options["model"]:
        if options["institution"]:
            raise ValidationError("A model's budget is nobody's: leave --institution out")
        model = AIModel.objects.filter(slug=options["model"]).first()
        if model is None:
            raise ValidationError(f"There is no model “{options['model']}”")
        return model
    if options["institution"]:
        return _holder(options) if options["person"] else owner_named(options)
    if options["application"] or options["key"] or options["person"]:
        raise ValidationError("Name the institution, too: --institution SLUG")
    return None


def _holder(options: dict[str, Any]) -> Holder:
    institution = institution_with_slug(options["institution"])
    if options["application"] or options["key"]:
        raise ValidationError("A person's budget counts all their keys: leave the others out")
    user = User.objects.filter(email__iexact=options["person"]).first()
    if user is None or institution.pk not in user.institution_ids():
        raise ValidationError(f"{institution} has nobody with the address “{options['person']}”")
    return Holder.of(user, institution)


def _amount(text: str, unit: BudgetUnit) -> int:
    """Return the amount in its unit. Raises `ValidationError` on what is none."""
    try:
        amount = Decimal(text) * (NANO if unit is BudgetUnit.NANO_EUROS else 1)
        if amount.is_finite() and amount == int(amount):
            return int(amount)
    except InvalidOperation:
        pass
    raise ValidationError(f"“{text[:40]}” is no such amount, nor `{NONE}`")
