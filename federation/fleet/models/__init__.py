"""Sites and servers, what their owners declared of them, what runs found, and when they are away."""

from federation.fleet.models.certificates import ClientCertificate
from federation.fleet.models.leases import Lease, ServerToken
from federation.fleet.models.maintenance import Maintenance
from federation.fleet.models.networks import SiteEgressGrant
from federation.fleet.models.probes import EnergyProbe
from federation.fleet.models.runs import ConformityLine, ConformityRun
from federation.fleet.models.servers import (
    Deployment,
    EgressGrant,
    GuestRules,
    InferenceServer,
    Site,
    UpstreamCredential,
)
from federation.fleet.models.technical import TechnicalForm

__all__ = [
    "ClientCertificate",
    "ConformityLine",
    "ConformityRun",
    "Deployment",
    "EgressGrant",
    "EnergyProbe",
    "GuestRules",
    "InferenceServer",
    "Lease",
    "Maintenance",
    "ServerToken",
    "Site",
    "SiteEgressGrant",
    "TechnicalForm",
    "UpstreamCredential",
]
