"""The jobs of a server that comes and goes with them: what holds it now, their tokens, and what a cluster needs."""

from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.fleet.enums import Availability
from federation.fleet.models import InferenceServer, ServerToken, TechnicalForm
from federation.fleet.operations.leases import make_server_token, revoke_server_token
from federation.fleet.policies import check_manage_server
from federation.fleet.views.reports import visible_server
from federation.people.guards import freshly_confirmed, signed_in
from federation.people.models import User

FILES = {"ilaas_job.py": "text/x-python", "serve.sbatch": "text/plain"}
LATEST = 20


@require_safe
@login_required
def jobs(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """What jobs have held the server, and how another one comes to hold it."""
    server = _managed(signed_in(request), server_id)
    form = TechnicalForm.objects.filter(server=server).first()
    context = {
        "server": server,
        "form": form,
        "has_jobs": form is not None and form.availability == Availability.SLURM,
        "held": server.leases.held().order_by("created_at"),
        "leases": server.leases.all()[:LATEST],
        "tokens": server.tokens.in_force(),
        "files": FILES,
        "address": settings.PUBLIC_URL,
    }
    return render(request, "fleet/jobs.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@freshly_confirmed
def new_token(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Ask whether it is meant, then make a token and show it this once."""
    user = signed_in(request)
    server = _managed(user, server_id)
    if request.method != "POST":
        return render(request, "fleet/new_token.html", {"server": server})
    try:
        _token, secret = make_server_token(by=user, server=server)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("server_jobs", server_id)
    context = {"server": server, "text": secret.reveal()}
    answer = render(request, "fleet/token_made.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@require_POST
@login_required
@freshly_confirmed
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    user = signed_in(request)
    visible = ServerToken.objects.for_user(user).select_related("server__site")
    token = get_object_or_404(visible, pk=token_id)
    check_manage_server(user, token.server)
    try:
        revoke_server_token(by=user, token=token)
        messages.success(
            request, _("It is revoked: no job speaks with it any more, and what one held is over.")
        )
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("server_jobs", token.server_id)


@require_safe
@login_required
def job_file(request: HttpRequest, name: str) -> FileResponse:
    """A file of `deploy/slurm/`, as it is."""
    path = Path(settings.ROOT) / "deploy" / "slurm" / name
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=name, content_type=FILES[name]
    )


def _managed(user: User, server_id: UUID) -> InferenceServer:
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    return server
