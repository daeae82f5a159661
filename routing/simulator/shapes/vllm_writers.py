"""How vLLM 0.32 writes chats and completions, whole and streamed."""

import uuid
from abc import abstractmethod
from typing import Any

from routing.simulator.engine import Job
from routing.simulator.shapes.asking import Body
from routing.simulator.shapes.writing import DONE, Writer, sse, usage

FINGERPRINT = "vllm-0.32.0-51a1a70e"
NO_TRANSFER = {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}


def whole_usage(job: Job) -> dict[str, Any]:
    return {**usage(job), "prompt_tokens_details": None, "completion_tokens_details": None}


class VLLMWriter(Writer):
    """What chats and completions share: the envelope, usage, the last chunk."""

    name: str
    chunk_name: str

    def __init__(self, job: Job, body: Body) -> None:
        super().__init__(job, body)
        self._continuous = self.usage_asked and self.options.get("continuous_usage_stats") is True
        self._unfinished = len(job.scripts)

    def chunk(self, choice: dict[str, Any], **more: object) -> bytes:
        value = {**self.envelope(self.chunk_name), "choices": [choice]}
        if self._continuous:
            value["usage"] = {**self.usage(), "completion_tokens_details": None}
        return sse({**value, **more})

    def whole(self) -> dict[str, Any]:
        return {
            **self.envelope(self.name),
            "choices": [self.choice(index) for index in range(len(self.job.scripts))],
            "service_tier": None,
            "system_fingerprint": FINGERPRINT,
            "usage": whole_usage(self.job),
        }

    @abstractmethod
    def choice(self, index: int) -> dict[str, Any]:
        """One sequence of a whole answer."""

    def closing(self) -> dict[str, str]:
        """The fingerprint, in the last chunk that has a choice, unless the usage chunk brings it."""
        self._unfinished -= 1
        last = not self._unfinished and not self.usage_asked
        return {"system_fingerprint": FINGERPRINT} if last else {}

    def end(self) -> bytes:
        if not self.usage_asked:
            return DONE
        totals = {"choices": [], "usage": self.usage(), "system_fingerprint": FINGERPRINT}
        return sse({**self.envelope(self.chunk_name), **totals}) + DONE


class ChatWriter(VLLMWriter):
    name, chunk_name = "chat.completion", "chat.completion.chunk"

    def __init__(self, job: Job, body: Body) -> None:
        super().__init__(job, body)
        self._calls = [f"chatcmpl-tool-{uuid.uuid4().hex[:16]}" for _ in job.scripts]
        self._named = isinstance(body.get("tool_choice"), dict)

    def whole(self) -> dict[str, Any]:
        no_prompt = {"prompt_logprobs": None, "prompt_token_ids": None, "prompt_text": None}
        return {**super().whole(), **no_prompt, **NO_TRANSFER}

    def choice(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "message": self._message(index),
            "logprobs": None,
            "finish_reason": self._reason(index),
            "stop_reason": None,
            "token_ids": None,
            "routed_experts": None,
        }

    def begin(self) -> bytes:
        delta = {"role": "assistant", "content": ""}
        return b"".join(
            self.chunk(
                {"index": index, "delta": delta, "logprobs": None, "finish_reason": None},
                prompt_token_ids=None,
                prompt_text=None,
            )
            for index in range(len(self.job.scripts))
        )

    def delta(self, index: int, start: int, end: int) -> bytes:
        text = self.text(index, start, end)
        name = self.job.scripts[index].tool
        if name is None:
            return self._delta(index, {"content": text})
        part = {"index": 0, "function": {"arguments": text}}
        piece = self._delta(index, {"content": None, "tool_calls": [part]})
        if start:
            return piece
        opening = {"id": self._calls[index], "type": "function", "index": 0}
        opening["function"] = {"name": name}
        return self._delta(index, {"content": None, "tool_calls": [opening]}) + piece

    def finish(self, index: int) -> bytes:
        choice = {"index": index, "delta": {}, "logprobs": None}
        choice |= {"finish_reason": self._reason(index), "stop_reason": None, "token_ids": None}
        return self.chunk(choice, **self.closing())

    def _delta(self, index: int, delta: dict[str, Any]) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        return self.chunk({**choice, "token_ids": None})

    def _message(self, index: int) -> dict[str, Any]:
        script = self.job.scripts[index]
        unused = {"refusal": None, "annotations": None, "audio": None, "function_call": None}
        message: dict[str, Any] = {
            "role": "assistant",
            "content": script.text,
            **unused,
            "reasoning": None,
        }
        if script.tool is not None:
            called = {"name": script.tool, "arguments": script.text}
            call = {"id": self._calls[index], "type": "function", "function": called}
            message |= {"content": None, "tool_calls": [call]}
        return message

    def _reason(self, index: int) -> str:
        """Why an answer ended; vLLM says `stop` when the client had named the tool itself."""
        reason = self.job.scripts[index].finish
        return "stop" if reason == "tool_calls" and self._named else reason


class CompletionWriter(VLLMWriter):
    name = chunk_name = "text_completion"

    def whole(self) -> dict[str, Any]:
        return {**super().whole(), **NO_TRANSFER}

    def choice(self, index: int) -> dict[str, Any]:
        script = self.job.scripts[index]
        return {
            "index": index,
            "text": script.text,
            "logprobs": None,
            "finish_reason": script.finish,
            "stop_reason": None,
            "token_ids": None,
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "routed_experts": None,
        }

    def delta(self, index: int, start: int, end: int) -> bytes:
        return self._piece(index, self.text(index, start, end), None)

    def finish(self, index: int) -> bytes:
        return self._piece(index, "", self.job.scripts[index].finish, **self.closing())

    def _piece(self, index: int, text: str, reason: str | None, **more: object) -> bytes:
        unused = {"stop_reason": None, "prompt_token_ids": None, "token_ids": None}
        choice = {"index": index, "text": text, "logprobs": None, "finish_reason": reason}
        return self.chunk({**choice, **unused}, **more)
