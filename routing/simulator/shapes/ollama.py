"""Ollama: its own `/api` and its `/v1`, from its documentation; not compared with a real one.

It knows no keys: with an `api_key` it answers as behind a reverse proxy that asks for one.
"""

import hashlib
import random
from datetime import UTC, datetime

import msgspec

from routing.simulator.engine import Job
from routing.simulator.http import Answer, Request, Stream
from routing.simulator.shapes import asking
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.base import ApiError, Routes, shown
from routing.simulator.shapes.ollama_writers import (
    ApiChatWriter,
    ApiGenerateWriter,
    ChatWriter,
    CompletionWriter,
)
from routing.simulator.shapes.openai import OpenAI, vector
from routing.simulator.shapes.writing import Writer
from routing.simulator.text import Ask

VERSION = "0.13.5"
BUSY = "server busy, please try again.  maximum pending requests exceeded"
KINDS = {400: "invalid_request_error", 404: "not_found_error"}
# What a member's reverse proxy says without the right key.
UNAUTHORIZED = b"<html><head><title>401 Authorization Required</title></head></html>"
# Believable figures of a card; nobody computes with them.
FAMILY, QUANTISATION, BYTES = "llama", "Q4_K_M", 4_920_753_328


class Ollama(OpenAI):
    """The endpoints of `ollama serve`, with one model."""

    chat_writer = ChatWriter
    completion_writer = CompletionWriter

    def build_routes(self) -> Routes:
        return {
            "/": ("GET", self.running),
            "/api/version": ("GET", self.version),
            "/api/tags": ("GET", self.tags),
            "/api/ps": ("GET", self.loaded),
            "/api/show": ("POST", self.show),
            "/api/chat": ("POST", self.api_chat),
            "/api/generate": ("POST", self.api_generate),
            "/api/embed": ("POST", self.api_embed),
            "/v1/models": ("GET", self.models),
            "/v1/models/*": ("GET", self.model),
            "/v1/chat/completions": ("POST", self.chat),
            "/v1/completions": ("POST", self.completions),
            "/v1/embeddings": ("POST", self.embeddings),
        }

    def guard(self, request: Request) -> Answer | None:
        if self.config.api_key is None or self.has_key(request):
            return None
        headers = (("server", "nginx"), ("www-authenticate", "Bearer"))
        return Answer(401, UNAUTHORIZED, "text/html", headers)

    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        if request is not None and request.path.startswith("/api"):
            return self.json({"error": error.message}, error.status)
        kind = KINDS.get(error.status, "api_error")
        said = {"message": error.message, "type": kind, "param": None, "code": None}
        return self.json({"error": said}, error.status)

    def invalid(self, error: Invalid) -> ApiError:
        return ApiError(400, str(error))

    def bad_json(self, why: str) -> ApiError:
        return ApiError(400, why)

    def full(self) -> ApiError:
        return ApiError(503, BUSY)

    def preflight(self, request: Request) -> Answer:
        return Answer(204, b"", None, (("access-control-allow-origin", "*"),))

    def not_found(self) -> Answer:
        return Answer(404, b"404 page not found", "text/plain")

    def wrong_method(self, allowed: str) -> Answer:
        return Answer(405, b"405 method not allowed", "text/plain", (("allow", allowed),))

    def check_model(self, body: Body) -> None:
        name = body.get("model", body.get("name"))
        if not name:
            raise ApiError(400, "model is required")
        if not self._is_here(name):
            raise ApiError(404, f"model '{shown(name)}' not found")

    def check_chat(self, body: Body) -> None:
        if self.config.kind == "embed":
            raise ApiError(400, f'"{self.config.model}" does not support chat')
        if not body["messages"]:
            raise ApiError(400, "[] is too short - 'messages'")

    def ask_chat(self, body: Body) -> Ask:
        return asking.chat({**body, "n": None, "max_completion_tokens": None})

    def answered_name(self, body: Body) -> str:
        return str(body.get("model", self.config.model))

    def job(self, ident: str, ask: Ask, body: Body) -> Job:
        """A prompt that is too long is cut silently: only the count of its tokens tells."""
        longest = self.config.max_model_len
        cut = tuple(min(prompt, longest) for prompt in ask.prompts)
        return super().job(ident, msgspec.structs.replace(ask, prompts=cut), body)

    def room(self, ask: Ask) -> int:
        """There is always room: see `job`."""
        return max(1, super().room(ask))

    def ident(self, prefix: str, request: Request) -> str:
        """The real one draws from 999 numbers, so that ids do repeat."""
        return f"{prefix}{random.randrange(999)}"

    async def running(self, request: Request) -> Answer:
        return Answer(200, b"Ollama is running", "text/plain; charset=utf-8")

    async def version(self, request: Request) -> Answer:
        return self.json({"version": VERSION})

    async def tags(self, request: Request) -> Answer:
        return self.json({"models": [{**self._card(), "modified_at": self._since()}]})

    async def loaded(self, request: Request) -> Answer:
        length = self.config.max_model_len
        more = {"expires_at": self._since(), "size_vram": BYTES, "context_length": length}
        return self.json({"models": [{**self._card(), **more}]})

    async def show(self, request: Request) -> Answer:
        self.check_model(self.read(request))
        facts = {
            "general.architecture": FAMILY,
            f"{FAMILY}.context_length": self.config.max_model_len,
        }
        able = ["embedding"] if self.config.kind == "embed" else ["completion", "tools"]
        details = {"details": self._card()["details"], "model_info": facts, "capabilities": able}
        return self.json({**details, "modified_at": self._since()})

    async def models(self, request: Request) -> Answer:
        return self.json({"object": "list", "data": [self._openai_card(self.config.model)]})

    async def model(self, request: Request) -> Answer:
        name = request.path.removeprefix("/v1/models/")
        self.check_model({"model": name})
        return self.json(self._openai_card(name))

    async def api_chat(self, request: Request) -> Answer | Stream:
        body = self._with_options(request)
        ask = self.ask_chat(body)
        self.check_chat(body)
        return await self._api_answer(ApiChatWriter(self.job("", ask, body), body), body)

    async def api_generate(self, request: Request) -> Answer | Stream:
        body = self._with_options(request)
        ask = asking.completion({"max_tokens": self.config.max_model_len, **body, "n": None})
        return await self._api_answer(ApiGenerateWriter(self.job("", ask, body), body), body)

    async def api_embed(self, request: Request) -> Answer:
        body = self.read(request)
        self.check_model(body)
        texts = asking.prompts(body, "input")
        job = self.job("", asking.embedding(texts), body)
        await self.run(job)
        vectors = [vector(text) for text in texts]
        counts = {"load_duration": 0, "prompt_eval_count": job.prompt_tokens}
        return self.json({"model": job.model, "embeddings": vectors, **counts})

    def _with_options(self, request: Request) -> Body:
        """A body of `/api`, with its limit and its format where OpenAI has them."""
        body = self.read(request)
        self.check_model(body)
        options = body.get("options")
        limit = options.get("num_predict") if isinstance(options, dict) else None
        limited = {"max_tokens": limit} if isinstance(limit, int) and limit > 0 else {}
        match body.get("format"):
            case "json":
                wanted: Body = {"type": "json_object"}
            case dict(schema):
                wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
            case _:
                wanted = {}
        return {**body, **limited, "response_format": wanted}

    async def _api_answer(self, writer: Writer, body: Body) -> Answer | Stream:
        """Under `/api` a stream is what one gets unless one declines it."""
        return await self.written(writer, stream=body.get("stream") is not False)

    def _is_here(self, name: object) -> bool:
        own = self.config.model
        return name in (own, f"{own}:latest") or own == f"{name}:latest"

    def _card(self) -> Body:
        name = self.config.model
        details = {
            "parent_model": "",
            "format": "gguf",
            "family": FAMILY,
            "families": [FAMILY],
            "parameter_size": "8.0B",
            "quantization_level": QUANTISATION,
        }
        digest = hashlib.sha256(name.encode()).hexdigest()
        return {"name": name, "model": name, "size": BYTES, "digest": digest, "details": details}

    def _openai_card(self, name: str) -> Body:
        return {"id": name, "object": "model", "created": self.started, "owned_by": "library"}

    def _since(self) -> str:
        return datetime.fromtimestamp(self.started, UTC).isoformat().replace("+00:00", "Z")
