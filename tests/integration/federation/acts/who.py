"""Who of the cast may do an act; the others are refused."""

from collections.abc import Callable
from typing import Any

from tests.integration.federation.world import World

ADMIN = frozenset({"admin"})
RENNES_DSI = ADMIN | {"rennes_dsi"}
NOBODY = frozenset[str]()
"""An operator at the machine alone."""
Act = Callable[[World, Any], object]
Acts = dict[str, tuple[frozenset[str], Act]]
"""By the operation's name, with the case after it: who may, and the act itself."""
