"""Pages for what went wrong, in the reader's language. The first and the last need no database."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from dashboards.context import site_facts
from federation.people.throttle import SECONDS


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Without the request's context: it may have been refused before anybody was looked up."""
    return HttpResponse(render_to_string("errors/400.html", site_facts()), status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was open too long, or the browser keeps no cookies."""
    return render(request, "errors/403_csrf.html", status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


class WrongMethodPage:
    """Whoever opens an address that only takes what a form sends gets a page with a way on, not an empty one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_browser = "text/html" in request.headers.get("Accept", "")
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or not is_browser:
            return response
        page = render(request, "errors/405.html", status=HTTPStatus.METHOD_NOT_ALLOWED)
        page.headers["Allow"] = response.headers["Allow"]
        return page


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Whoever tries too often, by the limits in the settings: their windows are a minute, but for a few of ten."""
    response = render(request, "errors/429.html", status=429)
    response.headers["Retry-After"] = str(SECONDS)
    response.headers["Cache-Control"] = "no-store"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Without the request's context: who asks is looked up in the database, which may be what failed."""
    return HttpResponse(render_to_string("errors/500.html", site_facts()), status=500)
