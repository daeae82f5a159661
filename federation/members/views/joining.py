"""What joining means, and the charter: pages that anybody may read."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from federation.members.enums import TextKind
from federation.members.markup import filled
from federation.members.operations.texts import accept_charter
from federation.members.queries import current_text, has_accepted_charter
from federation.members.views import tell_refused
from federation.people.guards import signed_in
from federation.people.models import User


@require_safe
def join(request: HttpRequest) -> HttpResponse:
    """Who can join, what it takes, how it goes."""
    return render(request, "members/join.html")


@require_http_methods(["GET", "HEAD", "POST"])
def charter(request: HttpRequest) -> HttpResponse:
    """The charter in force; who has an account may accept it, and goes on where they came from."""
    if request.method == "POST":
        return _accept(request)
    text = current_text(TextKind.CHARTER)
    user = request.user
    context = {
        "version": text,
        "blocks": filled(text.text, {"federation": settings.SITE_NAME}),
        "may_accept": isinstance(user, User) and not has_accepted_charter(user),
        "has_accepted": isinstance(user, User) and has_accepted_charter(user),
        "next": _next(request, request.GET.get("next", "")),
    }
    return render(request, "members/charter.html", context)


@login_required
def _accept(request: HttpRequest) -> HttpResponse:
    number = request.POST.get("number", "")
    try:
        accept_charter(by=signed_in(request), number=int(number) if number.isdecimal() else 0)
    except ValidationError as refusal:
        tell_refused(request, refusal)
        return redirect("charter")
    messages.success(request, _("You have accepted the charter."))
    return redirect(_next(request, request.POST.get("next", "")) or "charter")


def _next(request: HttpRequest, address: str) -> str:
    """Return an address of this site to go on to; none for one that leads elsewhere."""
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours else ""
