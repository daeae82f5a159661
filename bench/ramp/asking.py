"""One client's request: sent, read as it streams, given up when its patience ends. Times in seconds of the run."""

import asyncio
import re
from enum import StrEnum
from http import HTTPStatus

import msgspec

from bench.ramp.stage import Arm, Who
from routing.upstream import client as upstream
from routing.upstream.egress import EgressPolicy, Target
from routing.upstream.errors import UpstreamError
from tests.support.router import HOST

PATIENCE_SECONDS = 45.0
"""How long somebody waits for a first token; it counts as the time to it when none came."""
BYTES_PER_TOKEN = 4
PATH = "/v1/chat/completions"
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
    """Asks by the relay's own HTTP client: httpx takes ten times the CPU, and late clients measure themselves.

    `began` is the loop's time at which the run began.
    """

    def __init__(self, port: int) -> None:
        self._client = upstream.Client(EgressPolicy(grants=((HOST, port),)))
        self._destination = upstream.Destination(target=Target("http", HOST, port))
        self._loop = asyncio.get_running_loop()
        self.began = self._loop.time()

    def now(self) -> float:
        return self._loop.time() - self.began

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, arm: Arm, who: Who, prompt: int, answer: int) -> Answer:
        """Return what became of a stream of `answer` tokens."""
        at, first_token, tokens, status = self.now(), None, 0, Status.FAILED
        try:
            async with asyncio.timeout(PATIENCE_SECONDS) as patience:
                response = await self._send(arm, who, prompt, answer)
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    status = Status.REFUSED
                try:
                    while data := await response.read():
                        tokens += len(_TOKEN.findall(data))
                        if tokens and first_token is None:
                            first_token = self.now() - at
                            patience.reschedule(None)
                finally:
                    response.abort()
        except TimeoutError:
            status = Status.GAVE_UP
        except UpstreamError:
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

    async def _send(self, arm: Arm, who: Who, prompt: int, answer: int) -> upstream.Response:
        body = {
            "model": arm.model,
            "messages": [{"role": "user", "content": "x" * (BYTES_PER_TOKEN * prompt)}],
            "stream": True,
            "max_tokens": answer,
            "min_tokens": answer,
        }
        headers = (
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {who.key}".encode()),
        )
        return await self._client.request(
            self._destination, "POST", PATH, headers, msgspec.json.encode(body)
        )
