"""Conformity runs: asking for one, and what follows from how it ended. Making it is the router's."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from federation.catalogue.operations.proposals import propose_once_reached
from federation.fleet import mails, policies
from federation.fleet.enums import (
    RUN_TRANSITIONS,
    FormState,
    RunState,
    RunTrigger,
)
from federation.fleet.models import ConformityRun, Deployment, InferenceServer, TechnicalForm
from federation.fleet.operations.credentials import put_in_force
from federation.fleet.operations.servers import change_server_state, locked_server, move_form
from federation.fleet.reports import refused_address
from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.people.models import User
from federation.transitions import check_transition
from routing.core.conformity import CHECKS, Check, Finding, RunKind, Verdict
from routing.core.enums import ServerState

SECOND_LOOK = timedelta(minutes=10)
"""After a nightly run that has failed: one bad moment sends nobody out of service."""
ONE_NIGHT = timedelta(hours=3)
NO_FAULT_OF_ITS_OWN = frozenset({Finding.BUSY.value, Finding.OWN_FAULT.value})
"""What is no reason to send a live server back: it is full, or the mistake is ours."""


@transaction.atomic
def request_run(
    *,
    by: Actor,
    server: InferenceServer,
    kind: RunKind = RunKind.CONFORMITY,
    trigger: RunTrigger = RunTrigger.PERSON,
    delay: timedelta = timedelta(0),
    deployment: Deployment | None = None,
    sealed_key: str = "",
) -> ConformityRun:
    """Ask for a run; the one of this kind that is waiting or under way is returned when there is one.

    It looks at the model of `deployment`; without, at the one whose turn it is. With `sealed_key`, by that key.
    """
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    if (waiting := locked.runs.open().filter(kind=kind).first()) is not None:
        return waiting
    run = ConformityRun(
        server=locked,
        kind=kind.value,
        trigger=trigger,
        deployment=deployment,
        asked_by=by if isinstance(by, User) else None,
        due_at=timezone.now() + delay,
        sealed_key=sealed_key,
        tries_key=bool(sealed_key),
    )
    run.full_clean()
    run.save()
    record(
        by=by,
        verb="fleet.request_run",
        obj=run,
        institution=locked.institution,
        diff={"server": locked.pk, "kind": kind, "trigger": trigger},
    )
    return run


@transaction.atomic
def conclude_run(*, by: Actor, run: ConformityRun) -> ConformityRun:
    """Close a run whose lines are all there, or that could not be made, and draw what follows from it."""
    server = locked_server(run.server)
    policies.check_conclude_run(by)
    locked = ConformityRun.objects.select_for_update().get(pk=run.pk)
    locked.key_taken = _was_taken(locked) if locked.tries_key else None
    before, after = RunState(locked.state), _state_after(locked)
    check_transition(RUN_TRANSITIONS, before, after)
    locked.state, locked.ended_at = after.value, timezone.now()
    sealed, locked.sealed_key = locked.sealed_key, ""
    locked.save(update_fields=["state", "ended_at", "sealed_key", "key_taken"])
    locked.server = server
    if locked.lines.filter(check_name=Check.CONNECTION).exclude(verdict=Verdict.FAILED).exists():
        _propose_its_model(server)
    if locked.key_taken:
        put_in_force(by=SYSTEM, server=server, sealed=sealed)
    if locked.kind == RunKind.CONFORMITY:
        _draw(locked)
    elif locked.state == RunState.PASSED and server.state == ServerState.STAGING:
        mails.tell_checked(server)
    record(
        by=by,
        verb="fleet.conclude_run",
        obj=locked,
        institution=server.institution,
        diff={"server": server.pk, "state": [before, after]},
    )
    return locked


def _was_taken(run: ConformityRun) -> bool:
    """Say whether the server has taken the key that a run tries: it was reached, and refused it nowhere."""
    was_asked = run.lines.filter(
        check_name=Check.AUTHENTICATION, verdict__in=(Verdict.OK, Verdict.WARNING)
    )
    return was_asked.exists() and not run.lines.filter(finding=Finding.DENIED).exists()


def _state_after(run: ConformityRun) -> RunState:
    verdicts = list(run.lines.values_list("verdict", flat=True))
    if len(verdicts) < len(CHECKS[RunKind(run.kind)]):
        return RunState.BROKEN
    if run.key_taken is False:
        return RunState.BROKEN  # whoever asks with a wrong key finds out nothing of the server
    return RunState.FAILED if Verdict.FAILED in verdicts else RunState.PASSED


def _draw(run: ConformityRun) -> None:
    """Move server and form after a run of checks."""
    state = ServerState(run.server.state)
    if run.state == RunState.PASSED and state in (ServerState.SUBMITTED, ServerState.STAGING):
        _admit(run, state)
    elif run.state == RunState.FAILED and state is ServerState.STAGING:
        move_form(run.server, FormState.CHECKED, FormState.SUBMITTED)
    elif run.state == RunState.FAILED and state is ServerState.SUBMITTED:
        _ask_for_leave(run)
    elif run.state == RunState.FAILED and state is ServerState.LIVE and _sends_back(run):
        _send_back(run)


def _ask_for_leave(run: ConformityRun) -> None:
    """A private address waits for the federation, which is told once: when the server is handed in."""
    if run.trigger == RunTrigger.SUBMISSION and refused_address(run):
        mails.tell_private(run.server)


def _propose_its_model(server: InferenceServer) -> None:
    """The committee hears of a model that came with a technical form once its server was reached."""
    rows = TechnicalForm.objects.select_related("model", "institution", "filled_by")
    form = rows.filter(server=server).first()
    if form is not None and form.model is not None:
        propose_once_reached(
            model=form.model,
            institution=form.institution,
            filled_by=form.filled_by,
            since=server.created_at,
        )


def _admit(run: ConformityRun, state: ServerState) -> None:
    """Into staging, where it answers the fixed prompts before anybody decides."""
    if state is ServerState.SUBMITTED:
        change_server_state(by=SYSTEM, server=run.server, state=ServerState.STAGING)
    move_form(run.server, FormState.SUBMITTED, FormState.CHECKED)
    request_run(by=SYSTEM, server=run.server, kind=RunKind.REPLAY, trigger=RunTrigger(run.trigger))


def _sends_back(run: ConformityRun) -> bool:
    """Say whether a failed run is one of the night that found a fault of the server's own.

    A server that an operator's command has registered declares nothing that it could fail to do.
    """
    if (
        run.trigger != RunTrigger.NIGHT
        or not TechnicalForm.objects.filter(server=run.server).exists()
    ):
        return False
    failed = run.lines.filter(verdict=Verdict.FAILED)
    return failed.exclude(finding__in=NO_FAULT_OF_ITS_OWN).exists()


def _send_back(run: ConformityRun) -> None:
    """Back to staging when the second look of a night has failed too; the owner is told."""
    earlier = run.server.runs.filter(
        kind=RunKind.CONFORMITY,
        trigger=RunTrigger.NIGHT,
        state=RunState.FAILED,
        ended_at__gte=timezone.now() - ONE_NIGHT,
    ).exclude(pk=run.pk)
    if not earlier.exists():
        request_run(by=SYSTEM, server=run.server, trigger=RunTrigger.NIGHT, delay=SECOND_LOOK)
        return
    change_server_state(by=SYSTEM, server=run.server, state=ServerState.STAGING)
    mails.tell_sent_back(run)
