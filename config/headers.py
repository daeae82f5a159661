"""Headers that every page carries: the content security policy and its companions."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# `data:` and `blob:` images are Plotly's; nothing inline, nothing from elsewhere.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

ACCOUNT = "/account/"
"""Pages that show secrets of one-time codes, recovery codes, addresses: no browser and no proxy keeps them."""


class SecurityHeaders:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        if request.path.startswith(ACCOUNT):
            response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=()"
        )
        return response
