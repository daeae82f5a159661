"""Where anybody hands in a key that was found somewhere: a page for people, an address for programs.

The answer is the same whatever was handed in, and nothing of it is kept, logged or shown again.
"""

import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from federation.access.keyring import MOST_TEXT, report_leak
from federation.access.upkeep_forms import LeakForm
from federation.people.throttle import SECONDS, may_go_on

ACTION = "leak"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("text")
def leak_page(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, LeakForm())
    if not may_go_on(request, ACTION):
        return _too_many(_page(request, LeakForm(), busy=True))
    form = LeakForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    report_leak(text=form.cleaned_data["text"])
    return _page(request, LeakForm(), done=True)


@require_POST
@csrf_exempt
@never_cache
def leak_endpoint(request: HttpRequest) -> HttpResponse:
    """`{"text": "…"}`, or plain text: 202 whatever it holds. It acts for nobody, so no cookie is looked at."""
    if not may_go_on(request, ACTION):
        return _too_many(
            JsonResponse(
                {
                    "error": _("Too many reports: try again in %(count)s seconds.")
                    % {"count": SECONDS}
                }
            )
        )
    text = _text_of(request)
    if text is None:
        told = {"error": _("Send the text in which the key was found, as text or as JSON: {}.")}
        told["error"] = told["error"].format('{"text": "…"}')
        return JsonResponse(told, status=400)
    report_leak(text=text)
    return JsonResponse(
        {"message": _("Thank you. If a key of ours is among it, it has been revoked.")}, status=202
    )


def _page(request: HttpRequest, form: LeakForm, **said: bool) -> HttpResponse:
    context = {"form": form, "public_url": settings.PUBLIC_URL, **said}
    return render(request, "access/leak.html", context)


def _text_of(request: HttpRequest) -> str | None:
    """Return the text handed in, None when there is none, or more than is looked at."""
    if len(request.body) > 4 * MOST_TEXT:
        return None
    try:
        text = request.body.decode()
        if request.content_type == "application/json":
            text = json.loads(text)["text"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return text if isinstance(text, str) and 0 < len(text) <= MOST_TEXT else None


def _too_many(response: HttpResponse) -> HttpResponse:
    response.status_code = 429
    response.headers["Retry-After"] = str(SECONDS)
    return response
