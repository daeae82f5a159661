"""Spool records as a router writes them, with ids of nobody unless a test names somebody."""

import time
from typing import Any
from uuid import UUID

from routing.core.accounting import Attempt, Closed, Opened, Ticked
from routing.core.enums import RequestStatus, UsageSource
from routing.core.ids import uuid7
from tests.support.decisions import an_explanation

NOBODY = {name: str(UUID(int=n)) for n, name in enumerate(("key", "application", "model"), start=1)}


def opened(**facts: Any) -> Opened:
    now = time.time()
    told: dict[str, Any] = {
        "id": str(uuid7()),
        "client_request_id": "",
        "key_id": NOBODY["key"],
        "application_id": NOBODY["application"],
        "institution_id": str(UUID(int=9)),
        "model_id": NOBODY["model"],
        "model_asked": "mistral-small",
        "endpoint": "chat/completions",
        "stream": True,
        "priority": 3,
        "received_at": now,
        "prompt_estimate": 40,
    }
    return Opened(**told | facts)


def ticked(request: Opened, **facts: Any) -> Ticked:
    told: dict[str, Any] = {
        "id": request.id,
        "server_id": str(UUID(int=7)),
        "first_token_at": request.received_at + 0.5,
        "completion_tokens": 10,
        "at": request.received_at + 5,
    }
    return Ticked(**told | facts)


def closed(request: Opened | None = None, **facts: Any) -> Closed:
    request = request or opened()
    told: dict[str, Any] = {
        "status": RequestStatus.OK,
        "http_status": 200,
        "server_id": None,
        "deployment_id": None,
        "model_served": "",
        "prompt_tokens": 100,
        "cached_tokens": 20,
        "completion_tokens": 50,
        "reasoning_tokens": 5,
        "usage_source": UsageSource.SERVER,
        "first_token_at": request.received_at + 0.25,
        "finished_at": request.received_at + 2,
        "attempts": (),
    }
    return Closed(opened=request, **told | facts)


def attempt(outcome: str = "ok", **facts: Any) -> Attempt:
    told: dict[str, Any] = {
        "server_id": str(UUID(int=7)),
        "deployment_id": str(UUID(int=8)),
        "started_at": time.time(),
        "ended_at": time.time() + 1,
        "explanation": an_explanation(),
    }
    return Attempt(outcome=outcome, **told | facts)
