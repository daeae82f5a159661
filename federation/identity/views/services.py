"""Whom the federation believes, for its administrators: federations, services, and whose people they are."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.identity.enums import Protocol
from federation.identity.forms.services import LinkForm, OidcForm, SourceForm
from federation.identity.metadata import Fault, Skipped
from federation.identity.models import MetadataSource, SignInService
from federation.identity.operations import (
    end_service,
    end_source,
    open_to_students,
    refresh_source,
)
from federation.identity.policies import (
    can_keep_services,
    can_open_to_students,
    check_keep_services,
)
from federation.identity.saml.views import our_entity_id
from federation.identity.views.discovery import LONGEST_QUERY
from federation.identity.words import FAULTS, SKIPPED
from federation.people.enums import Role
from federation.people.guards import freshly_confirmed, signed_in
from federation.people.models import User
from federation.people.scope import sees_everything

PAGE = 50


@require_safe
@login_required
def services(request: HttpRequest) -> HttpResponse:
    """Federations with what was read of them, services that are linked, and others by a few letters."""
    user = _reader(request)
    query = " ".join(request.GET.get("q", "").split())[:LONGEST_QUERY]
    rows = SignInService.objects.usable().select_related("institution", "source")
    if not sees_everything(user):
        rows = rows.filter(institution__in=user.institution_ids(Role.MEMBER_DSI))
    elif query:
        named = Q(names__fr__icontains=query) | Q(names__en__icontains=query)
        rows = rows.filter(named | Q(scopes__icontains=query) | Q(service_id__icontains=query))
    else:
        rows = rows.filter(Q(institution__isnull=False) | ~Q(protocol=Protocol.SAML))
    context = {
        "sources": [_told(source) for source in MetadataSource.objects.for_user(user)],
        "page": Paginator(rows.order_by("names__fr", "service_id"), PAGE).get_page(
            request.GET.get("page")
        ),
        "query": query,
        "may_keep": can_keep_services(user),
        "entity_id": our_entity_id(),
    }
    return render(request, "identity/services.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def new_source(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_keep_services(user)
    form = SourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (source := form.save(user)):
        _refresh(request, user, source)
        return redirect("sign_in_services")
    return render(request, "identity/new_source.html", {"form": form})


@require_POST
@login_required
def refresh(request: HttpRequest, source_id: UUID) -> HttpResponse:
    user = signed_in(request)
    check_keep_services(user)
    _refresh(request, user, get_object_or_404(MetadataSource.objects.for_user(user), pk=source_id))
    return redirect("sign_in_services")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def stop_source(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Ask whether it is meant, then believe a federation no longer."""
    user = signed_in(request)
    check_keep_services(user)
    source = get_object_or_404(MetadataSource.objects.for_user(user), pk=source_id)
    if request.method == "POST":
        try:
            end_source(by=user, source=source)
            messages.success(request, _("Nobody signs in by its services any more."))
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
        return redirect("sign_in_services")
    count = source.services.usable().count()
    return render(request, "identity/stop_source.html", {"source": source, "count": count})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def new_oidc_service(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_keep_services(user)
    form = OidcForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (service := form.save(user)):
        messages.success(request, _("People can sign in by it now. Say whose people they are."))
        return redirect("sign_in_service", service.pk)
    return render(request, "identity/new_oidc_service.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def service_page(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """One service: whose people it vouches for, whether students come in, and its end."""
    user = _reader(request)
    service = get_object_or_404(
        SignInService.objects.usable().select_related("institution", "source"), pk=service_id
    )
    may_keep, may_open = can_keep_services(user), can_open_to_students(user, service)
    if not (may_keep or may_open or sees_everything(user)):
        raise PermissionDenied
    form = LinkForm(request.POST if "link" in request.POST else None, service=service)
    if request.method == "POST" and _written(request, user, service, form):
        return redirect("sign_in_services") if "end" in request.POST else redirect(request.path)
    context = {
        "service": service,
        "form": form if may_keep else None,
        "may_open": may_open,
        "may_end": may_keep and service.protocol != Protocol.SAML,
        "callback": callback_of(service),
    }
    return render(request, "identity/service.html", context)


def callback_of(service: SignInService) -> str:
    """Return the address for an OpenID provider's answers, as it is registered there."""
    if not service.slug:
        return ""
    return f"{settings.PUBLIC_URL}{reverse('openid_connect_callback', args=[service.slug])}"


def _written(request: HttpRequest, user: User, service: SignInService, form: LinkForm) -> bool:
    """Do what was asked for; whether it is done, or was refused in words."""
    try:
        if "students" in request.POST:
            open_to_students(by=user, service=service, is_open=request.POST["students"] == "yes")
        elif "end" in request.POST:
            end_service(by=user, service=service)
        elif not form.is_valid():
            return False
        else:
            form.save(user)
        messages.success(request, _("It holds from the next sign-in on."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return True


def _refresh(request: HttpRequest, user: User, source: MetadataSource) -> None:
    try:
        read = refresh_source(by=user, source=source)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return
    if read.failure:
        messages.error(
            request, f"{_('Its metadata is not believed:')} {FAULTS[Fault(read.failure)]}"
        )
    else:
        told = _("%(count)s services were read.") % {"count": read.found}
        messages.success(request, told)


def _told(source: MetadataSource) -> dict[str, object]:
    skipped = [(SKIPPED[Skipped(reason)], count) for reason, count in source.skipped.items()]
    failure = FAULTS[Fault(source.failure)] if source.failure else ""
    return {"source": source, "failure": failure, "skipped": skipped}


def _reader(request: HttpRequest) -> User:
    """Whoever answers for the federation, or for an institution's IT."""
    user = signed_in(request)
    if not (sees_everything(user) or user.institution_ids(Role.MEMBER_DSI)):
        raise PermissionDenied
    return user
