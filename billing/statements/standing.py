"""How an institution's statement stands: in draft, contested, accepted by somebody, or because time has passed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from billing.enums import PeriodState
from billing.models import ACCOUNTANTS, Acceptance, AccountingPeriod, Contest, Statement
from billing.periods import PARIS, paris_today
from billing.statements.statement import Draft
from federation.people.models import User

TACIT_DAYS = 30
"""Days after the closing in which a line can be contested; then the statement is accepted."""


@dataclass(frozen=True)
class Standing:
    state: PeriodState
    acceptance: Acceptance | None
    open_contests: int
    tacit_on: date | None
    """The day from which it counts as accepted, unless a line is contested then; None before it is closed."""

    @property
    def is_tacit(self) -> bool:
        return (
            self.acceptance is None
            and not self.open_contests
            and self.tacit_on is not None
            and self.tacit_on <= paris_today()
        )

    @property
    def is_final(self) -> bool:
        """Whether there is nothing more to say: it is closed, and accepted in either way."""
        is_closed = self.state is PeriodState.CLOSED
        return is_closed and not self.open_contests and bool(self.acceptance or self.is_tacit)

    @property
    def may_be_answered(self) -> bool:
        """Whether a line may be contested, or all of it accepted."""
        return self.state is not PeriodState.OPEN and not self.is_final


def standings(period: AccountingPeriod, drafts: Sequence[Draft]) -> list[Standing]:
    """Return how each of these statements of a month stands, in their order."""
    institutions = [draft.institution for draft in drafts]
    asked = {"month": period.month, "institution__in": institutions}
    accepted = {
        (each.institution_id, each.lines_hash): each
        for each in Acceptance.objects.filter(**asked).select_related("accepted_by")
    }
    waiting = Counter(
        Contest.objects.waiting().filter(**asked).values_list("institution_id", flat=True)
    )
    return [
        Standing(
            PeriodState(period.state),
            accepted.get((draft.institution.pk, draft.lines_hash)),
            waiting[draft.institution.pk],
            tacit_day(period),
        )
        for draft in drafts
    ]


def standing_of(period: AccountingPeriod, draft: Draft) -> Standing:
    return standings(period, [draft])[0]


def statements_to_answer(user: User) -> QuerySet[Statement]:
    """Return the closed statements of whom `user` speaks for that are neither accepted nor accepted by time."""
    accepted = Acceptance.objects.filter(
        institution=OuterRef("institution"),
        month=OuterRef("period_id"),
        lines_hash=OuterRef("lines_hash"),
    )
    since = timezone.now() - timedelta(days=TACIT_DAYS)
    own = Statement.objects.filter(institution__in=user.institution_ids(*ACCOUNTANTS))
    return own.filter(~Exists(accepted), period__closed_at__gte=since)


def tacit_day(period: AccountingPeriod) -> date | None:
    if period.closed_at is None:
        return None
    return period.closed_at.astimezone(PARIS).date() + timedelta(days=TACIT_DAYS)
