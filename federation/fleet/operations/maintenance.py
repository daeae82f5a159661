"""When servers are away: planned by their owners, carried out by the clock."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.fleet import policies
from federation.fleet.enums import MAINTENANCE_TRANSITIONS, Availability, MaintenanceState
from federation.fleet.models import InferenceServer, Maintenance, TechnicalForm
from federation.fleet.operations.servers import change_server_state, locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.models import User
from federation.transitions import check_transition
from routing.core.enums import ServerState

MOST_AHEAD = 50


@transaction.atomic
def plan_maintenance(
    *,
    by: Actor,
    server: InferenceServer,
    starts_at: datetime,
    ends_at: datetime | None = None,
    reason: str = "",
) -> Maintenance:
    """Have a server drain at `starts_at` and come back at `ends_at`, or not at all. Raises `ValidationError`."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    now = timezone.now()
    if starts_at < now:
        raise ValidationError({"starts_at": _("This moment has passed.")}, code="past")
    if ends_at is not None and ends_at <= starts_at:
        raise ValidationError({"ends_at": _("The end comes after the beginning.")}, code="order")
    _check_free(locked, starts_at, ends_at)
    row = Maintenance(
        server=locked,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason.strip(),
        planned_by=by if isinstance(by, User) else None,
    )
    row.full_clean()
    row.save()
    record(
        by=by,
        verb="fleet.plan_maintenance",
        obj=row,
        institution=locked.institution,
        diff={"server": locked.pk, "starts_at": starts_at, "ends_at": ends_at},
    )
    return row


def _check_free(server: InferenceServer, starts_at: datetime, ends_at: datetime | None) -> None:
    ahead = list(server.maintenances.ahead())
    if len(ahead) >= MOST_AHEAD:
        raise ValidationError(_("At most %(count)s lines.") % {"count": MOST_AHEAD})
    for other in ahead:
        begins_before = ends_at is None or other.starts_at < ends_at
        if begins_before and (other.ends_at is None or starts_at < other.ends_at):
            raise ValidationError(
                _("The server is away already at that time: cancel that first."), code="overlap"
            )


@transaction.atomic
def cancel_maintenance(*, by: Actor, maintenance: Maintenance) -> Maintenance:
    """Call a maintenance off that has not begun."""
    return _move(by, maintenance, MaintenanceState.CANCELLED, "fleet.cancel_maintenance")


@transaction.atomic
def begin_maintenance(*, by: Actor, maintenance: Maintenance) -> Maintenance:
    """Drain the server, if it is in service: what runs is finished, nothing new is taken."""
    row = _move(by, maintenance, MaintenanceState.UNDERWAY, "fleet.begin_maintenance")
    if locked_server(row.server).state == ServerState.LIVE:
        change_server_state(by=by, server=row.server, state=ServerState.DRAINING)
        InferenceServer.objects.filter(pk=row.server_id).update(paused=True)
    return row


@transaction.atomic
def end_maintenance(*, by: Actor, maintenance: Maintenance) -> Maintenance:
    """Take the server back into service, unless somebody has moved it meanwhile."""
    row = _move(by, maintenance, MaintenanceState.OVER, "fleet.end_maintenance")
    server = locked_server(row.server)
    if server.paused and server.state == ServerState.DRAINING and _is_there(server):
        change_server_state(by=by, server=server, state=ServerState.LIVE)
    return row


@transaction.atomic
def pause_server(*, by: Actor, server: InferenceServer) -> InferenceServer:
    """Drain a server whose hours are over, or that no job holds any more; `resume_server` brings it back."""
    change_server_state(by=by, server=server, state=ServerState.DRAINING)
    locked = locked_server(server)
    locked.paused = True
    locked.save(update_fields=["paused"])
    return locked


@transaction.atomic
def resume_server(*, by: Actor, server: InferenceServer) -> InferenceServer:
    """Take a paused server back into service."""
    locked = locked_server(server)
    if not locked.paused:
        raise ValidationError(_("This server is not paused."), code="not_paused")
    return change_server_state(by=by, server=locked, state=ServerState.LIVE)


def _is_there(server: InferenceServer) -> bool:
    """Say whether requests may come again; a server of jobs is back with its next job."""
    forms = TechnicalForm.objects.filter(server=server, availability=Availability.SLURM)
    return not forms.exists() or server.leases.open().exists()


def _move(by: Actor, maintenance: Maintenance, target: MaintenanceState, verb: str) -> Maintenance:
    server = locked_server(maintenance.server)
    policies.check_manage_server(by, server)
    row = Maintenance.objects.select_for_update().get(pk=maintenance.pk)
    before = MaintenanceState(row.state)
    check_transition(MAINTENANCE_TRANSITIONS, before, target)
    row.state = target.value
    row.save(update_fields=["state"])
    row.server = server
    record(
        by=by,
        verb=verb,
        obj=row,
        institution=server.institution,
        diff={"server": server.pk, "state": [before, target]},
    )
    return row
