"""vLLM 0.32, generating (`kind` chat), pooling (`kind` embed) or listening (`kind` speech): endpoints, key, errors.

Compared with captures of a real server, but for speech. What it writes is in `vllm_writers`, `dialects` and `media`.
"""

import uuid
from typing import ClassVar

import msgspec

from routing.simulator.http import Answer, Headers, Request, Stream
from routing.simulator.metrics import CONTENT_TYPE
from routing.simulator.shapes import asking, media
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.base import ApiError, Routes, shown
from routing.simulator.shapes.dialects import MessagesWriter, ResponsesWriter
from routing.simulator.shapes.openai import OpenAI, digest
from routing.simulator.shapes.vllm_writers import ChatWriter, CompletionWriter, whole_usage
from routing.simulator.shapes.writing import DONE, Writer, spaced_sse
from routing.simulator.text import Ask

VERSION = "0.32.0"
BUSY = (
    "The engine is currently busy and cannot accept new requests. "
    "Please try again later or on a different instance."
)
MEDIA_TYPE = "Unsupported Media Type: Only 'application/json' is allowed"
NO_TOOL = "The tool specified in `tool_choice` does not match any of the specified `tools`"
NO_MESSAGES = "Cannot apply chat template to an empty conversation. Provide at least one message."
LATE_OPTIONS = "Stream options can only be defined when `stream=True`."
# Words of a prompt are one token each here; only their number matters.
VOCABULARY = 32_000


class VLLM(OpenAI):
    """The endpoints of a vLLM server."""

    chat_writer: ClassVar[type[Writer]] = ChatWriter
    completion_writer: ClassVar[type[Writer]] = CompletionWriter
    head_first = True
    origins = ""
    headers: Headers = (("server", "uvicorn"), ("vary", "Origin"))

    def build_routes(self) -> Routes:
        by_kind = {
            "chat": self._generating,
            "embed": self._pooling,
            "speech": self._listening,
        }
        return by_kind[self.config.kind]() | {
            "/v1/models": ("GET", self.models),
            "/health": ("GET", self.alive),
            "/ping": ("GET", self.alive),
            "/version": ("GET", self.version),
            "/load": ("GET", self.load),
            "/metrics": ("GET", self.metrics),
            "/dcgm/metrics": ("GET", self.energy),
            "/tokenize": ("POST", self.tokenize),
        }

    def _pooling(self) -> Routes:
        return {
            "/v1/embeddings": ("POST", self.embeddings),
            "/rerank": ("POST", self.rerank),
            "/v1/rerank": ("POST", self.rerank),
            "/v2/rerank": ("POST", self.rerank),
        }

    def _listening(self) -> Routes:
        return {
            "/v1/audio/transcriptions": ("POST", self.transcriptions),
            "/v1/audio/translations": ("POST", self.translations),
        }

    def _generating(self) -> Routes:
        return {
            "/v1/chat/completions": ("POST", self.chat),
            "/v1/completions": ("POST", self.completions),
            "/v1/responses": ("POST", self.responses),
            "/v1/messages": ("POST", self.messages),
            "/v1/messages/count_tokens": ("POST", self.count_tokens),
        }

    def guard(self, request: Request) -> Answer | None:
        guarded = request.path.startswith("/v1") and request.method != "OPTIONS"
        if self.config.api_key is None or not guarded or self.has_key(request):
            return None
        headers = (("server", "uvicorn"),)
        return Answer(401, msgspec.json.encode({"error": "Unauthorized"}), headers=headers)

    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        if request is not None and request.path.startswith("/v1/messages"):
            said = {"type": error.kind, "message": error.message}
            return self.json({"type": "error", "error": said}, error.status)
        return self.json(self.error_body(error), error.status)

    def error_body(self, error: ApiError) -> Body:
        said = {"message": error.message, "type": error.kind, "param": error.param}
        return {"error": {**said, "code": error.status}}

    def invalid(self, error: Invalid) -> ApiError:
        place = ".".join(filter(None, ("body", error.field)))
        found = {"type": error.problem, "loc": place, "msg": error.sentence}
        message = f"1 validation error:\n  { {**found, 'input': shown(error.given)} }"
        return ApiError(400, message, "Bad Request", place)

    def bad_json(self, why: str) -> ApiError:
        return self.invalid(Invalid("", "json_invalid", "JSON decode error", why))

    def full(self) -> ApiError:
        return ApiError(503, BUSY, "Service Unavailable")

    def refusal_in_stream(self) -> bytes:
        return spaced_sse(self.error_body(self.full())) + DONE

    def read(self, request: Request) -> Body:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            message = f"1 validation error:\n  {MEDIA_TYPE}"
            raise ApiError(400, message, "Bad Request")
        return super().read(request)

    def check_model(self, body: Body) -> None:
        name = self.config.model
        if body.get("model") not in (None, name):
            message = f"The model `{shown(body['model'])}` does not exist. Valid aliases: {name}."
            raise ApiError(404, message, "NotFoundError", "model")

    def check_sampling(self, body: Body) -> None:
        temperature = asking.number(body, "temperature")
        if temperature is not None and temperature < 0:
            text = f"temperature must be non-negative, got {float(temperature)}."
            raise _bad_value(text, "temperature", float(temperature))
        if body.get("stream_options") and not body.get("stream"):
            raise _bad_parameter(LATE_OPTIONS, "stream_options")
        for field in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            self._check_limit(body, field)

    def _check_limit(self, body: Body, field: str) -> None:
        wanted, longest = asking.integer(body, field), self.config.max_model_len
        if wanted is not None and wanted > longest:
            text = f"max_tokens={wanted} cannot be greater than max_model_len={longest}."
            raise _bad_value(f"{text} Please request fewer output tokens.", "max_tokens", wanted)

    def check_chat(self, body: Body) -> None:
        if not body["messages"]:
            raise ApiError(400, NO_MESSAGES)
        if asking.pictures(body) and not self.config.multimodal:
            raise ApiError(400, f"{self.config.model} is not a multimodal model")
        if isinstance(body.get("tool_choice"), dict) and not asking.chat(body).tools:
            raise _bad_parameter(NO_TOOL, "tool_choice")

    def room(self, ask: Ask) -> int:
        longest, prompt = self.config.max_model_len, max(ask.prompts)
        if prompt >= longest:
            text = (
                f"This model's maximum context length is {longest} tokens. However, your prompt "
                f"contains at least {longest + 1} input tokens, which exceeds this limit even "
                "without any output tokens. Please reduce the length of the input prompt."
            )
            raise _bad_value(text, "input_tokens", longest + 1)
        return longest - prompt

    def ident(self, prefix: str, request: Request) -> str:
        return prefix + (request.headers.get("x-request-id") or uuid.uuid4().hex[:16])

    async def models(self, request: Request) -> Answer:
        forbidden = ("allow_create_engine", "allow_search_indices", "allow_fine_tuning")
        permission = {
            "id": f"modelperm-{uuid.uuid4().hex[:16]}",
            "object": "model_permission",
            "created": self.started,
            **dict.fromkeys(forbidden, False),
            **dict.fromkeys(("allow_sampling", "allow_logprobs", "allow_view"), True),
            "organization": "*",
            "group": None,
            "is_blocking": False,
        }
        card = {
            "id": self.config.model,
            "object": "model",
            "created": self.started,
            "owned_by": "vllm",
            "root": f"/models/{self.config.model}",
            "parent": None,
            "max_model_len": self.config.max_model_len,
            "permission": [permission],
        }
        return self.json({"object": "list", "data": [card]})

    async def alive(self, request: Request) -> Answer:
        return Answer(200, b"", None, self.headers)

    async def version(self, request: Request) -> Answer:
        return self.json({"version": VERSION})

    async def load(self, request: Request) -> Answer:
        batch = self.engine.batch
        return self.json({"server_load": len(batch.running) + len(batch.waiting)})

    async def metrics(self, request: Request) -> Answer:
        text = self.engine.metrics.text(self.engine.batch)
        return Answer(200, text, CONTENT_TYPE, self.headers)

    async def energy(self, request: Request) -> Answer:
        """What no vLLM has: a dcgm-exporter beside it, at its own address."""
        return Answer(200, self.engine.metrics.energy_text(self.config.name), CONTENT_TYPE)

    async def tokenize(self, request: Request) -> Answer:
        body = self.read(request)
        self.check_model(body)
        ask = asking.chat(body) if "messages" in body else asking.completion(body)
        count = sum(ask.prompts)
        tokens = [digest(f"{ask.fingerprint}/{place}") % VOCABULARY for place in range(count)]
        longest = self.config.max_model_len
        answer = {"count": count, "max_model_len": longest, "tokens": tokens, "token_strs": None}
        return self.json(answer)

    async def responses(self, request: Request) -> Answer | Stream:
        return await self.plain(request, asking.response, "resp_", ResponsesWriter)

    async def messages(self, request: Request) -> Answer | Stream:
        return await self.plain(request, asking.message, "chatcmpl-", MessagesWriter)

    async def count_tokens(self, request: Request) -> Answer:
        body = self.read(request)
        self.check_model(body)
        count = sum(asking.message(body).prompts)
        managed = {"original_input_tokens": count}
        return self.json({"input_tokens": count, "context_management": managed})

    async def embeddings(self, request: Request) -> Answer:
        job, data = await self.embedded(request)
        frame = {"id": job.id, "object": "list", "created": job.created, "model": job.model}
        return self.json({**frame, "data": data, "usage": whole_usage(job)})

    async def rerank(self, request: Request) -> Answer:
        body = self.read(request)
        self.check_model(body)
        query, documents = asking.rerank(body)
        job = self.job(self.ident("score-", request), asking.embedding([query, *documents]), body)
        await self.run(job)
        results: list[Body] = [
            {
                "index": index,
                "document": {"text": text, "multi_modal": None},
                "relevance_score": digest(f"{query}/{text}") / 2**64,
            }
            for index, text in enumerate(documents)
        ]
        results.sort(key=lambda result: result["relevance_score"], reverse=True)
        results = results[: asking.integer(body, "top_n") or None]
        usage = {"prompt_tokens": job.prompt_tokens, "total_tokens": job.prompt_tokens}
        return self.json({"id": job.id, "model": job.model, "usage": usage, "results": results})

    async def transcriptions(self, request: Request) -> Answer:
        return await media.transcribe(self, request, in_french=True)

    async def translations(self, request: Request) -> Answer:
        return await media.transcribe(self, request, in_french=False)


def _bad_parameter(text: str, name: str) -> ApiError:
    return ApiError(400, f"{text} (parameter={name})", param=name)


def _bad_value(text: str, name: str, value: float) -> ApiError:
    return ApiError(400, f"{text} (parameter={name}, value={value})", param=name)
