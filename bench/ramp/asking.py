"""One client's request: sent, read as it streams, given up when its patience ends. Times in seconds of the run."""

import asyncio
import re
from enum import StrEnum

import httpx
import msgspec

from bench.ramp.stage import Arm, Who

PATIENCE_SECONDS = 45.0
"""How long somebody waits for a first token; it counts as the time to it when none came."""
BYTES_PER_TOKEN = 4
_TOKEN = re.compile(rb'"content": ?"[^"]')


class Status(StrEnum):
    OK = "ok"
    GAVE_UP = "gave up"
    REFUSED = "refused"
    FAILED = "failed"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`first_token` is the time to it, `None` when none came; `at` and `ended` are counted from the start."""

    arm: str
    priority: int
    is_owner: bool
    at: float
    ended: float
    first_token: float | None
    tokens: int
    status: Status

    @property
    def waited(self) -> float:
        """Return the time to the first token, or for which none came."""
        return self.ended - self.at if self.first_token is None else self.first_token


class Client:
    """Asks on connections that stay open. `began` is the loop's time at which the run began."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx.AsyncClient(base_url=url, timeout=None, trust_env=False, limits=limits)
        self._loop = asyncio.get_running_loop()
        self.began = self._loop.time()

    def now(self) -> float:
        return self._loop.time() - self.began

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, arm: Arm, who: Who, prompt: int, answer: int) -> Answer:
        """Return what became of a stream of `answer` tokens."""
        body = {
            "model": arm.model,
            "messages": [{"role": "user", "content": "x" * (BYTES_PER_TOKEN * prompt)}],
            "stream": True,
            "max_tokens": answer,
            "min_tokens": answer,
        }
        at, first_token, tokens, status = self.now(), None, 0, Status.FAILED
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS) as patience,
                self._http.stream(
                    "POST",
                    "/v1/chat/completions",
                    json=body,
                    headers={"authorization": f"Bearer {who.key}"},
                ) as response,
            ):
                if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    status = Status.REFUSED
                async for data in response.aiter_raw():
                    tokens += len(_TOKEN.findall(data))
                    if tokens and first_token is None:
                        first_token = self.now() - at
                        patience.reschedule(None)
        except TimeoutError:
            status = Status.GAVE_UP
        except httpx.HTTPError:
            status = Status.FAILED
        return Answer(
            arm=arm.title,
            priority=who.priority,
            is_owner=who.is_owner,
            at=at,
            ended=self.now(),
            first_token=first_token,
            tokens=tokens,
            status=Status.OK if tokens == answer else status,
        )
