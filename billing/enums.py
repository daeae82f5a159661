"""The words of the accounts: whose usage a page shows, kinds of prices, accounts and transfers, states of months."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from federation.transitions import Transitions
from routing.core.enums import BudgetScope, BudgetUnit


class Scope(models.TextChoices):
    """A part of what `UsageRecord.for_user` gives; the reader's own applications are the smallest."""

    MINE = "mine", _("my applications")
    INSTITUTION = "institution", _("my institution")
    SERVED = "served", _("what our servers answered")
    FEDERATION = "federation", _("the whole federation")


class PriceKind(models.TextChoices):
    """What members owe follows provisional prices, until the year's costs are known."""

    PROVISIONAL = "provisional", _("provisional")
    FINAL = "final", _("final")


class AccountKind(models.TextChoices):
    CONSUMER = "consumer", _("what it uses")
    HOST = "host", _("what it serves")
    ALLOCATION = "allocation", _("what it is granted")
    FEE = "fee", _("the federation’s fees")
    RESERVE = "reserve", _("the federation’s reserve")
    ROUNDING = "rounding", _("roundings")
    SUSPENSE = "suspense", _("of unknown institutions")


OWN_ACCOUNTS = (AccountKind.CONSUMER, AccountKind.HOST, AccountKind.ALLOCATION)
"""Each institution has one of these; of the others there is one."""


class TransferReason(models.TextChoices):
    USAGE = "usage", _("usage")
    FEE = "fee", _("fee")
    GRANT = "grant", _("grant")
    GRANT_USED = "grant_used", _("grant used")
    GRANT_LAPSED = "grant_lapsed", _("grant lapsed")
    REVERSAL = "reversal", _("reversal")
    ROUNDING = "rounding", _("rounding")
    MERGER = "merger", _("merger of institutions")
    CORRECTION = "correction", _("correction")
    GRANT_BACK = "grant_back", _("grant given back")
    TRUE_UP = "true_up", _("adjustment of a year")


_OF_GRANTS = _(
    "What grants pay follows from what is owed: take back what was used, and it follows."
)
NEVER_REVERSED = {
    TransferReason.REVERSAL: _("A reversal is not reversed: transfer anew."),
    TransferReason.MERGER: _("A merger is not reversed."),
    TransferReason.TRUE_UP: _("A year is settled once: its adjustments are not reversed."),
    TransferReason.ROUNDING: _(
        "A rounding is a part of its document: take back what that tells of."
    ),
    TransferReason.GRANT_USED: _OF_GRANTS,
    TransferReason.GRANT_BACK: _OF_GRANTS,
}
"""Kinds of transfers that stay, and why. The last three follow from documents, which would tell of them no more."""


class LineKind(models.TextChoices):
    """What a line of a statement is for; those of what is used are owed, the others received."""

    USED = "used", _("used")
    SERVED = "served", _("served")
    FEE = "fee", _("fee")
    CORRECTION_USED = "correction_used", _("correction of what was used")
    CORRECTION_SERVED = "correction_served", _("correction of what was served")
    YEAR_USED = "year_used", _("adjustment of what was used in the year")
    YEAR_SERVED = "year_served", _("adjustment of what was served in the year")


OWED_LINES = frozenset({LineKind.USED, LineKind.CORRECTION_USED, LineKind.YEAR_USED})


class LineUnit(models.TextChoices):
    PROMPT = "prompt", pgettext_lazy("not from a cache", "tokens read")
    CACHED = "cached", _("tokens from a cache")
    COMPLETION = "completion", _("tokens written")
    EMBEDDING = "embedding", _("tokens of embeddings")
    AUDIO = "audio", _("seconds of audio")
    IMAGE = "image", _("images")


class PeriodState(models.TextChoices):
    """Of a month of the accounts."""

    OPEN = "open", _("open")
    GRACE = "grace", pgettext_lazy("statement", "draft")
    CLOSED = "closed", _("closed")


PERIOD_TRANSITIONS: Transitions[PeriodState] = {
    PeriodState.OPEN: frozenset({PeriodState.GRACE}),
    PeriodState.GRACE: frozenset({PeriodState.CLOSED}),
    PeriodState.CLOSED: frozenset(),
}


class VatStatus(models.TextChoices):
    """What value-added tax makes of what an institution is billed: its own word, the federation advises nobody."""

    EXEMPT = "exempt_261b", _("exempt: art. 261 B of the French tax code")
    OUTSIDE = "outside_scope", _("not taxable for what it uses: art. 261 B as well")
    TAXABLE = "taxable", _("taxable")
    UNKNOWN = "unknown", _("not known yet")


class InvoiceKind(models.TextChoices):
    """UNTDID 1001."""

    INVOICE = "380", _("invoice")
    CREDIT_NOTE = "381", _("credit note")


class ContestState(models.TextChoices):
    """Of what an institution says against a line of its statement."""

    OPEN = "open", _("to be answered")
    UPHELD = "upheld", _("upheld")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


CONTEST_TRANSITIONS: Transitions[ContestState] = {
    ContestState.OPEN: frozenset(
        {ContestState.UPHELD, ContestState.REJECTED, ContestState.WITHDRAWN}
    ),
    ContestState.UPHELD: frozenset(),
    ContestState.REJECTED: frozenset(),
    ContestState.WITHDRAWN: frozenset(),
}


class DocumentKind(models.TextChoices):
    """What an institution is handed about its accounts."""

    STATEMENT = "statement", _("statement")
    CREDIT_NOTE = "credit_note", _("credit note")
    TRUE_UP = "true_up", _("adjustment of a year")


BUDGET_SCOPE_LABELS = {
    BudgetScope.KEY.value: _("a key"),
    BudgetScope.APPLICATION.value: _("an application"),
    BudgetScope.PERSON.value: _("a person"),
    BudgetScope.INSTITUTION.value: _("an institution"),
    BudgetScope.MODEL.value: _("a model"),
    BudgetScope.FEDERATION.value: _("the whole federation"),
}

BUDGET_UNIT_LABELS = {
    BudgetUnit.NANO_EUROS.value: _("euros"),
    BudgetUnit.TOKENS.value: _("tokens"),
    BudgetUnit.REQUESTS.value: _("requests"),
}


class BudgetWindow(models.TextChoices):
    """In what time a budget is used up; calendar ones begin at midnight in Paris, the others move by the hour."""

    LAST_DAY = "last-day", _("in any 24 hours")
    LAST_MONTH = "last-month", _("in any 30 days")
    DAY = "day", _("each day")
    WEEK = "week", _("each week")
    MONTH = "month", _("each month")
    YEAR = "year", _("each year")
    LIFE = "life", _("once and for all")


class BudgetLevel(models.IntegerChoices):
    """Who holds a budget: those of this level, or of a higher one, change it."""

    OWNER = 1, _("who manages the application")
    INSTITUTION = 2, _("the institution")
    FEDERATION = 3, _("the federation")


class RequestState(models.TextChoices):
    """Of a request to raise a budget."""

    OPEN = "open", pgettext_lazy("request", "open")
    GRANTED = "granted", _("raised for good")
    RAISED = "raised", _("raised for a time")
    DECLINED = "declined", pgettext_lazy("request", "declined")
    WITHDRAWN = "withdrawn", pgettext_lazy("request", "withdrawn")
    ENDED = "ended", _("raised for a time that is over")


REQUEST_TRANSITIONS: Transitions[RequestState] = {
    RequestState.OPEN: frozenset(
        {
            *(RequestState.GRANTED, RequestState.RAISED),
            *(RequestState.DECLINED, RequestState.WITHDRAWN),
        }
    ),
    RequestState.GRANTED: frozenset(),
    RequestState.RAISED: frozenset({RequestState.ENDED}),
    RequestState.DECLINED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
    RequestState.ENDED: frozenset(),
}
