"""A server's page: its state, its report line by line as it is made, its earlier reports."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from federation.fleet.enums import SERVER_STATE_LABELS
from federation.fleet.forms.upkeep import OfferForm
from federation.fleet.hints import lies_in_private_network
from federation.fleet.models import ConformityRun, InferenceServer, TechnicalForm
from federation.fleet.operations.runs import request_run
from federation.fleet.policies import (
    can_change_server_state,
    can_edit_form,
    can_manage_server,
    check_manage_server,
    is_not_own,
)
from federation.fleet.queries import models_waiting, newest_runs
from federation.fleet.report_words import PLACE_LABELS, Place
from federation.fleet.reports import refused_address, report_lines
from federation.people.guards import signed_in
from federation.people.models import User
from federation.people.policies import is_federation_admin
from routing.core.conformity import Finding, RunKind, Verdict
from routing.core.enums import ServerState

HISTORY = 20


class Link(NamedTuple):
    url: str
    label: str


Links = Mapping[Place | None, Link]


@require_safe
@login_required
def server_report(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """All that there is to know of one server, for its institution and the federation."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    runs, links = newest_runs(server), _mending_links(user, server)
    context = {
        "server": server,
        "state_label": SERVER_STATE_LABELS[server.state],
        "form": TechnicalForm.objects.filter(server=server).select_related("model", "site").first(),
        "deployments": server.deployments.live().select_related("version__model"),
        "reports": [report_context(run, links) for run in runs],
        "history": server.runs.select_related("deployment__version__model")[:HISTORY],
        "waiting": models_waiting(server),
        "offer": OfferForm(),
        "maintenances": server.maintenances.ahead(),
        "pulse": _pulse(server, runs),
        "is_moving": server.state in (ServerState.SUBMITTED, ServerState.STAGING)
        or any(run.is_open for run in runs),
        **_may(user, server, runs),
    }
    return render(request, "fleet/server.html", context)


@require_safe
@login_required
def run_lines(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """A part of the page: the lines that are known, asked for again until the run is over."""
    user = signed_in(request)
    run = _visible_run(user, run_id)
    context = report_context(run, _mending_links(user, run.server))
    return render(request, "fleet/_report.html", context)


@require_safe
@login_required
def pulse(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Asked by the server's page: it is loaded anew once something has happened that it does not show."""
    server = visible_server(signed_in(request), server_id)
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    if request.GET.get("seen") != _pulse(server, newest_runs(server)):
        response = HttpResponse(headers={"HX-Refresh": "true"})
    return response


@require_safe
@login_required
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """An earlier report."""
    user = signed_in(request)
    run = _visible_run(user, run_id)
    context = report_context(run, _mending_links(user, run.server))
    return render(request, "fleet/run.html", {"server": run.server, **context})


@require_POST
@login_required
def run_again(request: HttpRequest, server_id: UUID) -> HttpResponse:
    """Have the server looked at once more: at the model that is named, else at the one whose turn it is."""
    user = signed_in(request)
    server = visible_server(user, server_id)
    check_manage_server(user, server)
    chosen = server.deployments.live().filter(served_name=request.POST.get("model", "")).first()
    request_run(by=user, server=server, deployment=chosen)
    messages.success(request, _("The checks begin. Each line appears as soon as it is known."))
    return redirect("server_report", server_id)


def visible_server(user: User, server_id: UUID) -> InferenceServer:
    """Return a server that `user` may see, or raise 404."""
    visible = InferenceServer.objects.for_user(user).select_related("site__institution")
    return get_object_or_404(visible, pk=server_id)


def report_context(run: ConformityRun, links: Links) -> dict[str, object]:
    """Return what a report shows: its lines, each with the one of `links` where it can be put right."""
    lines = report_lines(run)
    verdicts = [line.verdict for line in lines]
    unreached = {each.check_name for each in run.lines.all() if each.finding == Finding.NOT_REACHED}
    return {
        "run": run,
        "lines": [(line, links.get(line.place)) for line in lines if line.check not in unreached],
        "unreached": [line.label for line in lines if line.check in unreached],
        "total": len(lines),
        "is_replay": run.kind == RunKind.REPLAY,
        "failed": verdicts.count(Verdict.FAILED),
        "warnings": verdicts.count(Verdict.WARNING),
        "done": len(lines) - verdicts.count(""),
    }


def _mending_links(user: User, server: InferenceServer) -> Links:
    """Return the pages of a server that `user` may use."""
    if not can_manage_server(user, server):
        return {}
    pages = {
        Place.KEY: reverse("rotate_key", args=[server.pk]),
        Place.CERTIFICATES: reverse("server_certificates", args=[server.pk]),
        Place.NETWORKS: reverse("networks"),
    }
    form = TechnicalForm.objects.filter(server=server).select_related("institution").first()
    if form is not None and can_edit_form(user, form):
        pages[Place.FORM] = reverse("technical_form", args=[form.pk])
    return {place: Link(url, str(PLACE_LABELS[place])) for place, url in pages.items()}


def _pulse(server: InferenceServer, runs: list[ConformityRun]) -> str:
    """Return what changes with the server's state, with a new run and with the end of one."""
    over = [f"{run.pk}{'' if run.is_open else run.state}" for run in runs]
    return hashlib.sha256(" ".join([server.state, *over]).encode()).hexdigest()[:16]


def _visible_run(user: User, run_id: UUID) -> ConformityRun:
    visible = ConformityRun.objects.for_user(user).select_related(
        "server__site__institution", "deployment__version__model"
    )
    return get_object_or_404(visible.prefetch_related("lines"), pk=run_id)


def _may(user: User, server: InferenceServer, runs: list[ConformityRun]) -> dict[str, object]:
    """Return what the reader may do here."""
    form = TechnicalForm.objects.filter(server=server).select_related("institution").first()
    refused = next((found for run in runs if (found := refused_address(run))), None)
    decides, may_accept = is_federation_admin(user), is_not_own(user, server)
    steps = {
        "may_drain": ServerState.DRAINING,
        "may_resume": ServerState.LIVE,
        "may_retire": ServerState.RETIRED,
    }
    in_service = server.state in (ServerState.LIVE, ServerState.DRAINING, ServerState.SUSPENDED)
    return {
        "may_manage": can_manage_server(user, server),
        "may_edit": form is not None and can_edit_form(user, form),
        "may_decide": decides and server.state in (ServerState.SUBMITTED, ServerState.STAGING),
        "may_accept": may_accept,
        "is_to_accept": decides and may_accept and server.state == ServerState.STAGING,
        "refused_in_network": refused is not None and lies_in_private_network(refused[0]),
        "refused": refused if decides and server.state != ServerState.RETIRED else None,
        **{
            name: (in_service or state is ServerState.RETIRED)
            and can_change_server_state(user, server, state)
            for name, state in steps.items()
        },
    }
