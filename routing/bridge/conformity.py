"""Hands conformity runs to the router, and writes down what it finds, line by line.

A run is claimed for one connection to a router, with a lease. When the connection ends, or nothing is heard for as
long as the lease, it is claimed again as another attempt; what comes of an earlier one is no longer heard.
"""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, F, Max, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel, Alias
from federation.fleet.enums import Modality, RunState
from federation.fleet.models import (
    ConformityLine,
    ConformityRun,
    Deployment,
    InferenceServer,
    TechnicalForm,
)
from federation.fleet.operations.runs import conclude_run
from federation.journal.actors import SYSTEM
from routing.bridge.reaching import reaches
from routing.bridge.table import server_row
from routing.core import conformity
from routing.core.conformity import ConformityEnd, ConformityJob, Declaration, Peer, RunKind
from routing.core.enums import Endpoint, ServerState
from routing.core.table import Server

LEASE = timedelta(seconds=300)
"""Longer than any one check takes; every line renews it."""
MOST_ATTEMPTS = 3
CLAIM_SECONDS = 0.5
MOST_AT_ONCE = 4
MOST_PEERS = 2
MOST_NAMES = 2000
Heard = conformity.ConformityLine | ConformityEnd


class Examinations:
    """`order` hands a job to the router, `connection` names the present connection to one, None without."""

    def __init__(
        self, order: Callable[[ConformityJob], None], connection: Callable[[], str | None]
    ) -> None:
        self._order = order
        self._connection = connection
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()

    def hear(self, frame: Heard) -> None:
        """Take what the router has found; from any thread."""
        self._heard.put(frame)

    def work(self, stop: threading.Event) -> None:
        """Hand out what is due and write down what is found, until `stop` is set."""
        claim_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= claim_at:
                self.hand_out()
                claim_at = time.monotonic() + CLAIM_SECONDS
            try:
                frame = self._heard.get(timeout=0.2)
            except queue.Empty:
                continue
            note(frame)

    def hand_out(self) -> None:
        """Claim what is due, while there is a router, and order it; what was tried too often ends."""
        connection = self._connection()
        while connection is not None and (run := claim(connection)) is not None:
            if run.attempt > MOST_ATTEMPTS:
                conclude_run(by=SYSTEM, run=run)
            else:
                self._order(job_of(run))


@transaction.atomic
def claim(connection: str) -> ConformityRun | None:
    """Return a run that is due, begun for this connection, None when there is none or enough are under way."""
    under_way = ConformityRun.objects.filter(
        state=RunState.RUNNING, connection=connection, leased_until__gt=Now()
    )
    if under_way.count() >= MOST_AT_ONCE:
        return None
    lost = Q(state=RunState.RUNNING) & (~Q(connection=connection) | Q(leased_until__lte=Now()))
    due = ConformityRun.objects.filter(Q(state=RunState.QUEUED, due_at__lte=Now()) | lost)
    run = (
        due.select_for_update(skip_locked=True, of=("self",))
        .select_related("server__site__institution")
        .order_by("due_at")
        .first()
    )
    if run is None:
        return None
    run.state, run.connection = RunState.RUNNING.value, connection
    run.attempt += 1
    run.leased_until = timezone.now() + LEASE
    run.deployment = _to_look_at(run)
    run.save(update_fields=["state", "connection", "attempt", "leased_until", "deployment"])
    run.lines.all().delete()
    return run


def note(frame: Heard) -> None:
    """Write down a line, or the end, of a run's present attempt; anything else is a word from the past."""
    if isinstance(frame, ConformityEnd):
        run = _present(frame).select_related("server").first()
        if run is not None:
            with suppress(ValidationError):  # ended by somebody else, as with its server
                conclude_run(by=SYSTEM, run=run)
        return
    with transaction.atomic():
        run = _present(frame).select_for_update().first()
        if run is None:
            return
        line = frame.line
        ConformityLine.objects.update_or_create(
            run=run,
            check_name=line.check.value,
            defaults={
                "verdict": line.verdict.value,
                "finding": line.finding.value,
                "figures": line.figures,
                "milliseconds": line.milliseconds,
            },
        )
        run.leased_until = timezone.now() + LEASE
        run.save(update_fields=["leased_until"])


def _present(frame: Heard) -> QuerySet[ConformityRun]:
    return ConformityRun.objects.filter(
        pk=UUID(frame.run_id), attempt=frame.attempt, state=RunState.RUNNING
    )


def _to_look_at(run: ConformityRun) -> Deployment | None:
    """Return the model that was asked for, or the form's, or else the one that was not looked at for longest."""
    live = run.server.deployments.live().select_related("version__model")
    if run.deployment_id and (asked := live.filter(pk=run.deployment_id).first()):
        return asked
    form = TechnicalForm.objects.filter(server=run.server).first()
    if form is not None:
        live = live.order_by(Case(When(served_name=form.served_name, then=0), default=1), "pk")
        return live.first()
    concluded = Q(runs__kind=run.kind, runs__state__in=(RunState.PASSED, RunState.FAILED))
    last = Max("runs__ended_at", filter=concluded)
    return live.annotate(last=last).order_by(F("last").asc(nulls_first=True), "pk").first()


def job_of(run: ConformityRun) -> ConformityJob:
    """Return what the router has to look at, as the register has it now."""
    deployment = run.deployment
    return ConformityJob(
        run_id=str(run.pk),
        attempt=run.attempt,
        kind=RunKind(run.kind),
        server=_row_of(run.server, run.sealed_key),
        declared=_declaration(run.server, deployment),
        peers=_peers(run.server, deployment) if deployment else (),
        other_models=_other_models(deployment) if deployment else (),
    )


def _declaration(server: InferenceServer, deployment: Deployment | None) -> Declaration:
    """Return what the form says; of a server without one, what the catalogue says of the model on it."""
    served_name = deployment.served_name if deployment else ""
    form = TechnicalForm.objects.filter(server=server).first()
    if form is not None:
        return Declaration(
            served_name=served_name,
            context_length=form.context_length,
            chat=Modality.CHAT in form.modalities,
            tools=form.tools,
            json_schema=form.json_schema,
            images=Modality.IMAGES in form.modalities,
            embeddings=Modality.EMBEDDINGS in form.modalities,
            audio=Modality.AUDIO in form.modalities,
        )
    if deployment is None:
        return Declaration(served_name=served_name)
    able = deployment.version.model.capabilities
    return Declaration(
        served_name=served_name,
        context_length=deployment.version.context_length,
        chat=_chats(deployment),
        tools=Capability.TOOLS in able,
        json_schema=Capability.STRUCTURED_OUTPUT in able,
        images=Capability.VISION in able,
        embeddings=Capability.EMBEDDINGS in able,
        audio=Capability.TRANSCRIPTION in able,
    )


def _chats(deployment: Deployment) -> bool:
    """Say whether a server that nobody has described holds conversations, as far as the register knows."""
    if deployment.endpoints:
        return Endpoint.CHAT.value in deployment.endpoints
    able = deployment.version.model.capabilities
    return not able or Capability.CHAT.value in able


def _peers(server: InferenceServer, deployment: Deployment) -> tuple[Peer, ...]:
    """Return live servers of the same model, those of the same version first."""
    others = (
        Deployment.objects.live()
        .filter(version__model=deployment.version.model, server__state=ServerState.LIVE)
        .exclude(server=server)
        .exclude(server__base_url=server.base_url)
        .select_related("server__site__institution", "version")
        .order_by("pk")
    )
    ordered = sorted(others, key=lambda row: row.version_id != deployment.version_id)
    return tuple(
        Peer(server=_row_of(row.server), served_name=row.served_name)
        for row in ordered[:MOST_PEERS]
    )


def _other_models(deployment: Deployment) -> tuple[str, ...]:
    """Return the names under which other models are known, in lower case, that are not this one's too."""
    own = deployment.version.model
    others = AIModel.objects.exclude(pk=own.pk).values_list("slug", flat=True)
    aliases = Alias.objects.in_force().exclude(model=own).values_list("name", flat=True)
    live = Deployment.objects.live()
    served = live.exclude(version__model=own).values_list("served_name", flat=True)
    mine = set(live.filter(version__model=own).values_list("served_name", flat=True))
    names = {name.lower() for names in (others, aliases, served) for name in names[:MOST_NAMES]}
    return tuple(sorted(names - {name.lower() for name in mine}))


def _row_of(server: InferenceServer, sealed_key: str = "") -> Server:
    """Return a server as the router is to reach it, by another access key than its own when one is given."""
    reach = reaches(InferenceServer.objects.filter(pk=server.pk))(server)
    if sealed_key:
        reach = replace(reach, credential=sealed_key)
    return server_row(server, reach, None)
