"""A LiteLLM 1.106 proxy in front of a vLLM: its errors hold the vLLM's as a string, its headers tell too much.

Compared with captures of a proxy without a database. Not captured, so from its documentation: a good answer of
`/v1/embeddings`, `/v1/rerank`, `/v1/responses`, `/v1/messages` and `/v1/images/generations`, `/health` with a key, and
fullness.
"""

import time
import uuid
import zlib

import msgspec

from routing.simulator.config import ServerConfig
from routing.simulator.engine import Engine
from routing.simulator.http import Answer, Headers, Request, Stream
from routing.simulator.shapes import asking, media
from routing.simulator.shapes.asking import Body
from routing.simulator.shapes.base import ApiError, Routes, shown
from routing.simulator.shapes.litellm_writers import ChatWriter, CompletionWriter
from routing.simulator.shapes.vllm import VLLM

VERSION = "1.106.2"
# What the proxy gives for the moment its models began: always the same.
CREATED = 1_677_610_602
# After a 404 of its server the proxy sends nobody there for this long.
COOLDOWN_SECONDS = 5
# Shorter answers are not compressed.
GZIP_FROM = 500
HEADERS: Headers = (
    ("vary", "Origin"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
)
# Endpoints with the field that the proxy itself asks for.
NEEDED = {
    "/v1/chat/completions": "messages",
    "/v1/completions": "prompt",
    "/v1/embeddings": "input",
    "/v1/rerank": "query",
    "/v1/responses": "input",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "messages",
    "/v1/images/generations": "prompt",
}
# The kind of the proxy's own errors; all others come from the server behind it.
OWN = "invalid_request_error"
COOLING, NO_DATABASE = "all_deployments_in_cooldown", "no_db_connection"
# The parameter of an error about a body that is no JSON.
UNREADABLE = "request_body"
ANTHROPIC_KINDS = {429: "rate_limit_error"}
NAMES = {
    404: "NotFoundError: NotFoundError",
    503: "ServiceUnavailableError: ServiceUnavailableError",
}
METRICS_REFUSED = "Unauthorized access to metrics endpoint"


class LiteLLM(VLLM):
    """A proxy with one model, served by one vLLM."""

    chat_writer = ChatWriter
    completion_writer = CompletionWriter
    head_first = False
    origins = "*"
    headers = HEADERS

    def __init__(self, config: ServerConfig, engine: Engine) -> None:
        super().__init__(config, engine)
        self._cooling_until = 0.0

    def build_routes(self) -> Routes:
        embeds, draws = self.config.kind == "embed", self.config.kind == "images"
        writes = not (embeds or draws)
        return {
            "/v1/models": ("GET", self.models),
            "/v1/models/*": ("GET", self.model_card),
            "/v1/chat/completions": ("POST", self.chat if writes else self.missing),
            "/v1/completions": ("POST", self.completions if writes else self.missing),
            "/v1/responses": ("POST", self.responses if writes else self.missing),
            "/v1/messages": ("POST", self.messages if writes else self.missing),
            "/v1/messages/count_tokens": ("POST", self.count_tokens),
            "/v1/embeddings": ("POST", self.embeddings if embeds else self.missing),
            "/v1/rerank": ("POST", self.rerank if embeds else self.missing),
            **({"/v1/images/generations": ("POST", self.images)} if draws else {}),
            "/health": ("GET", self.health),
            "/health/liveliness": ("GET", self.liveliness),
            "/metrics": ("GET", self.metrics),
        }

    async def answer(self, request: Request) -> Answer | Stream:
        answer = await super().answer(request)
        relayed = request.method == "POST" and request.path != "/v1/messages/count_tokens"
        if relayed and (isinstance(answer, Stream) or answer.status == 200):
            headers = (*answer.headers, *_call(), *self._server(), *_provider())
            answer = msgspec.structs.replace(answer, headers=headers)
        return answer if isinstance(answer, Stream) else _compressed(answer, request)

    def guard(self, request: Request) -> Answer | None:
        """Without its database the proxy fails on a missing key and does not know any other."""
        open_to_all = ("/health/liveliness", "/metrics")
        if self.config.api_key is None or request.method == "OPTIONS":
            return None
        if request.path in open_to_all or self.route(request.path) is None:
            return None
        given = request.headers.get("authorization") or request.headers.get("x-api-key")
        if not given:
            closing = (("connection", "close"),)
            text = b"Internal Server Error"
            return Answer(500, text, "text/plain; charset=utf-8", closing, last=True)
        if self.has_key(request) or self.is_key(request.headers.get("x-api-key", "")):
            return None
        return self.error(ApiError(400, "No connected db.", NO_DATABASE))

    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        own = error.kind in (OWN, COOLING, NO_DATABASE)
        kind, param = (error.kind, error.param) if own else (OWN, None)
        message = error.message if own else self._wrapped(error)
        headers = () if kind == NO_DATABASE or param == UNREADABLE else _call()
        if not own:
            headers += _provider()
        if request is not None and request.path == "/v1/messages":
            said = {"type": ANTHROPIC_KINDS.get(error.status, OWN), "message": message}
            return self.json({"type": "error", "error": said}, error.status, headers)
        wrong: Body = {"message": message, "type": kind, "param": param, "code": str(error.status)}
        if own and kind == OWN and param is None:
            wrong["provider_specific_fields"] = {"error": message}
        return self.json({"error": wrong}, error.status, headers)

    def _wrapped(self, error: ApiError) -> str:
        """The server's own error, as a string inside the proxy's sentence."""
        inner = {"detail": error.message} if error.status == 404 else self.error_body(error)
        name = NAMES.get(error.status, "BadRequestError")
        group = f"LiteLLM: model group '{self.config.model}' failed with the error above."
        text = msgspec.json.encode(inner).decode()
        return (
            f"litellm.{name}: Hosted_vllmException - {text}\n\n{group} No fallback was attempted."
        )

    def read(self, request: Request) -> Body:
        body = self._decoded(request)
        where, needed = request.path.removeprefix("/v1"), NEEDED[request.path]
        if needed not in body:
            text = f"{where}: Missing required parameter: '{needed}'."
            raise ApiError(400, text, OWN, needed)
        if (name := body.get("model")) != self.config.model:
            text = f"{where}: Invalid model name passed in model={shown(name)}."
            raise ApiError(
                400, f"{text} Call `/v1/models` to view available models for your key.", OWN
            )
        self._check_cooldown()
        return body

    def _decoded(self, request: Request) -> Body:
        if "form" in request.headers.get("content-type", ""):
            return {}
        try:
            body = asking.decoded(request.body)
        except ValueError as error:
            raise ApiError(400, f"Invalid JSON payload: {error}", OWN, UNREADABLE) from error
        return body if isinstance(body, dict) else {}

    def _check_cooldown(self) -> None:
        if time.monotonic() < self._cooling_until:
            text = (
                f"No deployments available for selected model, Try again in {COOLDOWN_SECONDS} "
                "seconds. All deployments for selected model are in cooldown. Passed "
                f"model={self.config.model}. pre-call-checks=False, cooldown_list=['{self._id()}']"
            )
            raise ApiError(429, text, COOLING)

    async def missing(self, request: Request) -> Answer:
        """An endpoint that the server behind the proxy lacks: a 404, and everybody waits."""
        self.read(request)
        self._cooling_until = time.monotonic() + COOLDOWN_SECONDS
        raise ApiError(404, "Not Found", "NotFoundError")

    async def images(self, request: Request) -> Answer:
        return await media.draw(self, request)

    async def models(self, request: Request) -> Answer:
        return self.json({"data": [self._card("openai")], "object": "list"})

    async def model_card(self, request: Request) -> Answer:
        name = request.path.removeprefix("/v1/models/")
        if name != self.config.model:
            text = f"The model `{shown(name)}` does not exist or is not accessible"
            return self.json({"detail": text}, 404)
        return self.json(self._card("hosted_vllm"))

    async def count_tokens(self, request: Request) -> Answer:
        count = sum(asking.message(self.read(request)).prompts)
        return self.json({"input_tokens": count, "litellm_count_source": "local_estimate"})

    async def health(self, request: Request) -> Answer:
        healthy = [{"model": f"hosted_vllm/{self.config.model}"}]
        counts = {"healthy_count": 1, "unhealthy_count": 0}
        return self.json({"healthy_endpoints": healthy, "unhealthy_endpoints": [], **counts})

    async def liveliness(self, request: Request) -> Answer:
        return self.json("I'm alive!")

    async def metrics(self, request: Request) -> Answer:
        return self.json(METRICS_REFUSED, 401)

    def stream_headers(self) -> Headers:
        return (*self.headers, ("cache-control", "no-cache"), ("x-accel-buffering", "no"))

    def _card(self, owner: str) -> Body:
        lengths = dict.fromkeys(
            ("max_input_tokens", "max_output_tokens"), self.config.max_model_len
        )
        card = {"id": self.config.model, "object": "model", "created": CREATED, "owned_by": owner}
        return {**card, **lengths}

    def _id(self) -> str:
        return uuid.uuid5(uuid.NAMESPACE_DNS, self.config.name).hex * 2

    def _server(self) -> Headers:
        """Headers that name the server behind, which nobody outside should learn."""
        return (
            ("x-litellm-model-id", self._id()),
            ("x-litellm-model-name", f"hosted_vllm/{self.config.model}"),
            ("x-litellm-model-api-base", "http://vllm.internal.example.org:8000/v1"),
            ("x-litellm-version", VERSION),
            ("x-litellm-model-group", self.config.model),
        )


def _call() -> Headers:
    return (("x-litellm-call-id", str(uuid.uuid4())), ("x-litellm-key-spend", "0.0"))


def _provider() -> Headers:
    """What the server behind said, under other names."""
    ident = uuid.uuid4().hex
    names = ("llm_provider-x-request-id", "llm_provider-request-id", "request-id")
    return (("llm_provider-server", "uvicorn"), *((name, ident) for name in names))


def _compressed(answer: Answer, request: Request) -> Answer:
    accepted = "gzip" in request.headers.get("accept-encoding", "")
    if not accepted or len(answer.body) < GZIP_FROM:
        return answer
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(answer.body) + packer.flush()
    vary = tuple(pair for pair in answer.headers if pair[0] != "vary")
    headers = (*vary, ("vary", "Origin, Accept-Encoding"), ("content-encoding", "gzip"))
    return msgspec.structs.replace(answer, body=body, headers=headers)
