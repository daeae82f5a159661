"""LMDeploy's API server, from its documentation; not compared with a real one.

Its errors are flat objects, its streams leave out what is null, and it generates one choice a request.
"""

import uuid
from typing import Any

import msgspec

from routing.simulator.http import Answer, Request
from routing.simulator.metrics import CONTENT_TYPE, family
from routing.simulator.shapes import asking
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.base import ApiError, Routes, shown
from routing.simulator.shapes.openai import OpenAI
from routing.simulator.shapes.writing import DONE, Writer, spaced_sse
from routing.simulator.text import Ask

# Its names for what is wrong.
KINDS = {404: "not_found_error", 503: "server_error", 500: "server_error"}


class LMDeployWriter(Writer):
    """What chats and completions share."""

    def chunk(self, name: str, choices: list[Any]) -> bytes:
        usage = {"usage": None} if self.usage_asked else {}
        return spaced_sse({**self.envelope(name), "choices": choices, **usage})

    def last(self, name: str) -> bytes:
        if not self.usage_asked:
            return DONE
        return spaced_sse({**self.envelope(name), "choices": [], "usage": self.usage()}) + DONE


class ChatWriter(LMDeployWriter):
    def whole(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        message: dict[str, Any] = {"role": "assistant", "content": script.text}
        message |= {"gen_tokens": None, "reasoning_content": None, "tool_calls": None}
        if script.tool is not None:
            call = self._call({"name": script.tool, "arguments": script.text})
            message |= {"content": "", "tool_calls": [call]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": script.finish}
        return {**self.envelope("chat.completion"), "choices": [choice], "usage": self.usage()}

    def delta(self, index: int, start: int, end: int) -> bytes:
        text, name = self.text(index, start, end), self.job.scripts[0].tool
        if name is None:
            return self._piece({"role": "assistant", "content": text})
        named = {} if start else {"name": name}
        call = {**self._call({**named, "arguments": text}), "index": 0}
        return self._piece({"role": "assistant", "tool_calls": [call]})

    def finish(self, index: int) -> bytes:
        nothing = {"role": "assistant", "content": ""}
        return self._piece(nothing, finish_reason=self.job.scripts[0].finish)

    def end(self) -> bytes:
        return self.last("chat.completion.chunk")

    def _piece(self, delta: dict[str, Any], **more: object) -> bytes:
        return self.chunk("chat.completion.chunk", [{"index": 0, "delta": delta, **more}])

    def _call(self, function: dict[str, str]) -> dict[str, Any]:
        ident = f"chatcmpl-tool-{self.job.id.removeprefix('chatcmpl-')}"
        return {"id": ident, "type": "function", "function": function}


class CompletionWriter(LMDeployWriter):
    def whole(self) -> dict[str, Any]:
        unused = {"logprobs": None, "gen_tokens": None}
        choices = [
            {"index": index, "text": script.text, **unused, "finish_reason": script.finish}
            for index, script in enumerate(self.job.scripts)
        ]
        return {**self.envelope("text_completion"), "choices": choices, "usage": self.usage()}

    def delta(self, index: int, start: int, end: int) -> bytes:
        return self._piece(self.text(index, start, end))

    def finish(self, index: int) -> bytes:
        return self._piece("", finish_reason=self.job.scripts[index].finish)

    def end(self) -> bytes:
        return self.last("text_completion")

    def _piece(self, text: str, **more: object) -> bytes:
        """A piece of any of the prompts: they all have the index 0 in a stream."""
        return self.chunk("text_completion", [{"index": 0, "text": text, **more}])


class LMDeploy(OpenAI):
    """The endpoints of `lmdeploy serve api_server`."""

    chat_writer = ChatWriter
    completion_writer = CompletionWriter
    head_first = True
    headers = (("server", "uvicorn"),)

    def build_routes(self) -> Routes:
        return {
            "/v1/models": ("GET", self.models),
            "/v1/chat/completions": ("POST", self.chat),
            "/v1/completions": ("POST", self.completions),
            "/v1/embeddings": ("POST", self.embeddings),
            "/health": ("GET", self.health),
            "/metrics": ("GET", self.metrics),
        }

    def guard(self, request: Request) -> Answer | None:
        guarded = request.path.startswith("/v1") and request.method != "OPTIONS"
        if self.config.api_key is None or not guarded or self.has_key(request):
            return None
        return self.json({"error": "Unauthorized"}, 401)

    def error(self, error: ApiError, request: Request | None = None) -> Answer:
        if error.status == 422:
            return self.json({"detail": msgspec.json.decode(error.message)}, 422)
        return self.json(_flat(error), error.status)

    def invalid(self, error: Invalid) -> ApiError:
        place = ["body", *filter(None, error.field.split("."))]
        found = {"type": error.problem, "loc": place, "msg": error.sentence}
        details = [{**found, "input": shown(error.given)}]
        return ApiError(422, msgspec.json.encode(details).decode())

    def bad_json(self, why: str) -> ApiError:
        return self.invalid(Invalid("", "json_invalid", "JSON decode error", {}))

    def full(self) -> ApiError:
        return ApiError(503, "Too many requests wait")

    def refusal_in_stream(self) -> bytes:
        return spaced_sse(_flat(self.full())) + DONE

    def check_model(self, body: Body) -> None:
        if "model" not in body:
            raise Invalid("model", "missing", "Field required", body)
        if body["model"] != self.config.model:
            raise ApiError(404, f"The model '{shown(body['model'])}' does not exist.")

    def check_sampling(self, body: Body) -> None:
        temperature = asking.number(body, "temperature")
        if temperature is not None and not 0 <= temperature <= 2:
            raise ApiError(400, f"The temperature {temperature!r} must be in [0, 2]")

    def ask_chat(self, body: Body) -> Ask:
        return asking.chat({**body, "n": None})

    def ident(self, prefix: str, request: Request) -> str:
        return f"{prefix}{uuid.uuid4().hex[:22]}"

    async def models(self, request: Request) -> Answer:
        forbidden = dict.fromkeys(("allow_create_engine", "allow_fine_tuning"), False)
        allowed = ("allow_sampling", "allow_logprobs", "allow_search_indices", "allow_view")
        permission = {
            "id": f"modelperm-{uuid.uuid4().hex[:22]}",
            "object": "model_permission",
            "created": self.started,
            **forbidden,
            **dict.fromkeys(allowed, True),
            "organization": "*",
            "group": None,
            "is_blocking": False,
        }
        name = self.config.model
        card = {"id": name, "object": "model", "created": self.started, "owned_by": "lmdeploy"}
        card |= {"root": name, "parent": None, "permission": [permission]}
        return self.json({"object": "list", "data": [card]})

    async def embeddings(self, request: Request) -> Answer:
        raise ApiError(400, "Unsupported by turbomind.")

    async def health(self, request: Request) -> Answer:
        return Answer(200, b"", None, self.headers)

    async def metrics(self, request: Request) -> Answer:
        batch, done = self.engine.batch, self.engine.metrics
        labels = {"engine": "0", "model_name": self.config.model}
        gauges = {
            "num_requests_running": len(batch.running),
            "num_requests_waiting": len(batch.waiting),
            "gpu_cache_usage_perc": batch.kv_usage,
        }
        counters = {
            "prompt_tokens_total": done.prompt_tokens,
            "generation_tokens_total": done.generation_tokens,
        }
        lines = [
            line
            for kind, values in (("gauge", gauges), ("counter", counters))
            for name, value in values.items()
            for line in family(f"lmdeploy:{name}", kind, name, [("", labels, value)])
        ]
        return Answer(200, "".join(lines).encode(), CONTENT_TYPE, self.headers)


def _flat(error: ApiError) -> dict[str, Any]:
    """An error as LMDeploy writes it: no `error` around it."""
    kind = KINDS.get(error.status, "invalid_request_error")
    said = {"message": error.message, "type": kind, "code": error.status}
    return {**said, "param": error.param, "object": "error"}
