"""Acts about sites and servers, and about technical forms."""

from datetime import timedelta

from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings
from django.utils import timezone

from federation.fleet.enums import Availability, Engine, MaintenanceState
from federation.fleet.models import InferenceServer, TechnicalForm
from federation.fleet.operations import (
    certificates,
    credentials,
    deployments,
    egress,
    guests,
    keys,
    labels,
    leases,
    maintenance,
    networks,
    offering,
    probes,
    publication,
    rotation,
    runs,
    servers,
    technical,
)
from federation.journal.actors import Actor
from routing.core.enums import ServerState
from routing.upstream.credentials import Secret
from tests.integration.federation.acts.who import ADMIN, NOBODY, RENNES_DSI, Acts
from tests.integration.federation.world import METER, SHOWN, World


def _seal_anew(world: World, by: Actor) -> object:
    """With a key that has sealed nothing yet."""
    keys = settings.ENCRYPTION_KEY
    with override_settings(ENCRYPTION_KEY=f"{Fernet.generate_key().decode()},{keys}"):
        return rotation.reseal_everything(by=by)


def _resume(world: World, by: Actor) -> object:
    type(world.server).objects.filter(pk=world.server.pk).update(state=ServerState.SUSPENDED)
    return servers.change_server_state(by=by, server=world.server, state=ServerState.LIVE)


def _end_maintenance(world: World, by: Actor) -> object:
    row = type(world.maintenance).objects
    row.filter(pk=world.maintenance.pk).update(state=MaintenanceState.UNDERWAY)
    return maintenance.end_maintenance(by=by, maintenance=world.maintenance)


def _resume_paused(world: World, by: Actor) -> object:
    rows = type(world.server).objects.filter(pk=world.server.pk)
    rows.update(state=ServerState.DRAINING, paused=True)
    return maintenance.resume_server(by=by, server=world.server)


def _of_jobs(world: World) -> InferenceServer:
    """The server of the form, as if it came and went with jobs."""
    TechnicalForm.objects.filter(pk=world.form.pk).update(availability=Availability.SLURM)
    assert world.form.server is not None
    return world.form.server


ACTS: Acts = {
    "describe_machine": (
        RENNES_DSI,
        lambda w, by: servers.describe_machine(
            by=by, server=w.server, machine={**servers.machine_of(w.server), "gpu_count": 4}
        ),
    ),
    "set_probe": (
        RENNES_DSI,
        lambda w, by: probes.set_probe(
            by=by, server=w.server, described={**METER, "labels": {"gpu": "0"}}
        ),
    ),
    "end_probe": (RENNES_DSI, lambda w, by: probes.end_probe(by=by, server=w.server)),
    "discard_draft": (RENNES_DSI, lambda w, by: technical.discard_draft(by=by, form=w.draft)),
    "reseal_everything": (NOBODY, lambda w, by: _seal_anew(w, by)),
    "add_site": (
        ADMIN,
        lambda w, by: servers.add_site(by=by, institution=w.cast.rennes, name="other room"),
    ),
    "register_server": (
        ADMIN,
        lambda w, by: servers.register_server(
            by=by,
            site=w.site,
            name="new",
            slug="new",
            engine=Engine.VLLM,
            base_url="https://new.example.org",
        ),
    ),
    "change_server_state": (
        RENNES_DSI,
        lambda w, by: servers.change_server_state(
            by=by, server=w.server, state=ServerState.DRAINING
        ),
    ),
    "limit_server": (
        RENNES_DSI,
        lambda w, by: servers.limit_server(by=by, server=w.server, max_parallel=3),
    ),
    "change_engine": (
        RENNES_DSI,
        lambda w, by: servers.change_engine(by=by, server=w.server, engine=Engine.LMDEPLOY),
    ),
    "move_server": (
        ADMIN,
        lambda w, by: publication.move_server(by=by, server=w.server, url="http://10.0.0.7:8000"),
    ),
    "rotate_credential": (
        RENNES_DSI,
        lambda w, by: credentials.rotate_credential(
            by=by, server=w.server, credential=Secret("new token")
        ),
    ),
    "put_in_force": (
        RENNES_DSI,
        lambda w, by: credentials.put_in_force(by=by, server=w.server, sealed="sealed"),
    ),
    "change_access_key": (
        RENNES_DSI,
        lambda w, by: keys.change_access_key(by=by, server=w.server, key=Secret("new token")),
    ),
    "set_guest_rules": (
        RENNES_DSI,
        lambda w, by: guests.set_guest_rules(
            by=by, server=w.server, blocked_institutions=[w.cast.orleans]
        ),
    ),
    "deploy_model": (
        RENNES_DSI,
        lambda w, by: deployments.deploy_model(
            by=by, server=w.server, version=w.model.versions.get(), served_name="other"
        ),
    ),
    "retire_deployment": (
        RENNES_DSI,
        lambda w, by: deployments.retire_deployment(by=by, deployment=w.deployment),
    ),
    "grant_egress": (
        ADMIN,
        lambda w, by: egress.grant_egress(
            by=by, server=w.server, address="10.1.2.3", port=8000, reason="private network"
        ),
    ),
    "revoke_egress": (ADMIN, lambda w, by: egress.revoke_egress(by=by, grant=w.grant)),
    "ask_site_egress": (
        RENNES_DSI,
        lambda w, by: networks.ask_site_egress(
            by=by, site=w.site, wish=networks.Wish("10.1.0.0/24", (8000,), "a VLAN")
        ),
    ),
    "allow_site_egress": (
        ADMIN,
        lambda w, by: networks.allow_site_egress(by=by, grant=w.network),
    ),
    "decline_site_egress": (
        ADMIN,
        lambda w, by: networks.decline_site_egress(by=by, grant=w.network, answer="too large"),
    ),
    "withdraw_site_egress": (
        RENNES_DSI,
        lambda w, by: networks.withdraw_site_egress(by=by, grant=w.network),
    ),
    "trust_authorities": (
        RENNES_DSI,
        lambda w, by: certificates.trust_authorities(by=by, server=w.server, authorities="PEM"),
    ),
    "show_certificate": (
        RENNES_DSI,
        lambda w, by: certificates.show_certificate(by=by, server=w.server, shown=SHOWN),
    ),
    "remove_certificate": (
        RENNES_DSI,
        lambda w, by: certificates.remove_certificate(by=by, server=w.server),
    ),
    "warn_of_expiry": (
        NOBODY,
        lambda w, by: certificates.warn_of_expiry(by=by, certificate=w.certificate),
    ),
    "publish_server": (
        NOBODY,
        lambda w, by: publication.publish_server(
            by=by,
            offer=publication.Offer(
                w.cast.rennes, "https://127.0.0.1:1", Engine.VLLM, w.model.slug, "new"
            ),
        ),
    ),
    "set_site_labels": (
        ADMIN,
        lambda w, by: labels.set_site_labels(by=by, site=w.site, labels=["HDS"]),
    ),
    "take a server into service": (
        ADMIN,
        lambda w, by: servers.change_server_state(
            by=by, server=w.staging_server, state=ServerState.LIVE
        ),
    ),
    "take a suspended server back into service": (ADMIN, lambda w, by: _resume(w, by)),
    "save_draft": (
        RENNES_DSI,
        lambda w, by: technical.save_draft(
            by=by, institution=w.cast.rennes, fields={"server_name": "GPU-7"}
        ),
    ),
    "revise_form": (
        RENNES_DSI,
        lambda w, by: technical.revise_form(by=by, form=w.form, fields={"gpu_count": 4}),
    ),
    "accept_form": (ADMIN, lambda w, by: technical.accept_form(by=by, form=w.form)),
    "accept_and_offer": (
        ADMIN,
        lambda w, by: offering.accept_and_offer(by=by, form=w.form, reason="minutes of May"),
    ),
    "decline_form": (
        ADMIN,
        lambda w, by: technical.decline_form(by=by, form=w.form, reason="no certificate"),
    ),
    "request_run": (RENNES_DSI, lambda w, by: runs.request_run(by=by, server=w.staging_server)),
    "conclude_run": (NOBODY, lambda w, by: runs.conclude_run(by=by, run=w.run)),
    "plan_maintenance": (
        RENNES_DSI,
        lambda w, by: maintenance.plan_maintenance(
            by=by, server=w.staging_server, starts_at=timezone.now() + timedelta(hours=1)
        ),
    ),
    "cancel_maintenance": (
        RENNES_DSI,
        lambda w, by: maintenance.cancel_maintenance(by=by, maintenance=w.maintenance),
    ),
    "begin_maintenance": (
        RENNES_DSI,
        lambda w, by: maintenance.begin_maintenance(by=by, maintenance=w.maintenance),
    ),
    "end_maintenance": (RENNES_DSI, lambda w, by: _end_maintenance(w, by)),
    "make_server_token": (
        RENNES_DSI,
        lambda w, by: leases.make_server_token(by=by, server=_of_jobs(w)),
    ),
    "revoke_server_token": (
        RENNES_DSI,
        lambda w, by: leases.revoke_server_token(by=by, token=w.lease.token),
    ),
    "pause_server": (
        RENNES_DSI,
        lambda w, by: maintenance.pause_server(by=by, server=w.server),
    ),
    "resume_server": (RENNES_DSI, lambda w, by: _resume_paused(w, by)),
}
