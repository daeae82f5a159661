"""The certificates of a server's page: whom the router trusts there, and what it shows of itself."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.fleet.certificates import described
from federation.fleet.forms.pem import AuthoritiesForm, IdentityForm
from federation.fleet.models import ClientCertificate, InferenceServer
from federation.fleet.operations.certificates import (
    certificates_of,
    remove_certificate,
    show_certificate,
    trust_authorities,
)
from federation.fleet.operations.runs import request_run
from federation.fleet.policies import check_manage_server
from federation.fleet.views.reports import visible_server
from federation.people.guards import confirm_first, is_confirmed, must_confirm, signed_in
from federation.people.models import User
from federation.seen import SeenField


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def certificates(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Put others in the place of the present ones, or none, and look at once whether the server is reached."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    step = request.POST.get("step", "")
    sent = (request.POST, request.FILES)
    authorities = AuthoritiesForm(*(sent if step == "trust" else ()))
    identity = IdentityForm(*(sent if step == "show" else ()))
    typed = {"trust": authorities, "show": identity}.get(step)
    if typed is None and must_confirm(request):
        return confirm_first(request, request.get_full_path())
    if typed is None or is_confirmed(request, typed):
        seen = request.POST.get("seen", "")
        try:
            if _written(user, server, step, authorities, identity, seen=seen):
                request_run(by=user, server=server)
                messages.success(request, _("In force within a second. The checks begin."))
                return redirect("server_report", server_id)
        except ValidationError as refusal:
            if typed is None:
                messages.error(request, " ".join(refusal.messages))
            else:
                typed.add_error(None, refusal.messages)
    current = ClientCertificate.objects.current().filter(server=server).first()
    context = {
        "server": server,
        "seen": SeenField(certificates_of(server)).initial,
        "authorities": authorities,
        "identity": identity,
        "trusted": described(server.ca_bundle),
        "shown": described(current.chain) if current else [],
    }
    return render(request, "fleet/certificates.html", context)


def _written(
    user: User,
    server: InferenceServer,
    step: str,
    authorities: AuthoritiesForm,
    identity: IdentityForm,
    *,
    seen: str,
) -> bool:
    """Say whether something was changed; a form that was refused says why itself."""
    match step:
        case "trust" if authorities.is_valid():
            text = authorities.cleaned_data["authorities"]
            trust_authorities(by=user, server=server, authorities=text, seen=seen)
        case "show" if identity.is_valid():
            shown = identity.cleaned_data["shown"]
            show_certificate(by=user, server=server, shown=shown, seen=seen)
        case "distrust":
            trust_authorities(by=user, server=server, authorities="", seen=seen)
        case "hide":
            remove_certificate(by=user, server=server, seen=seen)
        case _:
            return False
    return True
