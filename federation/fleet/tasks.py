"""What the worker does by the clock for servers. Each is safe to run twice."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from federation.fleet.enums import Availability, MaintenanceState, RunTrigger
from federation.fleet.models import (
    ClientCertificate,
    InferenceServer,
    Lease,
    Maintenance,
    SiteEgressGrant,
)
from federation.fleet.operations.certificates import warn_of_expiry
from federation.fleet.operations.leases import drain_lease, expire_lease, follow_leases
from federation.fleet.operations.maintenance import (
    begin_maintenance,
    end_maintenance,
    pause_server,
    resume_server,
)
from federation.fleet.operations.networks import withdraw_site_egress
from federation.fleet.operations.runs import request_run
from federation.fleet.week import OpenHours, is_open
from federation.journal.actors import SYSTEM
from routing.core.enums import ServerState

WARNING = timedelta(days=30)
"""How long before its end an IT department hears of a certificate."""
logger = logging.getLogger(__name__)


def check_live_servers() -> None:
    """Ask for a run of every server in service: each has to do still what its owner declared."""
    for server in InferenceServer.objects.filter(state=ServerState.LIVE):
        request_run(by=SYSTEM, server=server, trigger=RunTrigger.NIGHT)


def warn_of_certificates() -> None:
    """Tell IT departments, once each, of certificates that the router can soon no longer show to their servers."""
    soon = timezone.now() + WARNING
    rows = ClientCertificate.objects.current().filter(warned_at__isnull=True, expires_at__lte=soon)
    for certificate in rows:
        warn_of_expiry(by=SYSTEM, certificate=certificate)


def follow_calendars() -> None:
    """Begin and end what is due: networks and maintenances first, then the hours of the week."""
    now = timezone.now()
    for grant in SiteEgressGrant.objects.over().select_related("site"):
        _try(partial(withdraw_site_egress, by=SYSTEM, grant=grant))
    planned = Maintenance.objects.filter(state=MaintenanceState.PLANNED, starts_at__lte=now)
    over = Maintenance.objects.filter(state=MaintenanceState.UNDERWAY, ends_at__lte=now)
    for row in planned:
        _try(partial(begin_maintenance, by=SYSTEM, maintenance=row))
    for row in over:
        _try(partial(end_maintenance, by=SYSTEM, maintenance=row))
    underway = Maintenance.objects.filter(state=MaintenanceState.UNDERWAY).values("server")
    weekly = InferenceServer.objects.filter(
        Q(state=ServerState.LIVE) | Q(state=ServerState.DRAINING, paused=True),
        technical_form__availability=Availability.WEEKLY,
    ).exclude(pk__in=underway)
    for server in weekly.select_related("technical_form"):
        _follow_week(server)


def _follow_week(server: InferenceServer) -> None:
    lines = [OpenHours.from_json(line) for line in server.technical_form.week]
    opens = is_open(lines, timezone.now())
    if opens and server.paused:
        _try(partial(resume_server, by=SYSTEM, server=server))
    elif not opens and server.state == ServerState.LIVE:
        _try(partial(pause_server, by=SYSTEM, server=server))


def follow_jobs() -> None:
    """Go by what jobs say, and by what they say no more. The clerk's, every second: the worker's clock is too slow."""
    now = timezone.now()
    for lease in Lease.objects.silent().select_related("server"):
        expire_lease(lease=lease)
    for lease in Lease.objects.open().filter(ends_at__lte=now).select_related("server"):
        _try(partial(drain_lease, lease=lease))
    held = Exists(Lease.objects.open().filter(server=OuterRef("pk")))
    servers = InferenceServer.objects.filter(technical_form__availability=Availability.SLURM)
    left = servers.filter(~held, state=ServerState.LIVE)
    come = servers.filter(held, state=ServerState.DRAINING, paused=True)
    for server in left.union(come):
        _try(partial(follow_leases, by=SYSTEM, server=server))


def _try(step: Callable[[], object]) -> None:
    """What somebody has moved meanwhile is no reason to leave the others where they are."""
    try:
        step()
    except ValidationError as refusal:
        logger.info("a step of a calendar is left out: %s", refusal.messages[0])
