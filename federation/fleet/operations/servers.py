"""Sites and servers: registering them, and moving a server along its states."""

from decimal import Decimal
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from federation.fleet import policies
from federation.fleet.enums import (
    FORM_TRANSITIONS,
    DeploymentState,
    Engine,
    FormState,
    LeaseState,
    MaintenanceState,
)
from federation.fleet.models import (
    ClientCertificate,
    EnergyProbe,
    InferenceServer,
    Site,
    TechnicalForm,
)
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.people.models import User
from federation.transitions import check_transition
from routing.core.enums import ServerState
from routing.upstream.egress import parse_base_url
from routing.upstream.errors import EgressRefused


class Machine(TypedDict):
    """What the energy of a server's answers depends on, beside the model. `pue` and `grid` are the site's."""

    gpu_type: str
    gpu_count: int | None
    pue: Decimal | None
    grid: str


FORM_FOLLOWS = {
    (ServerState.STAGING, ServerState.LIVE): (FormState.CHECKED, FormState.ACCEPTED),
    (ServerState.LIVE, ServerState.STAGING): (FormState.ACCEPTED, FormState.SUBMITTED),
}
"""What a step of a server means for its technical form."""


@transaction.atomic
def add_site(
    *,
    by: Actor,
    institution: Institution,
    name: str,
    city: str = "",
    pue: Decimal | str | None = None,
) -> Site:
    """Write a data centre of an institution into the register."""
    policies.check_register_server(by, institution)
    site = Site(institution=institution, name=name, city=city, pue=pue)
    site.full_clean()
    site.save()
    record(by=by, verb="fleet.add_site", obj=site, institution=institution, diff={"pue": pue})
    return site


@transaction.atomic
def register_server(
    *,
    by: Actor,
    site: Site,
    name: str,
    slug: str,
    engine: Engine,
    base_url: str,
    max_parallel: int | None = None,
    ca_bundle: str = "",
) -> InferenceServer:
    """Write a server into the register, in staging. Raises `ValidationError` on a bad address."""
    policies.check_register_server(by, site.institution)
    server = InferenceServer(
        site=site,
        name=name,
        slug=slug,
        engine=engine,
        base_url=canonical_url(base_url),
        max_parallel=max_parallel,
        ca_bundle=ca_bundle,
        registered_by=by if isinstance(by, User) else None,
    )
    server.full_clean()
    server.save()
    record(
        by=by,
        verb="fleet.register_server",
        obj=server,
        institution=site.institution,
        diff={"slug": slug, "engine": engine, "url": server.base_url, "max_parallel": max_parallel},
    )
    return server


@transaction.atomic
def change_server_state(
    *, by: Actor, server: InferenceServer, state: ServerState
) -> InferenceServer:
    """Take into service, drain, suspend, resume or retire. Raises `ForbiddenTransitionError`.

    A retired server keeps no token, no certificate, no network permission, no meter and no deployment, no job holds it,
    and nothing is planned for it.
    """
    locked = locked_server(server)
    policies.check_change_server_state(by, locked, state)
    before, locked.state = ServerState(locked.state), state.value
    locked.paused = False
    locked.save(update_fields=["state", "paused"])
    if state is ServerState.RETIRED:
        _close(locked)
    if (before, state) in FORM_FOLLOWS:
        move_form(locked, *FORM_FOLLOWS[before, state])
    record(
        by=by,
        verb="fleet.change_server_state",
        obj=locked,
        institution=locked.institution,
        diff={"state": [before, state]},
    )
    return locked


@transaction.atomic
def limit_server(
    *, by: Actor, server: InferenceServer, max_parallel: int | None
) -> InferenceServer:
    """Set the ceiling of requests at once that its owner allows, None for none."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    before, locked.max_parallel = locked.max_parallel, max_parallel
    locked.full_clean()
    locked.save(update_fields=["max_parallel"])
    record(
        by=by,
        verb="fleet.limit_server",
        obj=locked,
        institution=locked.institution,
        diff={"max_parallel": [before, max_parallel]},
    )
    return locked


@transaction.atomic
def describe_machine(*, by: Actor, server: InferenceServer, machine: Machine) -> InferenceServer:
    """Say what the energy of a server is reckoned from; its technical form follows.

    PUE and grid are the site's, and hold for each server that stands there.
    """
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    site = Site.objects.select_for_update().get(pk=locked.site_id)
    before = machine_of(locked)
    locked.gpu_type, locked.gpu_count = machine["gpu_type"].strip(), machine["gpu_count"]
    site.pue, site.grid = machine["pue"], machine["grid"]
    locked.site = site
    locked.full_clean()
    site.full_clean()
    after = machine_of(locked)
    if after == before:
        return locked
    locked.save(update_fields=["gpu_type", "gpu_count"])
    site.save(update_fields=["pue", "grid"])
    TechnicalForm.objects.filter(server=locked).update(
        gpu_type=locked.gpu_type, gpu_count=locked.gpu_count, number=F("number") + 1
    )
    record(
        by=by,
        verb="fleet.describe_machine",
        obj=locked,
        institution=locked.institution,
        diff={name: [before[name], after[name]] for name in before if before[name] != after[name]},  # type: ignore[literal-required]
    )
    return locked


def machine_of(server: InferenceServer) -> Machine:
    """Return what is known of a server's machine and its site."""
    return Machine(
        gpu_type=server.gpu_type,
        gpu_count=server.gpu_count,
        pue=server.site.pue,
        grid=server.site.grid,
    )


@transaction.atomic
def change_engine(*, by: Actor, server: InferenceServer, engine: Engine) -> InferenceServer:
    """Say that other software answers at this address."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    before, locked.engine = locked.engine, engine.value
    locked.full_clean()
    locked.save(update_fields=["engine"])
    record(
        by=by,
        verb="fleet.change_engine",
        obj=locked,
        institution=locked.institution,
        diff={"engine": [before, engine]},
    )
    return locked


def move_form(server: InferenceServer, source: FormState, target: FormState) -> None:
    """Move the server's form when it has one and stands at `source`; part of the operation that calls it."""
    form = TechnicalForm.objects.select_for_update().filter(server=server, state=source).first()
    if form is not None:
        check_transition(FORM_TRANSITIONS, source, target)
        form.state = target.value
        form.save(update_fields=["state", "changed_at"])
        if target is FormState.ACCEPTED:
            form.declared_by.clear()


def locked_server(server: InferenceServer) -> InferenceServer:
    """Return the row as it is now, held until the transaction ends."""
    rows = InferenceServer.objects.select_related("site__institution")
    return rows.select_for_update(of=("self",)).get(pk=server.pk)


def free_slug(stem: str) -> str:
    """Return the first identifier after this stem that no server has."""
    taken = set(
        InferenceServer.objects.filter(slug__startswith=stem).values_list("slug", flat=True)
    )
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"


def canonical_url(text: str) -> str:
    """Return the address as it is stored. Raises `ValidationError` when the egress guard refuses it."""
    try:
        return parse_base_url(text).url
    except EgressRefused as refusal:
        raise ValidationError({"base_url": str(refusal)}) from None


def _close(server: InferenceServer) -> None:
    now = timezone.now()
    server.deployments.live().update(state=DeploymentState.RETIRED)
    server.credentials.current().update(valid_to=now)
    ClientCertificate.objects.current().filter(server=server).update(valid_to=now)
    server.egress_grants.in_force().update(revoked_at=now)
    server.leases.held().update(state=LeaseState.ENDED, ended_at=now)
    server.tokens.in_force().update(revoked_at=now)
    EnergyProbe.objects.in_force().filter(server=server).update(ended_at=now)
    server.runs.all().break_off()
    server.maintenances.filter(state=MaintenanceState.PLANNED).update(
        state=MaintenanceState.CANCELLED
    )
    server.maintenances.filter(state=MaintenanceState.UNDERWAY).update(state=MaintenanceState.OVER)
