"""Servers that come and go: what a job says of itself, and what follows from it for its server.

A server of jobs is in service while one holds it, and paused between them, as one whose hours are over. So nothing
else has to know of jobs: routers, pages and times away go by the server's state and address.
"""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.fleet import policies
from federation.fleet.enums import (
    LEASE_TRANSITIONS,
    Availability,
    LeaseState,
    MaintenanceState,
    RunTrigger,
)
from federation.fleet.hosts import is_among
from federation.fleet.models import InferenceServer, Lease, ServerToken, TechnicalForm
from federation.fleet.models.leases import LONGEST_JOB_NAME
from federation.fleet.operations.credentials import rotate_credential
from federation.fleet.operations.maintenance import pause_server, resume_server
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.servers import canonical_url, locked_server
from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.people.models import User
from federation.transitions import check_transition
from routing.core.conformity import RunKind
from routing.core.enums import ServerState
from routing.upstream.credentials import Secret
from routing.upstream.egress import parse_base_url

BRAND = "ilaas_server"
MOST_TOKENS = 2
"""In force at once: the one before goes on while jobs that have it run."""
CHECKED_FOR = timedelta(hours=20)
"""How long a report holds: who is never there at night is looked at when a job begins."""
_IN_SERVICE = frozenset({ServerState.LIVE, ServerState.DRAINING})
_ON_TRIAL = frozenset({ServerState.SUBMITTED, ServerState.STAGING})


class Announced(NamedTuple):
    """What a job says when it begins. `job` is what the cluster calls it; `key` the access key that it asks for.

    `ends_at` is when it wants nothing new any more, None while that is not known.
    """

    base_url: str
    job: str
    ends_at: datetime | None = None
    key: Secret | None = None


@transaction.atomic
def make_server_token(*, by: Actor, server: InferenceServer) -> tuple[ServerToken, Secret]:
    """Return a new token of a server's jobs, to be shown once. Raises `ValidationError` beyond two in force."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    _check_has_jobs(locked)
    if locked.tokens.in_force().count() >= MOST_TOKENS:
        raise ValidationError(
            _("Two tokens are in force already: revoke one first."), code="tokens"
        )
    secret = Secret(f"{BRAND}_{secrets.token_urlsafe(32)}")
    token = ServerToken(
        server=locked,
        digest=ServerToken.digest_of(secret.reveal()),
        ending=secret.reveal()[-4:],
        made_by=by if isinstance(by, User) else None,
    )
    token.full_clean()
    token.save()
    record(
        by=by,
        verb="fleet.make_server_token",
        obj=token,
        institution=locked.institution,
        diff={"server": locked.pk},
    )
    return token, secret


@transaction.atomic
def revoke_server_token(*, by: Actor, token: ServerToken) -> ServerToken:
    """Take a token out of force; what is held with it is over at once."""
    server = locked_server(token.server)
    policies.check_manage_server(by, server)
    locked = ServerToken.objects.select_for_update().get(pk=token.pk)
    if locked.revoked_at is not None:
        raise ValidationError(_("This token is revoked already."), code="revoked")
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])
    end_leases(by=by, server=server, token=locked)
    follow_leases(by=by, server=server)
    record(
        by=by,
        verb="fleet.revoke_server_token",
        obj=locked,
        institution=server.institution,
        diff={"server": server.pk},
    )
    return locked


@transaction.atomic
def open_lease(*, token: ServerToken, announced: Announced) -> Lease:
    """Let a job have its server: requests come to it within a second, if the server is in service.

    A job that begins again, as after it was killed, takes the place of itself; another one's only once that takes
    nothing new any more. Raises `ValidationError`.
    """
    server = locked_server(token.server)
    _check_token(token)
    form = _check_has_jobs(server)
    _check_may_come(server)
    job = _job_name(announced.job)
    url = _address(announced.base_url, form)
    _check_end(announced.ends_at)
    before = server.leases.open().select_for_update().first()
    if before is not None:
        if before.job != job:
            raise ValidationError(
                _(
                    "Another job has this server: %(job)s. Let that one drain first, or lend a second server for it."
                )
                % {"job": before.job},
                code="held",
            )
        _move(before, server, LeaseState.ENDED)
    lease = Lease(server=server, token=token, job=job, base_url=url, ends_at=announced.ends_at)
    lease.full_clean()
    lease.save()
    if announced.key:
        rotate_credential(by=SYSTEM, server=server, credential=announced.key)
    server.base_url, server.held_since = url, lease.created_at
    server.save(update_fields=["base_url", "held_since"])
    _look_at(follow_leases(by=SYSTEM, server=server))
    _record("fleet.open_lease", lease, server, {"state": lease.state})
    return lease


@transaction.atomic
def renew_lease(*, lease: Lease, number: int, ends_at: datetime | None = None) -> Lease:
    """Hear from a job. `number` grows with each heartbeat: one that was sent before another is refused.

    Raises `ValidationError`, of a lease that is over with the code "over": the job then begins again.
    """
    locked = _held(lease)
    if number <= locked.number:
        raise ValidationError(
            _("A later heartbeat was heard already, number %(number)s: this one is from the past.")
            % {"number": locked.number},
            code="past",
        )
    locked.number, locked.heard_at = number, timezone.now()
    if ends_at is not None:
        _check_end(ends_at)
        locked.ends_at = ends_at
    locked.save(update_fields=["number", "heard_at", "ends_at"])
    return locked


@transaction.atomic
def drain_lease(*, lease: Lease) -> Lease:
    """Take nothing new for this job; what runs is finished. Twice changes nothing."""
    server = locked_server(lease.server)
    locked = _held(lease)
    if locked.state == LeaseState.OPEN:
        _move(locked, server, LeaseState.DRAINING)
        follow_leases(by=SYSTEM, server=server)
    return locked


@transaction.atomic
def end_lease(*, lease: Lease) -> Lease:
    """The job leaves: nothing runs there any more."""
    server = locked_server(lease.server)
    locked = _held(lease)
    _move(locked, server, LeaseState.ENDED)
    follow_leases(by=SYSTEM, server=server)
    return locked


@transaction.atomic
def expire_lease(*, lease: Lease) -> bool:
    """Give up a lease that is still silent; return whether it was."""
    server = locked_server(lease.server)
    locked = Lease.objects.silent().select_for_update().filter(pk=lease.pk).first()
    if locked is None:
        return False
    _move(locked, server, LeaseState.EXPIRED)
    follow_leases(by=SYSTEM, server=server)
    return True


@transaction.atomic
def follow_leases(*, by: Actor, server: InferenceServer) -> InferenceServer:
    """Put a server of jobs where its leases say: in service while one is open, else paused. Twice changes nothing.

    A time away comes first; what its owner or the federation has drained or suspended stays so.
    """
    locked = locked_server(server)
    is_open = locked.leases.open().exists()
    if not is_open and locked.state == ServerState.LIVE:
        return pause_server(by=by, server=locked)
    is_away = locked.maintenances.filter(state=MaintenanceState.UNDERWAY).exists()
    if is_open and locked.paused and not is_away:
        return resume_server(by=by, server=locked)
    return locked


def end_leases(*, by: Actor, server: InferenceServer, token: ServerToken | None = None) -> None:
    """End what jobs hold of a server, with this token if one is named; part of the operation that calls it."""
    leases = server.leases.held().select_for_update()
    for lease in leases.filter(token=token) if token else leases:
        _move(lease, server, LeaseState.ENDED, by)


def _check_token(token: ServerToken) -> None:
    """Hold the token, so that nobody revokes it meanwhile."""
    if not ServerToken.objects.in_force().select_for_update().filter(pk=token.pk).exists():
        raise ValidationError(_("This token is revoked."), code="revoked")


def _check_has_jobs(server: InferenceServer) -> TechnicalForm:
    form = TechnicalForm.objects.filter(server=server, availability=Availability.SLURM).first()
    if form is None:
        raise ValidationError(
            _(
                "Its technical form does not say that this server is there while a Slurm job runs: change what is "
                "declared first."
            ),
            code="no_jobs",
        )
    return form


def _check_may_come(server: InferenceServer) -> None:
    """A job comes to a server that is being looked at, is in service, or is paused by itself."""
    is_drained = server.state == ServerState.DRAINING and not server.paused
    if is_drained or server.state not in _IN_SERVICE | _ON_TRIAL:
        raise ValidationError(
            _(
                "This server is out of service, whatever its jobs do: take it back into service on its page first."
            ),
            code="out_of_service",
        )


def _job_name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable() or len(name) > LONGEST_JOB_NAME:
        raise ValidationError(
            {
                "job": _("A name of up to %(count)s letters, such as the job’s number.")
                % {"count": LONGEST_JOB_NAME}
            },
            code="job",
        )
    return name


def _address(text: str, form: TechnicalForm) -> str:
    """Return the address in its one spelling. Raises `ValidationError` where the form does not lead."""
    url = canonical_url(text)
    target, declared = parse_base_url(url), parse_base_url(form.base_url)
    hosts = form.job_hosts or [declared.host]
    if target.scheme != declared.scheme or not is_among(target, hosts):
        raise ValidationError(
            {
                "base_url": _(
                    "The technical form lets jobs of this server run at %(hosts)s, with %(scheme)s: not at %(url)s. "
                    "Its IT department can change that."
                )
                % {"hosts": ", ".join(hosts), "scheme": declared.scheme, "url": url}
            },
            code="address",
        )
    return url


def _check_end(ends_at: datetime | None) -> None:
    if ends_at is not None and ends_at <= timezone.now():
        raise ValidationError({"ends_at": _("This moment has passed.")}, code="past_end")


def _held(lease: Lease) -> Lease:
    """Return the row, held until the transaction ends. Raises `ValidationError` when the lease is over."""
    locked = Lease.objects.select_for_update().get(pk=lease.pk)
    if not locked.is_held:
        raise ValidationError(
            _("This lease is over (%(state)s): register again.")
            % {"state": locked.get_state_display()},
            code="over",
        )
    return locked


def _move(lease: Lease, server: InferenceServer, state: LeaseState, by: Actor = SYSTEM) -> None:
    before = LeaseState(lease.state)
    check_transition(LEASE_TRANSITIONS, before, state)
    lease.state = state.value
    if not lease.is_held:
        lease.ended_at = timezone.now()
        server.runs.all().break_off()  # what is looked at says nothing of a job that leaves
    lease.save(update_fields=["state", "ended_at"])
    _record("fleet.move_lease", lease, server, {"state": [before, state]}, by)


def _look_at(server: InferenceServer) -> None:
    """Have a server looked at that waits for it, or was not for a day: the nightly look may never find it there."""
    since = timezone.now() - CHECKED_FOR
    runs = server.runs.filter(kind=RunKind.CONFORMITY)
    is_due = server.state in _ON_TRIAL or not runs.filter(created_at__gte=since).exists()
    if is_due:
        trigger = RunTrigger.NIGHT if server.state == ServerState.LIVE else RunTrigger.SUBMISSION
        request_run(by=SYSTEM, server=server, trigger=trigger)


def _record(
    verb: str, lease: Lease, server: InferenceServer, diff: dict[str, object], by: Actor = SYSTEM
) -> None:
    told = {"server": server.pk, "job": lease.job, **diff}
    record(by=by, verb=verb, obj=lease, institution=server.institution, diff=told)
