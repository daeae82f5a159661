"""An amount of a budget's unit as people read it."""

from django.utils.formats import number_format
from django.utils.translation import ngettext

from billing.templatetags.money import euros
from routing.core.enums import BudgetUnit


def in_words(amount: int, unit: BudgetUnit) -> str:
    """Return the amount with its unit, such as “€12.50” or “3,000 tokens”."""
    number = number_format(amount, force_grouping=True)
    match unit:
        case BudgetUnit.NANO_EUROS:
            return euros(amount)
        case BudgetUnit.TOKENS:
            return ngettext("%(number)s token", "%(number)s tokens", amount) % {"number": number}
        case BudgetUnit.REQUESTS:
            return ngettext("%(number)s request", "%(number)s requests", amount) % {
                "number": number
            }
