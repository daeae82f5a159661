"""Models, their immutable versions, public names, routing policies and minimum services.

Which server runs them is the fleet's.
"""

from federation.catalogue.models.life import Announcement, Notice, Proposal, StageChange
from federation.catalogue.models.minimum import (
    MOST_SERVERS,
    MinimumService,
    MinimumServiceAlarm,
)
from federation.catalogue.models.names import (
    LONGEST_DESCRIPTION,
    PUBLIC_NAME,
    AIModel,
    Alias,
    ModelVersion,
)
from federation.catalogue.models.routing import LONGEST_WAIT, MOST_SHARES, RoutingPolicy

__all__ = [
    "LONGEST_DESCRIPTION",
    "LONGEST_WAIT",
    "MOST_SERVERS",
    "MOST_SHARES",
    "PUBLIC_NAME",
    "AIModel",
    "Alias",
    "Announcement",
    "MinimumService",
    "MinimumServiceAlarm",
    "ModelVersion",
    "Notice",
    "Proposal",
    "RoutingPolicy",
    "StageChange",
]
