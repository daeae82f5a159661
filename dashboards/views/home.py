"""The first page: what the federation is, or what the person signed in may do next."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.critical import concerning, critical_models
from dashboards.decisions import waiting_for
from dashboards.welcome import RECENT_DAYS, numbers, welcome
from federation.access.snippets import base_url
from federation.people.models import User
from federation.people.policies import is_federation_admin
from federation.people.queries import late_mail
from routing.bridge.load import current_load


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if isinstance(request.user, User):
        load = current_load()
        context = {
            "welcome": welcome(request.user),
            "critical": concerning(request.user, load),
            "is_below": any(each.below for each in critical_models(request.user, load)),
            "to_decide": waiting_for(request.user),
            "late_mail": late_mail() if is_federation_admin(request.user) else None,
            "base_url": base_url(),
            "days": RECENT_DAYS,
        }
        return render(request, "dashboards/home.html", context)
    return render(request, "dashboards/visitor.html", {"numbers": numbers(), "days": RECENT_DAYS})
