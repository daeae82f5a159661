"""`/manage/api/lease`: a job of a cluster registers as its server, says that it is alive, drains and leaves.

The token of the server is the proof. `deploy/slurm/` has a client of one file.
"""

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema, Status
from ninja.errors import HttpError

from federation.fleet.bearer import ServerBearer
from federation.fleet.models import Lease, ServerToken
from federation.fleet.models.leases import HEARTBEAT, LONGEST_JOB_NAME
from federation.fleet.operations.leases import (
    Announced,
    drain_lease,
    end_lease,
    open_lease,
    renew_lease,
)
from routing.bridge.load import current_load
from routing.upstream.credentials import Secret

LARGEST_NUMBER = 2**63 - 1
router = Router(auth=ServerBearer(), tags=["jobs"])


class Registration(Schema):
    """`base_url` is where the router reaches the job, without `/v1`; `job` what the cluster calls it.

    `api_key`: the access key that the job asks for, if it is not the one that the server has already. From `ends_at`
    on nothing new comes.
    """

    base_url: str = Field(max_length=500)
    job: str = Field(max_length=LONGEST_JOB_NAME)
    ends_at: datetime | None = None
    api_key: str | None = Field(default=None, min_length=1, max_length=500)


class Heartbeat(Schema):
    """`number` is one more than that of the heartbeat before; `ends_at` where it has become known, or another."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)
    ends_at: datetime | None = None


class Held(Schema):
    """`in_flight` are the requests that the router has at the server now; null when it is not known, or when another
    job has the server already. Nothing heard until `expires_at`, and the lease is over."""

    id: UUID
    server: str
    state: str
    in_flight: int | None
    heartbeat_seconds: int
    expires_at: datetime
    ends_at: datetime | None


@router.post("", response={201: Held}, summary="A job begins")
def register(request: HttpRequest, registration: Registration) -> Status[Held]:
    """Requests come within a second, if the server is in service; one that is new is looked at first.

    A job that registers again under the same name takes its own place.
    """
    announced = Announced(
        base_url=registration.base_url,
        job=registration.job,
        ends_at=_aware(registration.ends_at),
        key=Secret(registration.api_key) if registration.api_key else None,
    )
    return Status(201, _held(open_lease(token=_token(request), announced=announced)))


@router.post("/{uuid:lease_id}/heartbeat", response=Held, summary="A job is alive")
def heartbeat(request: HttpRequest, lease_id: UUID, heartbeat: Heartbeat) -> Held:
    lease = _own(request, lease_id)
    ends_at = _aware(heartbeat.ends_at)
    return _held(renew_lease(lease=lease, number=heartbeat.number, ends_at=ends_at))


@router.post("/{uuid:lease_id}/drain", response=Held, summary="Nothing new for this job")
def drain(request: HttpRequest, lease_id: UUID) -> Held:
    """What runs is finished: go on with heartbeats until `in_flight` is 0, then leave."""
    return _held(drain_lease(lease=_own(request, lease_id)))


@router.delete("/{uuid:lease_id}", response={204: None}, summary="A job leaves")
def leave(request: HttpRequest, lease_id: UUID) -> Status[None]:
    end_lease(lease=_own(request, lease_id))
    return Status(204, None)


def _token(request: HttpRequest) -> ServerToken:
    token: ServerToken = request.auth  # type: ignore[attr-defined]  # ServerBearer
    return token


def _own(request: HttpRequest, lease_id: UUID) -> Lease:
    """Return a lease of the token's server. Another server's is refused as one that is not there."""
    leases = Lease.objects.filter(server=_token(request).server_id).select_related("server")
    lease = leases.filter(pk=lease_id).first()
    if lease is None:
        raise HttpError(404, _("The server of this token has no such lease: register first."))
    return lease


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise HttpError(422, _("A moment needs its distance from UTC, as ISO 8601 writes it."))
    return moment


def _held(lease: Lease) -> Held:
    return Held(
        id=lease.pk,
        server=lease.server.slug,
        state=lease.state,
        in_flight=_in_flight(lease),
        heartbeat_seconds=int(HEARTBEAT.total_seconds()),
        expires_at=lease.expires_at,
        ends_at=lease.ends_at,
    )


def _in_flight(lease: Lease) -> int | None:
    load = current_load()
    others = lease.server.leases.open().exclude(pk=lease.pk)
    if load is None or others.exists():
        return None
    server = load.view.servers.get(str(lease.server_id))
    return server.in_flight if server else None
