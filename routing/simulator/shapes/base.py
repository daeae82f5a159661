"""What all shapes share: finding the handler, the key, JSON in and out, errors as exceptions.

Not responsible for any engine's words: subclasses say them.
"""

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from routing.simulator.config import ServerConfig
from routing.simulator.engine import Engine
from routing.simulator.http import Answer, Headers, Request, Stream

Handler = Callable[[Request], Awaitable[Answer | Stream]]
Routes = dict[str, tuple[str, Handler]]
Body = dict[str, Any]


class ApiError(Exception):
    """A refusal, before it is written in an engine's shape."""

    def __init__(
        self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param


class Hangup(Exception):
    """The real server drops the connection here instead of answering."""


class Shape:
    """One engine's face. Subclasses fill `routes` and say how keys, errors and answers look."""

    def __init__(self, config: ServerConfig, engine: Engine) -> None:
        self.config = config
        self.engine = engine
        self.started = int(time.time())
        self.routes: Routes = {}

    async def answer(self, request: Request) -> Answer | Stream:
        """The answer to a request. Raises `Hangup` where the real server drops the connection."""
        if (refused := self.guard(request)) is not None:
            return refused
        if request.method == "OPTIONS":
            return self.preflight()
        route = self.routes.get(request.path) or self._route_with_id(request.path)
        if route is None:
            return self.not_found()
        method, handler = route
        if request.method not in (method, "HEAD" if method == "GET" else method):
            return self.wrong_method(method)
        try:
            return await handler(request)
        except ApiError as error:
            return self.error(error, request)

    def guard(self, request: Request) -> Answer | None:
        """A refusal before the request is looked at: a wrong key, for instance."""
        raise NotImplementedError

    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        raise NotImplementedError

    def failure(self, status: int, message: str) -> Answer:
        """An error of the server itself, for faults and for bugs of the simulator."""
        return self.error(ApiError(status, message, "InternalServerError"))

    def preflight(self) -> Answer:
        return Answer(200, b"OK", "text/plain; charset=utf-8")

    def not_found(self) -> Answer:
        return self.json({"detail": "Not Found"}, 404)

    def wrong_method(self, allowed: str) -> Answer:
        return self.json({"detail": "Method Not Allowed"}, 405, (("allow", allowed),))

    def headers(self) -> Headers:
        """Headers that every JSON answer of this engine carries."""
        return ()

    def json(self, value: object, status: int = 200, headers: Headers = ()) -> Answer:
        return Answer(status, msgspec.json.encode(value), headers=(*self.headers(), *headers))

    def has_key(self, request: Request) -> bool:
        """Whether the request carries this server's bearer token, if it has one."""
        expected = self.config.api_key
        if expected is None:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and secrets.compare_digest(
            given.encode(), expected.encode()
        )

    def _route_with_id(self, path: str) -> tuple[str, Handler] | None:
        for known, route in self.routes.items():
            if known.endswith("*") and path.startswith(known[:-1]):
                return route
        return None


def decode(body: bytes) -> Any:
    """The JSON in a body. Raises ValueError for anything that is none, however deep."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
