"""How Ollama writes: one JSON object a line under `/api`, OpenAI's events under `/v1`. From its documentation."""

import time
import uuid
from abc import abstractmethod
from datetime import UTC, datetime
from typing import Any

import msgspec

from routing.simulator.engine import Job
from routing.simulator.shapes.asking import Body
from routing.simulator.shapes.writing import DONE, Writer, sse

FINGERPRINT = "fp_ollama"


class OpenAIWriter(Writer):
    """What its `/v1` chats and completions share; a tool's call comes whole, in one chunk."""

    content_type = "text/event-stream"

    def envelope(self, name: str) -> dict[str, Any]:
        return {**super().envelope(name), "system_fingerprint": FINGERPRINT}

    def totals(self, name: str) -> bytes:
        if not self.usage_asked:
            return DONE
        return sse({**self.envelope(name), "choices": [], "usage": self.usage()}) + DONE


class ChatWriter(OpenAIWriter):
    def __init__(self, job: Job, body: Body) -> None:
        super().__init__(job, body)
        self._called = f"call_{uuid.uuid4().hex[:8]}"

    def whole(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        message: dict[str, Any] = {"role": "assistant", "content": script.text}
        if script.tool is not None:
            message = {"role": "assistant", "content": "", "tool_calls": [self._call()]}
        choice = {"index": 0, "message": message, "finish_reason": script.finish}
        return {**self.envelope("chat.completion"), "choices": [choice], "usage": self.usage()}

    def delta(self, index: int, start: int, end: int) -> bytes:
        text = self.text(index, start, end)
        return b"" if self.job.scripts[0].tool else self._chunk({"content": text}, None)

    def finish(self, index: int) -> bytes:
        script = self.job.scripts[0]
        call: dict[str, Any] = {"content": "", "tool_calls": [self._call()]}
        calling = b"" if script.tool is None else self._chunk(call, None)
        return calling + self._chunk({"content": ""}, script.finish)

    def end(self) -> bytes:
        return self.totals("chat.completion.chunk")

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> bytes:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": reason}
        return sse({**self.envelope("chat.completion.chunk"), "choices": [choice]})

    def _call(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        function = {"name": script.tool, "arguments": script.text}
        return {"id": self._called, "index": 0, "type": "function", "function": function}


class CompletionWriter(OpenAIWriter):
    def whole(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        choice = {"text": script.text, "index": 0, "finish_reason": script.finish}
        return {**self.envelope("text_completion"), "choices": [choice], "usage": self.usage()}

    def delta(self, index: int, start: int, end: int) -> bytes:
        return self._chunk(self.text(index, start, end), None)

    def finish(self, index: int) -> bytes:
        return self._chunk("", self.job.scripts[0].finish)

    def end(self) -> bytes:
        return self.totals("text_completion")

    def _chunk(self, text: str, reason: str | None) -> bytes:
        choice = {"text": text, "index": 0, "finish_reason": reason}
        nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        usage = {"usage": nothing} if self.usage_asked else {}
        return sse({**self.envelope("text_completion"), "choices": [choice], **usage})


class ApiWriter(Writer):
    """What `/api/chat` and `/api/generate` share: durations in nanoseconds, a last line that is `done`."""

    content_type = "application/x-ndjson"

    def __init__(self, job: Job, body: Body) -> None:
        super().__init__(job, body)
        self._began = self._first = time.monotonic_ns()

    def whole(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        said = self.called() if script.tool else self.said(script.text)
        return self._frame(said, **self._totals())

    def delta(self, index: int, start: int, end: int) -> bytes:
        if not start:
            self._first = time.monotonic_ns()
        text = self.text(index, start, end)
        return b"" if self.job.scripts[0].tool else self._line(self.said(text))

    def finish(self, index: int) -> bytes:
        call = self._line(self.called()) if self.job.scripts[0].tool else b""
        return call + self._line(self.said(""), **self._totals())

    @abstractmethod
    def said(self, text: str) -> dict[str, Any]:
        """Text as this protocol carries it."""

    def called(self) -> dict[str, Any]:
        """A tool's call, with its arguments as an object; nothing where the protocol knows no tools."""
        return self.said("")

    def _line(self, said: dict[str, Any], **totals: object) -> bytes:
        return msgspec.json.encode(self._frame(said, **totals)) + b"\n"

    def _frame(self, said: dict[str, Any], **totals: object) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return {"model": self.job.model, "created_at": at, **said, "done": bool(totals), **totals}

    def _totals(self) -> dict[str, Any]:
        now, finish = time.monotonic_ns(), self.job.scripts[0].finish
        return {
            "done_reason": "length" if finish == "length" else "stop",
            "total_duration": now - self._began,
            "load_duration": 0,
            "prompt_eval_count": self.job.prompt_tokens,
            "prompt_eval_duration": self._first - self._began,
            "eval_count": self.job.completion_tokens,
            "eval_duration": now - self._first,
        }


class ApiChatWriter(ApiWriter):
    def said(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}}

    def called(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        call = {"function": {"name": script.tool, "arguments": _arguments(script.text)}}
        return {"message": {"role": "assistant", "content": "", "tool_calls": [call]}}


class ApiGenerateWriter(ApiWriter):
    """Its requests bring no tools."""

    def said(self, text: str) -> dict[str, Any]:
        return {"response": text}


def _arguments(text: str) -> Any:
    """The arguments of a call as an object; of one that was cut short, none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
