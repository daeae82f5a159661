"""What an institution says to a line, and how the federation's finance answers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.forms.accounts import InstitutionChoice
from billing.models import LONGEST_REASON, Contest, Statement, Transfer, UsageRecord
from billing.money import NANO, euros
from billing.operations.contests import Remedy, contest_line, reject_contest, uphold_contest
from billing.operations.ledger import LARGEST_GRANT_NANO
from billing.statements.statement import drafts
from federation.members.models import Institution
from federation.people.models import User

REJECT, AMOUNT, REQUEST, TRANSFER = "reject", "amount", "request", "transfer"
DECISIONS = {
    REJECT: gettext_lazy("rejected: the line is right"),
    AMOUNT: gettext_lazy("upheld: an amount is corrected"),
    REQUEST: gettext_lazy("upheld: a request is taken back"),
    TRANSFER: gettext_lazy("upheld: a transfer is taken back, with all that it paid for"),
}


class SaidForm(forms.Form):
    def _take(self, refusal: ValidationError) -> None:
        self.add_error(None, refusal.messages)


class ContestForm(SaidForm):
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 4}),
        label=gettext_lazy("What is wrong"),
        help_text=gettext_lazy("The federation’s finance reads it, and answers here."),
    )

    def save(self, by: User, **line: Any) -> Contest | None:
        """Contest it. None, with the reason in the form, when it is refused."""
        try:
            return contest_line(by=by, reason=self.cleaned_data["reason"], **line)
        except ValidationError as refusal:
            self._take(refusal)
        return None


class AnswerForm(SaidForm):
    decision = forms.ChoiceField(
        choices=DECISIONS, widget=forms.RadioSelect, label=gettext_lazy("Answer")
    )
    amount = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_value=euros(LARGEST_GRANT_NANO),
        max_digits=12,
        decimal_places=2,
        label=gettext_lazy("Amount in euros"),
        help_text=gettext_lazy("In favour of the institution; only when an amount is corrected."),
    )
    other = InstitutionChoice(
        Institution.objects.none(),
        required=False,
        empty_label=gettext_lazy("the federation, out of its fees"),
        label=gettext_lazy("Who bears the amount"),
    )
    request = forms.UUIDField(
        required=False,
        label=gettext_lazy("Request"),
        help_text=gettext_lazy("Its identifier, as usage pages and files have it."),
    )
    transfer = forms.UUIDField(
        required=False,
        label=gettext_lazy("Transfer"),
        help_text=gettext_lazy("Its identifier, which stands on the page that reverses it."),
    )
    answer = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 4}),
        label=gettext_lazy("Why"),
        help_text=gettext_lazy("It stands in the ledger for good; the institution reads it."),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, contest: Contest, user: User) -> None:
        super().__init__(data)
        self._contest = contest
        self._user = user
        others = _with_statement(contest)
        field = cast(InstitutionChoice, self.fields["other"])
        field.queryset = others
        self.initial["other"] = others.filter(name=contest.other_name).first()

    def clean(self) -> dict[str, Any]:
        """What the decision needs is there, and is found."""
        cleaned = super().clean() or {}
        decision = cleaned.get("decision", REJECT)
        if decision != REJECT and not self.errors and not cleaned.get(decision):
            self.add_error(decision, _("Give it for this answer."))
        if "decision" in cleaned:
            self._refuse_what_is_not_of(decision, cleaned)
        rows: dict[str, Any] = {REQUEST: UsageRecord.objects, TRANSFER: Transfer.objects}
        if decision in rows and cleaned.get(decision):
            seen = rows[decision].for_user(self._user)
            cleaned["found"] = seen.filter(pk=cleaned[decision]).first()
            if cleaned["found"] is None:
                self.add_error(decision, _("There is none with this identifier."))
        return cleaned

    def _refuse_what_is_not_of(self, decision: str, cleaned: dict[str, Any]) -> None:
        """Nothing given for another answer is passed over in silence: the answer stands for good."""
        for name in (AMOUNT, REQUEST, TRANSFER):
            if name != decision and cleaned.get(name):
                self.add_error(
                    name, _("It is not for this answer: take it away, or answer otherwise.")
                )

    def save(self, by: User) -> Contest | None:
        answer = self.cleaned_data["answer"]
        try:
            if self.cleaned_data["decision"] == REJECT:
                return reject_contest(by=by, contest=self._contest, answer=answer)
            return uphold_contest(
                by=by, contest=self._contest, answer=answer, remedy=self._remedy()
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None

    def _remedy(self) -> Remedy:
        match self.cleaned_data["decision"]:
            case "amount":
                nano = int(self.cleaned_data["amount"] * NANO)
                return Remedy(amount_nano=nano, other=self.cleaned_data["other"])
            case "request":
                return Remedy(request=self.cleaned_data["found"])
            case _:
                return Remedy(transfer=self.cleaned_data["found"])


def _with_statement(contest: Contest) -> Any:
    """Return the other institutions of the month: each has a statement that shows the correction."""
    closed = Statement.objects.filter(period_id=contest.month).values_list("institution", flat=True)
    found = set(closed) or {draft.institution.pk for draft in drafts(contest.month)}
    others = Institution.objects.filter(pk__in=found).exclude(pk=contest.institution_id)
    return others.order_by("name")
