"""How a LiteLLM 1.106 proxy writes chats and completions: chunks without nulls, usage in a chunk with a choice."""

import uuid
from abc import abstractmethod
from typing import Any

from routing.simulator.engine import Job
from routing.simulator.shapes.asking import Body
from routing.simulator.shapes.vllm_writers import FINGERPRINT, NO_TRANSFER
from routing.simulator.shapes.writing import DONE, Writer, sse

EMPTY_DELTA: dict[str, Any] = {"delta": {}}


class LiteLLMWriter(Writer):
    """What chats and completions share: the envelope and the usage chunk."""

    name: str
    # What stands in the choice of a chunk that says nothing.
    nothing: dict[str, Any]

    def chunk(self, index: int, choice: dict[str, Any], **more: object) -> bytes:
        choices = [{"index": index, **choice}]
        return sse({**self.envelope(self.name), "choices": choices, **more})

    def finish(self, index: int) -> bytes:
        return self.chunk(index, {**self.nothing, "finish_reason": self.job.scripts[index].finish})

    def end(self) -> bytes:
        if not self.usage_asked:
            return DONE
        said = {"reasoning_tokens": 0, "text_tokens": self.job.completion_tokens}
        details = {} if self.job.scripts[0].tool else {"completion_tokens_details": said}
        usage = {**self.usage(), **details, **self.cached()}
        return self.chunk(0, self.nothing, usage=usage) + DONE

    @abstractmethod
    def cached(self) -> dict[str, Any]:
        """What is said of the prompt beside its length."""


class ChatWriter(LiteLLMWriter):
    name, nothing = "chat.completion.chunk", EMPTY_DELTA

    def __init__(self, job: Job, body: Body) -> None:
        super().__init__(job, body)
        self._calls = [f"chatcmpl-tool-{uuid.uuid4().hex[:16]}" for _ in job.scripts]

    def whole(self) -> dict[str, Any]:
        return {
            **self.envelope("chat.completion"),
            "system_fingerprint": FINGERPRINT,
            "choices": [self._choice(index) for index in range(len(self.job.scripts))],
            "usage": {**self.usage(), **self.cached()},
        }

    def begin(self) -> bytes:
        delta = {"delta": {"role": "assistant", "content": ""}}
        return b"".join(self.chunk(index, delta) for index in range(len(self.job.scripts)))

    def delta(self, index: int, start: int, end: int) -> bytes:
        text = self.text(index, start, end)
        name = self.job.scripts[index].tool
        if name is None:
            return self.chunk(index, {"delta": {"content": text}})
        call: dict[str, Any] = {"function": {"arguments": text}, "type": "function", "index": 0}
        piece = self.chunk(index, {"delta": {"tool_calls": [call]}})
        if start:
            return piece
        opening = {**call, "function": {"arguments": "", "name": name}, "id": self._calls[index]}
        return self.chunk(index, {"delta": {"tool_calls": [opening]}}) + piece

    def cached(self) -> dict[str, Any]:
        return {"prompt_tokens_details": {"cached_tokens": 0, "created_cache_tokens": 0}}

    def _choice(self, index: int) -> dict[str, Any]:
        script = self.job.scripts[index]
        fields = {"token_ids": None, "stop_reason": None, "routed_experts": None}
        message: dict[str, Any] = {"content": script.text, "role": "assistant"}
        if script.tool is not None:
            called = {"name": script.tool, "arguments": script.text}
            call = {"function": called, "id": self._calls[index], "type": "function"}
            message |= {"content": None, "tool_calls": [call]}
        message["provider_specific_fields"] = {"refusal": None, "reasoning": None}
        frame = {"finish_reason": script.finish, "index": index, "message": message}
        return {**frame, "provider_specific_fields": fields}


class CompletionWriter(LiteLLMWriter):
    name = "text_completion"
    nothing: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        kinds = ("audio_tokens", "text_tokens", "image_tokens", "video_tokens")
        unknown = dict.fromkeys((*kinds, "created_cache_tokens", "multimodal_tokens"))
        read = {**unknown, "cached_tokens": 0}
        details = {"completion_tokens_details": None, "prompt_tokens_details": read}
        return {
            **self.envelope(self.name),
            "choices": [self._choice(index) for index in range(len(self.job.scripts))],
            "usage": {**self.usage(), **details},
            "system_fingerprint": FINGERPRINT,
            "service_tier": None,
            **NO_TRANSFER,
        }

    def delta(self, index: int, start: int, end: int) -> bytes:
        """A piece of any of the prompts: in a stream they all have the index 0."""
        return self.chunk(0, {"text": self.text(index, start, end)})

    def finish(self, index: int) -> bytes:
        """The first prompt's end; the proxy forgets the others."""
        return b"" if index else super().finish(index)

    def cached(self) -> dict[str, Any]:
        return {"prompt_tokens_details": {"cached_tokens": 0}}

    def _choice(self, index: int) -> dict[str, Any]:
        script = self.job.scripts[index]
        tokens = ("prompt_logprobs", "prompt_token_ids", "token_ids")
        unused = dict.fromkeys(("stop_reason", "routed_experts", "logprobs", *tokens))
        said = {"finish_reason": script.finish, "index": index, "text": script.text}
        return {**unused, **said}
