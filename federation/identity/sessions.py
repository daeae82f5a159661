"""What allauth asks over HTTP goes through the egress guard: the few methods of a `requests` session that it uses."""

import asyncio
import base64
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx
from django.conf import settings
from requests import RequestException
from requests.auth import HTTPBasicAuth

from routing.upstream.egress import EgressPolicy
from routing.upstream.errors import UpstreamError
from routing.upstream.guarded import Fetched, fetch, guarded_client

SECONDS = 10.0
MOST_BYTES = 2**20


class Answer(httpx.Response):
    """As `requests` has it, as far as allauth looks."""

    def raise_for_status(self) -> "Answer":
        if self.is_error:
            raise RequestException(f"status {self.status_code}")
        return self


class GuardedSession:
    """Raises `RequestException`, which allauth turns into its page about what went wrong."""

    def __enter__(self) -> "GuardedSession":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is kept open between requests."""

    def get(self, url: str, **options: Any) -> Answer:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        return self.request("POST", url, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: HTTPBasicAuth | None = None,
    ) -> Answer:
        asked = httpx.Request(method, url, params=params, data=data, headers=headers)
        if auth is not None:
            pair = base64.b64encode(f"{auth.username!s}:{auth.password!s}".encode()).decode()
            asked.headers["authorization"] = f"Basic {pair}"
        try:
            told = asyncio.run(_fetched(asked))
        except UpstreamError as trouble:
            raise RequestException(str(trouble)) from trouble
        about = {"content-type": told.content_type}
        return Answer(told.status, headers=about, content=told.body, request=asked)


async def _fetched(asked: httpx.Request) -> Fetched:
    headers = {name: value for name, value in asked.headers.items() if name != "host"}
    async with guarded_client(policy()) as http:
        return await fetch(
            http,
            str(asked.url),
            method=asked.method,
            headers=headers,
            content=asked.content or None,
            limit=MOST_BYTES,
            seconds=SECONDS,
        )


def policy() -> EgressPolicy:
    """Return what the portal may reach: public addresses over https, and what the operator has listed."""
    return EgressPolicy(grants=settings.SIGN_IN_GRANTS, ports=frozenset(settings.EGRESS_PORTS))
