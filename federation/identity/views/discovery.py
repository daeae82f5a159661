"""Where people choose by whom they sign in: their institution, found by its name or a domain."""

from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe

from federation.identity.enums import Protocol
from federation.identity.models import SignInService, SignInServiceQuerySet
from federation.identity.saml.views import FEDERATION
from federation.people.guards import signed_in

REMEMBERED = "sign_in_service"
REMEMBERED_FOR = 365 * 24 * 3600
PAGE, LONGEST_QUERY = 20, 100


class Offered(NamedTuple):
    service: SignInService
    address: str


@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """All services by name, or those that a few letters find; the one chosen last stands first.

    A federation's own discovery comes back here with `entityID`, and goes on to that one.
    """
    then = _then(request)
    if entity_id := request.GET.get("entityID"):
        found = SignInService.objects.usable().filter(service_id=entity_id).first()
        if found:
            return redirect(address_of(found, then))
    query = " ".join(request.GET.get("q", "").split())[:LONGEST_QUERY]
    services = _found(SignInService.objects.shown(), query)
    page = Paginator(services, PAGE).get_page(request.GET.get("page"))
    last = SignInService.objects.usable().filter(pk__in=_remembered(request)).first()
    context = {
        "query": query,
        "page": page,
        "offered": [Offered(each, _choosing(each, then)) for each in page],
        "last": Offered(last, _choosing(last, then)) if last and not query else None,
        "then": then,
    }
    return render(request, "identity/sign_in.html", context)


@require_safe
def choose(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """Remember a choice in the browser, and go there."""
    service = SignInService.objects.usable().filter(pk=service_id).first()
    if service is None:
        return redirect("sign_in")
    answer = redirect(address_of(service, _then(request)))
    answer.set_cookie(
        REMEMBERED,
        str(service.pk),
        max_age=REMEMBERED_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return answer


@require_safe
@login_required
def sign_in_again(request: HttpRequest) -> HttpResponse:
    """Have somebody without a password or a second factor confirm by their service that it is them."""
    names = SocialAccount.objects.filter(user=signed_in(request)).values("provider")
    service = (
        SignInService.objects.usable()
        .filter(Q(service_id__in=names) | Q(slug__in=names))
        .exclude(service_id="")
        .first()
    )
    if service is None:
        return redirect("account_login")
    return redirect(f"{address_of(service, _then(request))}&again=1")


def address_of(service: SignInService, then: str = "") -> str:
    """Return where a sign-in by this service begins."""
    asked = {"next": then} if then else {}
    if service.protocol == Protocol.SAML:
        asked = {"idp": service.service_id, **asked}
        return f"{reverse('saml_login', args=[FEDERATION])}?{urlencode(asked)}"
    return f"{reverse('openid_connect_login', args=[service.slug])}?{urlencode(asked)}"


def _found(services: SignInServiceQuerySet, query: str) -> SignInServiceQuerySet:
    """Find each word in a name or a domain."""
    for word in query.split():
        services = services.filter(
            Q(names__fr__icontains=word)
            | Q(names__en__icontains=word)
            | Q(scopes__icontains=word)
            | Q(service_id__icontains=word)
        )
    return services.order_by("names__fr", "names__en", "service_id")


def _choosing(service: SignInService, then: str) -> str:
    asked = f"?{urlencode({'next': then})}" if then else ""
    return f"{reverse('choose_service', args=[service.pk])}{asked}"


def _then(request: HttpRequest) -> str:
    then = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(then, {request.get_host()}, request.is_secure())
    return then if is_ours and len(then) <= 2000 else ""


def _remembered(request: HttpRequest) -> list[UUID]:
    try:
        return [UUID(request.COOKIES.get(REMEMBERED, ""))]
    except ValueError:
        return []
