"""Sites and servers, what their owners declared of them, what runs found, and when they are away."""

from federation.fleet.models.maintenance import Maintenance
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
    "ConformityLine",
    "ConformityRun",
    "Deployment",
    "EgressGrant",
    "GuestRules",
    "InferenceServer",
    "Maintenance",
    "Site",
    "TechnicalForm",
    "UpstreamCredential",
]
