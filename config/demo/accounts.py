"""Accounts of the demonstration that are alive: closed months, a contested line, credit notes, a year that is settled.

Made once, through the operations; what somebody has done with them since stays.
"""

from datetime import date

from django.db.models import Sum

from billing.enums import LineKind
from billing.models import AccountingPeriod, AccountMonth, Contest, Statement
from billing.operations.contests import (
    Remedy,
    accept_statement,
    contest_line,
    uphold_contest,
)
from billing.operations.ledger import grant
from billing.operations.months import close_month, draft_month
from billing.operations.years import post_true_up, set_cost_pool
from billing.periods import paris_today
from billing.statements.statement import Line, kept, keys_of
from config.demo.building import BY
from config.demo.members import ACCOUNTS
from federation.journal.actors import Actor
from federation.members.models import Institution
from federation.people.models import User

GRANT_NANO = 5 * 10**9
GRANT_REASON = "Deux jours d’ingénierie pour l’entrepôt de modèles."
RENNES_CONTESTS = "Nos essais de charge du 12 y figurent\u00a0: ils devaient rester gratuits."
ORLEANS_CONTESTS = "Une classe a envoyé trois fois le même corpus, après des réponses coupées."
ANSWER = "Les journaux le confirment\u00a0: un tiers de la ligne est rendu."
EVIDENCE = "Comptes arrêtés au 31 janvier, visés par le comité."
COSTS_PERCENT = 112
"""What the year cost in all, of what its provisional prices had billed."""
LEAST_COSTS_CENTS = 100


def keep_accounts() -> None:
    if AccountingPeriod.objects.exists():
        return
    grant(by=BY, institution=_institution("cotedazur"), amount_nano=GRANT_NANO, reason=GRANT_REASON)
    months = _months_that_are_over()
    for month in months:
        draft_month(by=BY, month=month)
        close_month(by=BY, month=month)
    if months[0].year < months[-1].year:
        _settle(months[0].year)
    _be_answered(months[-1])


def _months_that_are_over() -> list[date]:
    booked = AccountMonth.objects.filter(month__lt=paris_today().replace(day=1)).order_by("month")
    return list(booked.values_list("month", flat=True).distinct())


def _settle(year: int) -> None:
    statements = Statement.objects.filter(period__month__year=year)
    if statements.exists():
        billed: int = statements.aggregate(cents=Sum("used_cents"))["cents"]
        costs = max(billed * COSTS_PERCENT // 100, LEAST_COSTS_CENTS)
        pool = set_cost_pool(by=BY, year=year, amount_cents=costs, evidence=EVIDENCE)
        post_true_up(by=BY, pool=pool)


def _be_answered(month: date) -> None:
    """Strasbourg accepts its statement, Orléans is right about a line, and what Rennes says waits for an answer."""
    of_strasbourg = _statement("strasbourg", month)
    accept_statement(
        by=BY,
        institution=of_strasbourg.institution,
        month=month,
        lines_hash=of_strasbourg.lines_hash,
    )
    contest, line = _contest(BY, "orleans", month, ORLEANS_CONTESTS)
    other = Institution.objects.get(name=line.other_name)
    uphold_contest(
        by=BY,
        contest=contest,
        answer=ANSWER,
        remedy=Remedy(amount_nano=line.exact_nano // 3, other=other),
    )
    plan = next(account for account in ACCOUNTS if account.reference == "rennes_dsi")
    _contest(User.objects.get(email=plan.email), "rennes", month, RENNES_CONTESTS)


def _contest(by: Actor, slug: str, month: date, reason: str) -> tuple[Contest, Line]:
    """Contest the dearest line of what an institution used."""
    statement = _statement(slug, month)
    lines = kept(statement).lines
    used = [
        pair for pair in zip(lines, keys_of(lines), strict=True) if pair[0].kind is LineKind.USED
    ]
    line, key = max(used, key=lambda pair: pair[0].exact_nano)
    contest = contest_line(
        by=by, institution=statement.institution, month=month, line_key=key, reason=reason
    )
    return contest, line


def _statement(slug: str, month: date) -> Statement:
    return Statement.objects.select_related("institution").get(
        institution__slug=slug, period_id=month
    )


def _institution(slug: str) -> Institution:
    return Institution.objects.get(slug=slug)
