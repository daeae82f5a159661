"""Models, their immutable versions, public names and routing policies. Which server runs them is the fleet's."""

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
    "MOST_SHARES",
    "PUBLIC_NAME",
    "AIModel",
    "Alias",
    "ModelVersion",
    "RoutingPolicy",
]
