"""Accounted requests for tests: what the router would have written down, stored as the clerk stores it."""

from datetime import datetime, timedelta
from random import getrandbits
from typing import Any
from uuid import UUID

from django.utils import timezone

from billing.records.intake import store
from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from routing.core.accounting import Attempt, Closed, Opened
from routing.core.enums import Endpoint, RequestStatus, UsageSource
from routing.core.ids import uuid7_floor

SECONDS_TO_FIRST_TOKEN = 0.25
SECONDS_TO_END = 2.0


def store_calls(
    key: ApiKey,
    deployment: Deployment,
    *,
    count: int = 1,
    at: datetime | None = None,
    is_demo: bool = False,
    client_request_id: str = "",
    **changes: Any,
) -> list[Closed]:
    """Store `count` answered requests that arrived at `at`, or have just ended; `changes` are of `Closed`."""
    arrived = at or timezone.now() - timedelta(seconds=SECONDS_TO_END)
    opened = [_opened(key, deployment, arrived, client_request_id) for _ in range(count)]
    calls = [_answered(asked, deployment, arrived, **changes) for asked in opened]
    store(calls, is_demo=is_demo)
    return calls


def _opened(
    key: ApiKey, deployment: Deployment, arrived: datetime, client_request_id: str
) -> Opened:
    model = deployment.version.model
    return Opened(
        id=str(UUID(int=uuid7_floor(arrived).int + getrandbits(62))),
        client_request_id=client_request_id,
        key_id=str(key.pk),
        application_id=str(key.application_id),
        institution_id=str(key.application.institution_id),
        model_id=str(model.pk),
        model_asked=model.slug,
        endpoint=Endpoint.CHAT,
        stream=True,
        priority=key.priority,
        received_at=arrived.timestamp(),
        prompt_estimate=10,
    )


def _answered(opened: Opened, deployment: Deployment, arrived: datetime, **changes: Any) -> Closed:
    tried = Attempt(
        server_id=str(deployment.server_id),
        deployment_id=str(deployment.pk),
        started_at=arrived.timestamp(),
        outcome="ok",
    )
    answered: dict[str, Any] = {
        "opened": opened,
        "status": RequestStatus.OK,
        "http_status": 200,
        "server_id": str(deployment.server_id),
        "deployment_id": str(deployment.pk),
        "model_served": deployment.served_name,
        "prompt_tokens": 10,
        "cached_tokens": 0,
        "completion_tokens": 32,
        "reasoning_tokens": 0,
        "usage_source": UsageSource.SERVER,
        "first_token_at": arrived.timestamp() + SECONDS_TO_FIRST_TOKEN,
        "finished_at": arrived.timestamp() + SECONDS_TO_END,
        "attempts": (tried,),
    }
    return Closed(**{**answered, **changes})
