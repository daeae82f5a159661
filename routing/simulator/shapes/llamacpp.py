"""llama-cpp-python 0.3.36: an odd server that computes one answer at a time and answers most mistakes with 500.

Compared with captures of a real server. Not captured, so from its documentation: embeddings of a server that
was started for them, completions as a stream, and fullness (the real one lets everybody wait).
"""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from routing.simulator.http import Answer, Headers, Request, Stream
from routing.simulator.shapes import asking
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.base import ApiError, Routes, shown
from routing.simulator.shapes.openai import OpenAI
from routing.simulator.shapes.writing import DONE, Writer, spaced_sse
from routing.simulator.text import Ask

ROLES = ("system", "user", "assistant", "tool", "function")
NOT_EMBEDDING = "Llama model must be created with embedding=True to call this method"
FORMATS = ("text", "json_object")
# The kind of every error that the server did not foresee, and ours for those that it dies of.
INTERNAL, BROKEN = "internal_server_error", "broken"
OVERLONG = "context_length_exceeded"


class LlamaWriter(Writer):
    """What chats and completions share: Python's JSON with its spaces, and no usage in a stream."""

    def end(self) -> bytes:
        return DONE


class ChatWriter(LlamaWriter):
    def whole(self) -> dict[str, Any]:
        choice = {"index": 0, "message": self._message(), "logprobs": None}
        choice["finish_reason"] = self.job.scripts[0].finish
        return {**self.envelope("chat.completion"), "choices": [choice], "usage": self.usage()}

    def begin(self) -> bytes:
        if self.job.scripts[0].tool is None:
            return self._chunk({"role": "assistant"})
        unused = {"content": None, "function_call": None, "tool_calls": None}
        return self._chunk({"role": "assistant", **unused})

    def delta(self, index: int, start: int, end: int) -> bytes:
        text = self.text(index, start, end)
        name = self.job.scripts[0].tool
        if name is None:
            return self._chunk({"content": text})
        called = {"name": name, "arguments": text}
        calls = [{"index": 0, "id": self._call_id(), "type": "function", "function": called}]
        unused = {"role": None, "content": None}
        return self._chunk({**unused, "function_call": called, "tool_calls": calls})

    def finish(self, index: int) -> bytes:
        script = self.job.scripts[0]
        unused = dict.fromkeys(("role", "content", "function_call", "tool_calls"))
        return self._chunk({} if script.tool is None else unused, script.finish)

    def _message(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        if script.tool is None:
            return {"content": script.text, "role": "assistant"}
        called = {"name": script.tool, "arguments": script.text}
        calls = [{"id": self._call_id(), "type": "function", "function": called}]
        return {"content": None, "tool_calls": calls, "role": "assistant", "function_call": called}

    def _call_id(self) -> str:
        number = self.job.id.removeprefix("chatcmpl-")
        return f"call__0_{self.job.scripts[0].tool}_cmpl-{number}"

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return spaced_sse({**self.envelope("chat.completion.chunk"), "choices": [choice]})


class CompletionWriter(LlamaWriter):
    def whole(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        choice = self._choice(script.text, script.finish)
        return {**self.envelope("text_completion"), "choices": [choice], "usage": self.usage()}

    def delta(self, index: int, start: int, end: int) -> bytes:
        choice = self._choice(self.text(index, start, end), None)
        return spaced_sse({**self.envelope("text_completion"), "choices": [choice]})

    def finish(self, index: int) -> bytes:
        choice = self._choice("", self.job.scripts[0].finish)
        return spaced_sse({**self.envelope("text_completion"), "choices": [choice]})

    def _choice(self, text: str, reason: str | None) -> dict[str, Any]:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}


class LlamaCpp(OpenAI):
    """The endpoints of `python -m llama_cpp.server`."""

    chat_writer = ChatWriter
    completion_writer = CompletionWriter
    headers = (("server", "uvicorn"), ("vary", "Origin"))

    def build_routes(self) -> Routes:
        return {
            "/v1/models": ("GET", self.models),
            "/v1/chat/completions": ("POST", self.chat),
            "/v1/completions": ("POST", self.completions),
            "/v1/embeddings": ("POST", self.embeddings),
        }

    async def answer(self, request: Request) -> Answer | Stream:
        """As any shape, but a request id is on every answer, and the client's must be a UUID."""
        ident = request.headers.get("x-request-id") or uuid.uuid4().hex
        try:
            uuid.UUID(ident)
        except ValueError:
            return Answer(400, b"", None, self.headers)
        answer = await super().answer(request)
        headers = (*answer.headers, ("x-request-id", ident))
        return msgspec.structs.replace(answer, headers=headers)

    def guard(self, request: Request) -> Answer | None:
        known = self.route(request.path) is not None and request.method != "OPTIONS"
        if self.config.api_key is None or not known or self.has_key(request):
            return None
        return self.json({"detail": "Invalid API key"}, 401)

    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        if error.kind == BROKEN:
            headers = (("server", "uvicorn"),)
            text = b"Internal Server Error"
            return Answer(500, text, "text/plain; charset=utf-8", headers, last=True)
        code = OVERLONG if error.param == "messages" else None
        said = {"message": error.message, "type": error.kind, "param": error.param, "code": code}
        return self.json({"error": said}, error.status)

    def failure(self, status: int, message: str) -> Answer:
        return self.error(ApiError(status, message, INTERNAL))

    def invalid(self, error: Invalid) -> ApiError:
        place = ("body", *filter(None, error.field.split(".")))
        found = {"type": error.problem, "loc": place, "msg": error.sentence}
        text = f"1 validation error:\n  { {**found, 'input': shown(error.given)} }"
        return ApiError(500, text, INTERNAL)

    def bad_json(self, why: str) -> ApiError:
        """The real one fails over it, answers in plain text and drops the connection unannounced."""
        return ApiError(500, why, BROKEN)

    def full(self) -> ApiError:
        return ApiError(503, "Too many requests wait", INTERNAL)

    def check_model(self, body: Body) -> None:
        """Any name will do."""

    def answered_name(self, body: Body) -> str:
        return str(body.get("model") or f"/models/{self.config.model}.gguf")

    def ask_chat(self, body: Body) -> Ask:
        """Without a message it says something all the same; tools are called only by name."""
        choice = body.get("tool_choice")
        known = {"messages": [], **body, "n": None, "max_completion_tokens": None}
        return asking.chat(known if isinstance(choice, dict) else {**known, "tool_choice": "none"})

    def check_chat(self, body: Body) -> None:
        for index, each in enumerate(body.get("messages") or []):
            if each.get("role") not in ROLES:
                sentence = f"Input should be one of {ROLES}"
                raise Invalid(f"messages.{index}.role", "literal_error", sentence, each.get("role"))
            if each["role"] == "assistant" and not isinstance(each.get("content"), str):
                place, sentence = f"messages.{index}.content", "Input should be a valid string"
                raise Invalid(place, "string_type", sentence, each.get("content"))
        match body.get("response_format"):
            case {"type": str(kind)} if kind not in FORMATS:
                sentence = "Input should be 'text' or 'json_object'"
                raise Invalid("response_format.type", "literal_error", sentence, kind)
        match body.get("tool_choice"):
            case {"function": {"name": name}} if not asking.chat(body).tools:
                raise ApiError(500, f"Tool choice '{shown(name)}' not found in tools.", INTERNAL)

    def room(self, ask: Ask) -> int:
        longest, prompt = self.config.max_model_len, max(ask.prompts)
        if prompt >= longest:
            wanted = ask.max_tokens or 0
            text = (
                f"This model's maximum context length is {longest} tokens. However, you requested "
                f"{prompt + wanted} tokens ({prompt} in the messages, {wanted} in the completion). "
                "Please reduce the length of the messages or completion."
            )
            raise ApiError(400, text, "invalid_request_error", "messages")
        return longest - prompt

    def ident(self, prefix: str, request: Request) -> str:
        return f"{prefix}{uuid.uuid4()}"

    async def chat(self, request: Request) -> Answer | Stream:
        try:
            return await super().chat(request)
        except ApiError as error:
            if error.param == "messages" and asking.decoded(request.body).get("stream"):
                return Stream(_nothing(), ChatWriter.content_type, self.stream_headers())
            raise

    async def completions(self, request: Request) -> Answer | Stream:
        if isinstance(prompt := self.read(request).get("prompt"), list) and len(prompt) > 1:
            raise ApiError(500, "", INTERNAL)
        return await super().completions(request)

    async def embeddings(self, request: Request) -> Answer:
        if self.config.kind != "embed":
            raise ApiError(500, NOT_EMBEDDING, INTERNAL)
        return await super().embeddings(request)

    async def models(self, request: Request) -> Answer:
        card = {"id": self.config.model, "object": "model", "owned_by": "me", "permissions": []}
        return self.json({"object": "list", "data": [card]})

    def stream_headers(self) -> Headers:
        kept = (("cache-control", "no-store"), ("connection", "keep-alive"))
        return (*self.headers, *kept, ("x-accel-buffering", "no"))


async def _nothing() -> AsyncGenerator[bytes]:
    """What a stream says whose prompt is too long: 200, and not one event."""
    for piece in tuple[bytes, ...]():
        yield piece
