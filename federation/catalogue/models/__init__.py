"""Models, their immutable versions, public names and routing policies. Which server runs them is the fleet's."""

from federation.catalogue.models.life import Announcement, Notice, Proposal, StageChange
from federation.catalogue.models.names import PUBLIC_NAME, AIModel, Alias, ModelVersion
from federation.catalogue.models.routing import LONGEST_WAIT, MOST_SHARES, RoutingPolicy

__all__ = [
    "LONGEST_WAIT",
    "MOST_SHARES",
    "PUBLIC_NAME",
    "AIModel",
    "Alias",
    "Announcement",
    "ModelVersion",
    "Notice",
    "Proposal",
    "RoutingPolicy",
    "StageChange",
]
