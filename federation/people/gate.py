"""The gate before every page of those whose role demands a second factor, until this session has shown one.

Open to them meanwhile: what anybody may read, and what leads through. Live pages ask `what_is_missing` themselves.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from federation.people.factors import Missing, what_is_missing
from federation.people.models import User

OPEN = frozenset(
    {
        *("second_factor", "set_language", "demo_mail", "demo_codes"),
        *("accessibility", "doctor", "favicon", "first_admin", "health_portal", "join"),
        *("report_leak", "leak_endpoint", "published_text"),
        *("account_logout", "account_reauthenticate"),
        *("mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
    }
)
OPEN_TO_SET_ONE = ("account_", "mfa_", "usersessions_")
"""Pages of one's account. Closed to a session that has not shown the factor that there is: it could replace it."""


class SecondFactorGate:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, arguments: Any, keywords: Any
    ) -> HttpResponse | None:
        """Let the request through, or answer in its place."""
        name = (request.resolver_match and request.resolver_match.view_name) or ""
        if name in OPEN or not isinstance(request.user, User):
            return None
        missing = what_is_missing(request.user, request.session)
        if missing is None or (missing == Missing.FACTOR and name.startswith(OPEN_TO_SET_ONE)):
            return None
        return _closed(request)


def _closed(request: HttpRequest) -> HttpResponse:
    """Lead a page to where the factor is set or shown; tell a program that it is closed."""
    is_page = request.method in {"GET", "HEAD"}
    fragment = request.headers.get("HX-Current-URL") if "HX-Request" in request.headers else None
    wanted = fragment or (request.get_full_path() if is_page else "")
    address = f"{reverse('second_factor')}?{urlencode({'next': wanted})}"
    if "HX-Request" in request.headers:
        return HttpResponseClientRedirect(address)
    if request.get_preferred_type(["text/html", "application/json"]) == "text/html":
        return redirect(address)
    told = {
        "code": "second_factor_required",
        "error": _("This needs your second factor. Show it on the portal first."),
        "page": address,
    }
    return JsonResponse(told, status=403, headers={"Cache-Control": "no-store"})
