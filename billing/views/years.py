"""A year's exact costs: entered, looked at shared out, posted; then each institution's adjustment."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import tables
from billing.forms.years import CostPoolForm
from billing.models import CostPool, Note, reads_all_accounts
from billing.operations.years import post_true_up
from billing.periods import paris_today
from billing.policies import can_keep_accounts, check_keep_accounts
from billing.statements.years import (
    Settlement,
    Share,
    final_prices,
    settlement_of,
    what_is_missing,
    years,
)
from billing.views.accounts import accountant
from billing.views.files import attached
from billing.views.statements import may_read
from federation.people.guards import freshly_confirmed, signed_in
from federation.people.models import User

COLUMNS = (
    "institution",
    "used_at_provisional_prices_eur",
    "billed_eur",
    "share_of_costs_eur",
    "to_pay_in_addition_eur",
    "paid_for_served_eur",
    "earned_eur",
    "to_receive_in_addition_eur",
)


@require_safe
@login_required
def all_years(request: HttpRequest) -> HttpResponse:
    user = accountant(request)
    pools = {pool.year: pool for pool in CostPool.objects.for_user(user)}
    shown = [(year, pools.get(year), year < paris_today().year) for year in years(user)]
    return render(request, "billing/years.html", {"years": shown})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def year_costs(request: HttpRequest, year: int) -> HttpResponse:
    """How a year's costs are shared out, or would be; and to whoever keeps the accounts, a form to enter them."""
    user = accountant(request)
    pool = CostPool.objects.for_user(user).filter(year=year).first()
    form = CostPoolForm(request.POST or None, year=year, pool=pool)
    if request.method == "POST":
        check_keep_accounts(user)
        if form.is_valid() and form.save(user):
            messages.success(request, _("The costs are entered. Look at how they are shared out."))
            return redirect("year_costs", year)
    is_over = year < paris_today().year
    is_posted = pool is not None and pool.posted_at is not None
    months, waiting = what_is_missing(year)
    settlement = _settlement(pool)
    context = {
        "year": year,
        "pool": pool,
        "form": form if can_keep_accounts(user) and is_over and not is_posted else None,
        "is_over": is_over,
        "is_posted": is_posted,
        "missing_months": months,
        "waiting": waiting,
        "settlement": settlement,
        "reads_all": reads_all_accounts(user),
        "shares": _readable(user, settlement),
        "prices": final_prices(settlement, year) if settlement else (),
        "notes": Note.objects.for_user(user).filter(pool=pool).with_invoices() if pool else (),
    }
    return render(request, "billing/year.html", context)


@require_POST
@login_required
@freshly_confirmed
def post_year(request: HttpRequest, year: int) -> HttpResponse:
    user = signed_in(request)
    check_keep_accounts(user)
    pool = get_object_or_404(CostPool.objects.for_user(user), year=year)
    try:
        post_true_up(by=user, pool=pool, seen_cents=_cents(request.POST.get("seen", "")))
        messages.success(
            request, _("The costs are shared out: every institution has its document.")
        )
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("year_costs", year)


@require_safe
@login_required
def year_file(request: HttpRequest, year: int, ending: str) -> HttpResponse:
    """The shares that the reader may see; 404 while there are no costs of the year."""
    user = accountant(request)
    pool = get_object_or_404(CostPool.objects.for_user(user), year=year)
    settlement = _settlement(pool)
    if settlement is None:
        raise Http404
    rows = _rows(_readable(user, settlement))
    if ending == "xlsx":
        content = tables.workbook(COLUMNS, rows, str(year))
    else:
        content = tables.csv(COLUMNS, rows, get_language() or "")
    return attached(content, ending, f"costs_{year}")


def _settlement(pool: CostPool | None) -> Settlement | None:
    """Return the costs shared out; None without any, and where nobody has used anything."""
    try:
        return settlement_of(pool) if pool else None
    except ValueError:
        return None


def _readable(user: User, settlement: Settlement | None) -> list[Share]:
    shares = settlement.shares if settlement else ()
    return [share for share in shares if may_read(user, share.institution)]


def _rows(shares: list[Share]) -> Iterator[dict[str, Any]]:
    for share in shares:
        values = (
            Decimal(share.billed.used_nano) / 10**9,
            *(
                Decimal(cents) / 100
                for cents in (
                    *(share.billed.billed_cents, share.final_cents, share.owes_cents),
                    *(share.billed.paid_cents, share.earned_cents, share.earns_cents),
                )
            ),
        )
        yield dict(zip(COLUMNS, (share.institution.name, *values), strict=True))


def _cents(text: str) -> int:
    """Return the costs that the page showed; what is no number matches none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
