"""What all shapes share: finding the handler, the key, JSON in and out, running a job, errors as exceptions.

Not responsible for any engine's words: subclasses say them.
"""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import msgspec

from routing.simulator.config import ServerConfig
from routing.simulator.engine import Engine, Full, Job
from routing.simulator.http import Answer, Headers, Request, Stream
from routing.simulator.schema import SchemaError
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.writing import Writer
from routing.simulator.text import Ask, compose

PLAIN = "text/plain; charset=utf-8"
PREFLIGHT: Headers = (
    (
        "vary",
        "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
        "Access-Control-Request-Private-Network",
    ),
    ("access-control-allow-methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY"),
    ("access-control-max-age", "600"),
)
# Longest text that an error message repeats.
SHOWN = 80

Handler = Callable[[Request], Awaitable[Answer | Stream]]
Routes = dict[str, tuple[str, Handler]]


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


class Shape(ABC):
    """One engine's face. Subclasses say which routes there are and how keys, errors and answers look."""

    # Whether a stream's head is sent before its first token is there, so that a refusal comes with 200.
    head_first = False
    # Origins that may call from a browser, as the answer to OPTIONS tells them.
    origins = "*"
    # Headers that every JSON answer and stream of this engine carries.
    headers: Headers = ()

    def __init__(self, config: ServerConfig, engine: Engine) -> None:
        self.config = config
        self.engine = engine
        self.started = int(time.time())
        self.routes = self.build_routes()

    @abstractmethod
    def build_routes(self) -> Routes:
        """Each path with its method and its handler; a path may end with `*`."""

    async def answer(self, request: Request) -> Answer | Stream:
        """The answer to a request, whatever the request is."""
        if (refused := self.guard(request)) is not None:
            return refused
        if request.method == "OPTIONS":
            return self.preflight(request)
        route = self.route(request.path)
        if route is None:
            return self.not_found()
        allowed, handler = route
        if request.method != allowed and (request.method, allowed) != ("HEAD", "GET"):
            return self.wrong_method(allowed)
        try:
            return await handler(request)
        except ApiError as error:
            return self.error(error, request)
        except Invalid as error:
            return self.error(self.invalid(error), request)
        except RecursionError:
            return self.error(self.bad_json("nested too deeply"), request)

    def route(self, path: str) -> tuple[str, Handler] | None:
        """The method and the handler of a path."""
        for known, route in self.routes.items():
            if path == known or (known.endswith("*") and path.startswith(known[:-1])):
                return route
        return None

    @abstractmethod
    def guard(self, request: Request) -> Answer | None:
        """A refusal before the request is looked at: a wrong key, for instance."""

    @abstractmethod
    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        """A refusal in this engine's shape."""

    @abstractmethod
    def invalid(self, error: Invalid) -> ApiError:
        """How this engine puts a field that it cannot read."""

    @abstractmethod
    def bad_json(self, why: str) -> ApiError:
        """How this engine refuses a body that is no JSON."""

    @abstractmethod
    def full(self) -> ApiError:
        """How this engine refuses a request because too many wait."""

    def failure(self, status: int, message: str) -> Answer:
        """An error of the server itself, for faults and for bugs of the simulator."""
        return self.error(ApiError(status, message, "InternalServerError"))

    def preflight(self, request: Request) -> Answer:
        """The answer to OPTIONS, as the middleware gives it that all the Python servers use."""
        asked = request.headers.get("access-control-request-headers", "")
        server = tuple(pair for pair in self.headers if pair[0] != "vary")
        headers = (*server, *PREFLIGHT, ("access-control-allow-headers", asked))
        if not self.origins:
            return Answer(400, b"Disallowed CORS origin", PLAIN, headers)
        return Answer(200, b"OK", PLAIN, (*headers, ("access-control-allow-origin", self.origins)))

    def not_found(self) -> Answer:
        return self.json({"detail": "Not Found"}, 404)

    def wrong_method(self, allowed: str) -> Answer:
        return self.json({"detail": "Method Not Allowed"}, 405, (("allow", allowed),))

    def json(self, value: object, status: int = 200, headers: Headers = ()) -> Answer:
        return Answer(status, msgspec.json.encode(value), headers=(*self.headers, *headers))

    def has_key(self, request: Request) -> bool:
        """Whether the request carries this server's bearer token, if it has one."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_key(given)

    def is_key(self, given: str) -> bool:
        expected = self.config.api_key or ""
        return secrets.compare_digest(given.encode(), expected.encode())

    def room(self, ask: Ask) -> int:
        """Tokens that the context window leaves for each answer; may raise `ApiError`."""
        return max(0, self.config.max_model_len - max(ask.prompts))

    def answered_name(self, body: Body) -> str:
        """The model's name as the answer gives it."""
        return self.config.model

    def job(self, ident: str, ask: Ask, body: Body) -> Job:
        """A job that answers `ask`. Raises `ApiError` where a schema is none."""
        try:
            scripts = compose(ask, self.config.seed, self.room(ask))
        except SchemaError as error:
            raise ApiError(400, f"Grammar error: {error}") from error
        return Job(ident, self.answered_name(body), ask.prompts, scripts)

    async def run(self, job: Job) -> None:
        """Compute a job to its end."""
        try:
            await self.engine.complete(job)
        except Full as error:
            raise self.full() from error

    async def written(self, writer: Writer, *, stream: bool) -> Answer | Stream:
        """Compute the writer's job and answer whole, or in pieces as they come."""
        if not stream:
            await self.run(writer.job)
            return self.json(writer.whole())
        pieces = self._pieces(writer)
        if not self.head_first:
            try:
                pieces = await _primed(pieces)
            except Full as error:
                raise self.full() from error
        return Stream(pieces, writer.content_type, self.stream_headers())

    def stream_headers(self) -> Headers:
        return self.headers

    def refusal_in_stream(self) -> bytes:
        """What a stream that has begun says when the job is refused: nothing, unless the engine is `head_first`."""
        return b""

    async def _pieces(self, writer: Writer) -> AsyncGenerator[bytes]:
        opening = writer.begin()
        try:
            async with aclosing(self.engine.follow(writer.job)) as steps:
                async for index, start, end in steps:
                    last = end == len(writer.job.scripts[index].tokens)
                    closing = writer.finish(index) if last else b""
                    yield opening + writer.delta(index, start, end) + closing
                    opening = b""
        except Full:
            if not self.head_first:
                raise
            yield self.refusal_in_stream()
            return
        silent = (i for i, script in enumerate(writer.job.scripts) if not script.tokens)
        yield opening + b"".join(map(writer.finish, silent)) + writer.end()


def shown(value: object) -> object:
    """A value as an error message repeats it: containers by their size, long texts cut."""
    if isinstance(value, dict | list):
        return f"<{type(value).__name__} of {len(value)} items>"
    return value[:SHOWN] if isinstance(value, str) else value


async def _primed(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same pieces, once the first one is there."""
    first = await anext(pieces)

    async def all_pieces() -> AsyncGenerator[bytes]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    return all_pieces()
