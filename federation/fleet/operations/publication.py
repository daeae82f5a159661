"""From an address to a model in service, in one act: what `register_server` and the demonstration do.

Safe to run again: on the same address and served name it changes only what differs, and what the offer
leaves out stays; a server that was drained or suspended since then stays so.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel, ModelVersion
from federation.catalogue.operations.registering import add_version, register_model
from federation.fleet import policies
from federation.fleet.enums import Engine
from federation.fleet.models import Deployment, EgressGrant, InferenceServer, Site
from federation.fleet.operations.credentials import current_credential, rotate_credential
from federation.fleet.operations.deployments import deploy_model
from federation.fleet.operations.egress import grant_egress, revoke_egress
from federation.fleet.operations.servers import (
    add_site,
    canonical_url,
    change_engine,
    change_server_state,
    free_slug,
    limit_server,
    locked_server,
    register_server,
)
from federation.fleet.queries import granted_networks
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from routing.core.enums import LifecycleStage, ServerState
from routing.upstream.addresses import canonical
from routing.upstream.credentials import Secret
from routing.upstream.egress import EgressPolicy, Grants, Target, parse_base_url
from routing.upstream.errors import EgressRefused

GRANT_REASON = "registered by an operator"


@dataclass(frozen=True)
class Offer:
    """A server as its institution describes it. `served_name` is the model's name on the server itself.

    A new server without a name or a slug gets one after its institution and engine. A host that is unknown
    here is refused, unless `may_be_unknown`: nothing private is then allowed for it.
    """

    institution: Institution
    url: str
    engine: Engine
    model_name: str
    served_name: str
    credential: Secret | None = None
    max_parallel: int | None = None
    site: Site | None = None
    server_name: str = ""
    server_slug: str = ""
    may_be_unknown: bool = False


@dataclass(frozen=True)
class Publication:
    """What is in the register now; `granted` are the permissions that this act gave, none to an unknown host."""

    deployment: Deployment
    granted: tuple[EgressGrant, ...]
    host_is_known: bool


@transaction.atomic
def publish_server(*, by: Actor, offer: Offer) -> Publication:
    """Put a server and a model of it in service, with leave to reach it when its address is not public.

    Only an operator at the machine does so in one act: what people register, others put into service.
    Raises `ValidationError` when the address is refused, its host unknown, or the served name already
    stands for another model.
    """
    policies.check_publish_server(by)
    # One at a time per institution: of two at once, the second finds what the first has written.
    Institution.objects.select_for_update(no_key=True).get(pk=offer.institution.pk)
    server = _find_server(offer) or _register(by, offer)
    addresses = _addresses(server, may_be_unknown=offer.may_be_unknown)
    granted = _grant_addresses(by, server, addresses)
    server = _update(by, server, offer)
    deployment = _deploy(by, server, offer)
    if server.state == ServerState.STAGING:
        change_server_state(by=by, server=server, state=ServerState.LIVE)
    return Publication(deployment, granted, host_is_known=bool(addresses))


@transaction.atomic
def move_server(*, by: Actor, server: InferenceServer, url: str) -> InferenceServer:
    """Say that a server answers elsewhere now; leave to reach it moves along.

    Raises `ValidationError` as `publish_server` does.
    """
    policies.check_grant_egress(by)
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    before, locked.base_url = locked.base_url, canonical_url(url)
    locked.full_clean()
    locked.save(update_fields=["base_url"])
    for grant in locked.egress_grants.in_force():
        revoke_egress(by=by, grant=grant)
    _grant_addresses(by, locked, _addresses(locked))
    record(
        by=by,
        verb="fleet.move_server",
        obj=locked,
        institution=locked.institution,
        diff={"url": [before, locked.base_url]},
    )
    return locked


def _find_server(offer: Offer) -> InferenceServer | None:
    return (
        InferenceServer.objects.present()
        .filter(site__institution=offer.institution, base_url=canonical_url(offer.url))
        .first()
    )


def _update(by: Actor, server: InferenceServer, offer: Offer) -> InferenceServer:
    if offer.credential and not _is_current(offer.credential, server):
        rotate_credential(by=by, server=server, credential=offer.credential)
    if offer.engine != server.engine:
        server = change_engine(by=by, server=server, engine=offer.engine)
    if offer.max_parallel not in (None, server.max_parallel):
        server = limit_server(by=by, server=server, max_parallel=offer.max_parallel)
    return server


def _is_current(credential: Secret, server: InferenceServer) -> bool:
    held = current_credential(server)
    return held is not None and held.reveal() == credential.reveal()


def _register(by: Actor, offer: Offer) -> InferenceServer:
    site = offer.site or Site.objects.filter(institution=offer.institution).first()
    slug = offer.server_slug or free_slug(f"{offer.institution.slug}-{offer.engine}")
    return register_server(
        by=by,
        site=site
        or add_site(by=by, institution=offer.institution, name=offer.institution.short_name),
        name=offer.server_name or slug,
        slug=slug,
        engine=offer.engine,
        base_url=offer.url,
        max_parallel=offer.max_parallel,
    )


def _grant_addresses(
    by: Actor, server: InferenceServer, addresses: Sequence[str]
) -> tuple[EgressGrant, ...]:
    """Grant each address that the guard would refuse otherwise."""
    target = parse_base_url(server.base_url)
    return tuple(
        grant_egress(by=by, server=server, address=address, port=target.port, reason=GRANT_REASON)
        for address in _refused(target, addresses, granted_networks(server.site))
        if not server.egress_grants.in_force().filter(address=address, port=target.port).exists()
    )


def _refused(target: Target, addresses: Sequence[str], networks: Grants) -> list[str]:
    policy, refused = EgressPolicy(ports=settings.EGRESS_PORTS), []
    for address in addresses:
        try:
            policy.check(address, target.port, tls=target.tls, grants=networks)
        except EgressRefused:
            refused.append(address)
    return refused


def _addresses(server: InferenceServer, *, may_be_unknown: bool = False) -> list[str]:
    """Return the addresses that the server's host has now."""
    target = parse_base_url(server.base_url)
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if may_be_unknown:
            return []
        raise ValidationError(
            _("The host “%(host)s” is unknown here: check its name and this machine’s DNS."),
            code="unknown_host",
            params={"host": target.host},
        ) from None
    return sorted({str(canonical(str(address[0]))) for *_rest, address in found})


def _deploy(by: Actor, server: InferenceServer, offer: Offer) -> Deployment:
    live = server.deployments.live().filter(served_name=offer.served_name)
    deployment = live.select_related("version__model").first()
    if deployment is None:
        version = _current_version(by, offer)
        return deploy_model(by=by, server=server, version=version, served_name=offer.served_name)
    if deployment.version.model.slug.lower() != offer.model_name.lower():
        raise ValidationError(
            _("“%(served)s” on this server already stands for the model “%(model)s”."),
            code="served_otherwise",
            params={"served": offer.served_name, "model": deployment.version.model.slug},
        )
    return deployment


def _current_version(by: Actor, offer: Offer) -> ModelVersion:
    """Return the model's current version; a model unknown so far enters production as it is served."""
    model = AIModel.objects.filter(slug__iexact=offer.model_name).first() or register_model(
        by=by, slug=offer.model_name, stage=LifecycleStage.PRODUCTION
    )
    return model.versions.filter(current=True).first() or add_version(
        by=by, model=model, revision=offer.served_name
    )
