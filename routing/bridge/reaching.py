"""How the router reaches servers, as the register has it: sealed keys, certificates, and what it is allowed."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from federation.fleet.models import (
    ClientCertificate,
    EgressGrant,
    InferenceServer,
    SiteEgressGrant,
    UpstreamCredential,
)
from routing.upstream.egress import Grants


@dataclass(frozen=True)
class Reach:
    """Of one server. `credential` and `client_key` are sealed for its id."""

    credential: str | None = None
    client_chain: str | None = None
    client_key: str | None = None
    grants: Grants = ()


def reaches(servers: QuerySet[InferenceServer]) -> Callable[[InferenceServer], Reach]:
    """Return how each of these servers is reached, read at once: its own grants and those of its site."""
    credentials = dict(
        UpstreamCredential.objects.current()
        .filter(server__in=servers)
        .values_list("server_id", "ciphertext")
    )
    certificates = {
        row.server_id: row for row in ClientCertificate.objects.current().filter(server__in=servers)
    }
    addresses, networks = _addresses(servers), _networks(servers)

    def reach(server: InferenceServer) -> Reach:
        shown = certificates.get(server.pk)
        return Reach(
            credential=credentials.get(server.pk),
            client_chain=shown.chain if shown else None,
            client_key=shown.ciphertext if shown else None,
            grants=(*addresses.get(server.pk, ()), *networks.get(server.site_id, ())),
        )

    return reach


def _addresses(servers: QuerySet[InferenceServer]) -> dict[UUID, list[tuple[str, int]]]:
    grants = defaultdict(list)
    for row in EgressGrant.objects.in_force().filter(server__in=servers).order_by("pk"):
        grants[row.server_id].append((row.address, row.port))
    return grants


def _networks(servers: QuerySet[InferenceServer]) -> dict[UUID, list[tuple[str, int]]]:
    sites = servers.order_by().values("site")
    grants: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
    for row in SiteEgressGrant.objects.in_force().filter(site__in=sites).order_by("pk"):
        grants[row.site_id] += [(row.network, port) for port in row.ports]
    return grants
