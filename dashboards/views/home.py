"""The first page: what the federation is, or what the person signed in may do next."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.critical import concerning
from dashboards.welcome import RECENT_DAYS, numbers, welcome
from federation.access.snippets import base_url
from federation.people.models import User
from routing.bridge.load import current_load


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if isinstance(request.user, User):
        context = {
            "welcome": welcome(request.user),
            "critical": concerning(request.user, current_load()),
            "base_url": base_url(),
            "days": RECENT_DAYS,
        }
        return render(request, "dashboards/home.html", context)
    return render(request, "dashboards/visitor.html", {"numbers": numbers(), "days": RECENT_DAYS})
