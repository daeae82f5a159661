"""Records in the database, by way of the intake: there is no other writer."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from billing.models import UsageRecord
from billing.records import intake
from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from routing.core.accounting import Closed
from routing.core.ids import uuid7, uuid7_floor
from tests.support.records import attempt, closed, opened

RANDOM_BITS = (1 << 62) - 1
Use = Callable[..., UsageRecord]


def used(
    key: ApiKey | None = None,
    deployment: Deployment | None = None,
    *,
    at: datetime | None = None,
    **facts: Any,
) -> Closed:
    """A request with this key, answered by this deployment, that arrived at this moment."""
    asked: dict[str, Any] = {}
    if key is not None:
        asked |= {
            "key_id": str(key.pk),
            "application_id": str(key.application_id),
            "institution_id": str(key.application.institution_id),
        }
    if deployment is not None:
        asked["model_id"] = str(deployment.version.model_id)
        asked["model_asked"] = deployment.version.model.slug
        served = {"server_id": str(deployment.server_id), "deployment_id": str(deployment.pk)}
        facts = {**served, "attempts": (attempt(**served),), **facts}
    if at is not None:
        asked["received_at"] = at.timestamp()
        asked["id"] = str(id_at(at))
    return closed(opened(**asked), **facts)


def id_at(at: datetime) -> UUID:
    """An id of this moment that no other request has."""
    return UUID(int=uuid7_floor(at).int | (uuid7().int & RANDOM_BITS))


@pytest.fixture
def use() -> Use:
    """Store a request and return its record."""

    def store(*args: Any, is_demo: bool = False, **facts: Any) -> UsageRecord:
        request = used(*args, **facts)
        intake.store([request], is_demo=is_demo)
        return UsageRecord.objects.get(pk=request.opened.id)

    return store
