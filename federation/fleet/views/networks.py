"""Private networks of sites: who is let in where, another one asked for, and what the federation answers."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.fleet.enums import SiteGrantState
from federation.fleet.forms.networks import AnswerForm, NetworkForm
from federation.fleet.models import SiteEgressGrant
from federation.fleet.operations.networks import (
    allow_site_egress,
    ask_site_egress,
    decline_site_egress,
    withdraw_site_egress,
)
from federation.fleet.policies import can_withdraw_site_egress
from federation.fleet.queries import reached_through, sites_to_ask_for
from federation.people.enums import Role
from federation.people.guards import confirm_first, is_confirmed, must_confirm, signed_in
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin

MOST_SHOWN = 200


@require_safe
@login_required
def networks(request: HttpRequest) -> HttpResponse:
    """What is asked for, what is in force, and what has ended."""
    user = _concerned(request)
    rows = SiteEgressGrant.objects.for_user(user).select_related("site__institution")
    states = {
        SiteGrantState.ASKED: pgettext("networks", "asked for"),
        SiteGrantState.GRANTED: _("in force"),
    }
    groups = [(heading, rows.filter(state=state)) for state, heading in states.items()]
    context = {
        "groups": groups,
        "ended": rows.exclude(state__in=states)[:MOST_SHOWN],
        "may_ask": sites_to_ask_for(user).exists(),
        "decides": is_federation_admin(user),
    }
    return render(request, "fleet/networks.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_network(request: HttpRequest) -> HttpResponse:
    """Ask for a network, or let the router into one at once when one decides oneself."""
    user = _concerned(request)
    sites = sites_to_ask_for(user)
    if not sites.exists():
        raise PermissionDenied
    decides = is_federation_admin(user)
    if request.method != "POST" and decides and must_confirm(request):
        return confirm_first(request, request.get_full_path())
    form = NetworkForm(request.POST or None, sites=sites, initial={"site": request.GET.get("site")})
    sent = request.method == "POST" and form.is_valid()
    if sent and (not decides or is_confirmed(request, form)):
        try:
            grant = ask_site_egress(by=user, site=form.cleaned_data["site"], wish=form.wish())
        except ValidationError as refusal:
            _show(form, refusal)
        else:
            messages.success(request, _said(grant))
            return redirect("site_network", grant.pk)
    context = {"form": form, "decides": decides}
    return render(request, "fleet/new_network.html", context)


@require_safe
@login_required
def site_network(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """One network: which servers are reached through it, and what may be done about it."""
    return _page(request, _visible(request, grant_id), AnswerForm())


@require_POST
@login_required
def decide_network(request: HttpRequest, grant_id: UUID, step: str) -> HttpResponse:
    """Let the router in, decline, or end it."""
    user, grant = signed_in(request), _visible(request, grant_id)
    if step == "allow" and is_federation_admin(user) and must_confirm(request):
        return confirm_first(request, reverse("site_network", args=[grant_id]))
    form = AnswerForm(request.POST if step == "decline" else None)
    if step == "decline" and not form.is_valid():
        return _page(request, grant, form)
    try:
        match step:
            case "allow":
                grant = allow_site_egress(by=user, grant=grant)
            case "decline":
                answer = form.cleaned_data["answer"]
                grant = decline_site_egress(by=user, grant=grant, answer=answer)
            case _:
                grant = withdraw_site_egress(by=user, grant=grant)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, _said(grant))
    return redirect("site_network", grant_id)


def _page(request: HttpRequest, grant: SiteEgressGrant, form: Form) -> HttpResponse:
    user = signed_in(request)
    asks = holds(user, grant.site.institution_id, Role.MEMBER_DSI)
    context = {
        "grant": grant,
        "form": form,
        "servers": reached_through(grant),
        "may_decide": grant.state == SiteGrantState.ASKED and is_federation_admin(user),
        "may_withdraw": (asks and grant.state == SiteGrantState.ASKED)
        or (grant.state == SiteGrantState.GRANTED and can_withdraw_site_egress(user, grant)),
    }
    return render(request, "fleet/network.html", context)


def _said(grant: SiteEgressGrant) -> str:
    match grant.state:
        case SiteGrantState.ASKED:
            return _("The federation has your request, and answers by e-mail.")
        case SiteGrantState.GRANTED:
            return _("The router is let in within a second. Run the checks of the servers again.")
        case SiteGrantState.DECLINED:
            return _("It is declined; the institution is told.")
    return _("It is withdrawn: within a second the router no longer connects there.")


def _concerned(request: HttpRequest) -> User:
    """Return the reader when networks are their affair: the federation's, or an IT department's."""
    user = signed_in(request)
    if not (user.sees_everything or user.institution_ids(Role.MEMBER_DSI)):
        raise PermissionDenied
    return user


def _visible(request: HttpRequest, grant_id: UUID) -> SiteEgressGrant:
    rows = SiteEgressGrant.objects.for_user(_concerned(request))
    return get_object_or_404(
        rows.select_related("site__institution", "asked_by", "decided_by"), pk=grant_id
    )


def _show(form: NetworkForm, refusal: ValidationError) -> None:
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal.messages)
        return
    for name, texts in refusal.message_dict.items():
        form.add_error(name if name in form.fields else None, texts)
