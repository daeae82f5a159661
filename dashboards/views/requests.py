"""One request: when it waited, where it went and why there, what it used. Never what was asked or answered."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.models import USAGE_SOURCE_LABELS
from billing.periods import last_days
from billing.usage.footprint import of_request
from billing.usage.stories import find_request, story_of
from dashboards.forms import DEFAULT_DAYS, FindForm
from dashboards.stories import explained, timeline
from federation.access.enums import ROUTING_MODE_LABELS
from federation.catalogue.enums import STRATEGY_LABELS
from federation.people.guards import signed_in


@require_safe
@login_required
def request_page(request: HttpRequest, request_id: UUID) -> HttpResponse:
    story = story_of(signed_in(request), request_id)
    if story is None:
        raise Http404(_("No request of yours has this identifier."))
    last = next((each.explanation for each in reversed(story.tries) if each.explanation), None)
    context = {
        "call": story.request,
        "footprint": of_request(story.request),
        "batch": story.request.batch_milli / 1_000,
        "pue": story.request.pue_milli / 1_000,
        "waited_ms": story.waited_ms,
        "attempts": explained(story),
        "steps": timeline(story),
        "mode": ROUTING_MODE_LABELS[last.mode] if last else "",
        "strategy": STRATEGY_LABELS[last.strategy] if last else "",
        "source": USAGE_SOURCE_LABELS[story.request.usage_source],
    }
    return render(request, "dashboards/request.html", context)


@require_safe
@login_required
def find(request: HttpRequest) -> HttpResponse:
    """Go to the request of an identifier: ours, or one that the client gave in the last days."""
    form = FindForm(request.GET)
    found = None
    if form.is_valid():
        asked = form.cleaned_data["id"]
        found = find_request(signed_in(request), asked, last_days(DEFAULT_DAYS))
    if found is None:
        messages.warning(request, _("No request of yours has this identifier."))
        return redirect("usage")
    return redirect("request", request_id=found)
