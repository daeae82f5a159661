"""What a year cost in all."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from billing.models import CostPool
from billing.models.years import LONGEST_EVIDENCE
from billing.operations.years import LARGEST_POOL_CENTS, set_cost_pool
from federation.people.models import User


class CostPoolForm(forms.Form):
    amount = forms.DecimalField(
        min_value=Decimal(0),
        max_value=Decimal(LARGEST_POOL_CENTS) / 100,
        max_digits=11,
        decimal_places=2,
        label=gettext_lazy("Common costs of the year, in euros"),
        help_text=gettext_lazy("Exactly, without VAT: members together pay this and no more."),
    )
    evidence = forms.CharField(
        max_length=LONGEST_EVIDENCE,
        widget=forms.Textarea(attrs={"rows": 4}),
        label=gettext_lazy("What proves them"),
        help_text=gettext_lazy(
            "Such as the accounts that were approved, and when; members read it."
        ),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, year: int, pool: CostPool | None) -> None:
        initial: dict[str, Any] = {}
        if pool is not None:
            amount = Decimal(pool.amount_cents) / 100
            initial = {"amount": f"{amount:.2f}", "evidence": pool.evidence}
        super().__init__(data, initial=initial)
        self._year = year

    def save(self, by: User) -> CostPool | None:
        """Enter them. None, with the reason in the form, when they are refused."""
        try:
            return set_cost_pool(
                by=by,
                year=self._year,
                amount_cents=int(self.cleaned_data["amount"] * 100),
                evidence=self.cleaned_data["evidence"],
            )
        except ValidationError as refusal:
            self.add_error(None, refusal.messages)
        return None
