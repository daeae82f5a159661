"""What is known of oneself, as a page and a file; and the register of what is done with people's data."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboards.personal.export import MOST_ROWS, pieces
from dashboards.personal.register import COLUMNS, forgotten, kept, officers, runs
from federation.people.guards import confirm_first, must_confirm, signed_in
from federation.people.operations import note_export
from federation.sheets import streamed, table_lines

JSON = "application/json; charset=utf-8"
MOST_RUNS = 50_000


@require_safe
@login_required
def my_data(request: HttpRequest) -> HttpResponse:
    signed_in(request)
    return render(request, "dashboards/my_data.html", {"most_rows": MOST_ROWS})


@require_POST
@login_required
@never_cache
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The file of everything, for whoever has just confirmed who they are; the journal keeps that it was asked for."""
    user = signed_in(request)
    if must_confirm(request):
        return confirm_first(request, reverse("my_data"))
    note_export(user=user)
    now = timezone.now()
    return streamed(pieces(user, now), f"my-data_{timezone.localdate(now)}.json", JSON)


@require_safe
@login_required
def register(request: HttpRequest) -> HttpResponse:
    """The register of processing (article 30 of the GDPR), for everybody whose data it is about."""
    user = signed_in(request)
    context = {
        "kept": kept(),
        "officers": officers(user),
        "answers_for_it": user.sees_everything,
        "forgotten": forgotten(user),
    }
    return render(request, "dashboards/personal_data.html", context)


@require_safe
@login_required
def forgotten_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every run of the jobs that forget, for those who answer for it."""
    user = signed_in(request)
    if not user.sees_everything:
        raise PermissionDenied
    lines = table_lines(COLUMNS, runs(user, MOST_RUNS), get_language() or "")
    return streamed(lines, f"forgotten_{timezone.localdate()}.csv")
