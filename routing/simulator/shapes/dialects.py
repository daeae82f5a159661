"""Answers in OpenAI's newer dialect (`/v1/responses`) and in Anthropic's (`/v1/messages`), as vLLM 0.32 writes them.

Text only: no tool is called in these two.
"""

import uuid
from typing import Any

from routing.simulator.engine import Job
from routing.simulator.shapes.asking import Body
from routing.simulator.shapes.writing import Writer, event

# What Anthropic's clients expect for a finish reason, and for a status.
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens"}
NO_DETAILS: dict[str, Any] = {"input_tokens_per_turn": [], "cached_tokens_per_turn": []}


class ResponsesWriter(Writer):
    """One answer, one message, one text part; every event is numbered."""

    def __init__(self, job: Job, body: Body) -> None:
        super().__init__(job, body)
        self._sequence = 0
        self._item = f"msg_{uuid.uuid4().hex[:16]}"

    def whole(self) -> dict[str, Any]:
        length = self.job.scripts[0].finish == "length"
        return self._response(
            "incomplete" if length else "completed",
            incomplete_details={"reason": "max_output_tokens"} if length else None,
            output=[self._message([self._part()], "completed")],
            usage=self._usage(),
        )

    def begin(self) -> bytes:
        started = {"response": self._response("in_progress")}
        part = self._in_part(part={**self._part(""), "logprobs": []})
        return (
            self._event("response.created", started)
            + self._event("response.in_progress", started)
            + self._event("response.output_item.added", self._in_item([], "in_progress"))
            + self._event("response.content_part.added", part)
        )

    def delta(self, index: int, start: int, end: int) -> bytes:
        delta = self._in_part(delta=self.text(index, start, end), logprobs=[])
        return self._event("response.output_text.delta", delta)

    def finish(self, index: int) -> bytes:
        text, part = self.job.scripts[index].text, self._part()
        return (
            self._event("response.output_text.done", self._in_part(logprobs=[], text=text))
            + self._event("response.content_part.done", self._in_part(part=part))
            + self._event("response.output_item.done", self._in_item([part], "completed"))
        )

    def end(self) -> bytes:
        return self._event("response.completed", {"response": self.whole()})

    def _event(self, name: str, value: dict[str, Any]) -> bytes:
        self._sequence += 1
        return event(name, {**value, "sequence_number": self._sequence - 1, "type": name})

    def _in_item(self, parts: list[Any], status: str) -> dict[str, Any]:
        return {"item": self._message(parts, status), "output_index": 0}

    def _in_part(self, **more: object) -> dict[str, Any]:
        return {"content_index": 0, "item_id": self._item, "output_index": 0, **more}

    def _part(self, text: str | None = None) -> dict[str, Any]:
        said = self.job.scripts[0].text if text is None else text
        return {"annotations": [], "text": said, "type": "output_text", "logprobs": None}

    def _message(self, parts: list[Any], status: str) -> dict[str, Any]:
        return {
            "id": self._item,
            "content": parts,
            "role": "assistant",
            "status": status,
            "type": "message",
            "phase": None,
        }

    def _usage(self) -> dict[str, Any]:
        read, said = self.job.prompt_tokens, self.job.completion_tokens
        said_details: dict[str, Any] = {"reasoning_tokens": 0, "tool_output_tokens": 0}
        said_details |= {"output_tokens_per_turn": [], "tool_output_tokens_per_turn": []}
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, **NO_DETAILS},
            "output_tokens": said,
            "output_tokens_details": said_details,
            "total_tokens": read + said,
        }

    def _response(self, status: str, **more: object) -> dict[str, Any]:
        nothing = dict.fromkeys(
            (
                *("incomplete_details", "instructions", "metadata", "max_tool_calls", "prompt"),
                *("previous_response_id", "reasoning", "text", "top_logprobs", "usage", "user"),
                *("kv_transfer_params", "ec_transfer_params", "input_messages", "output_messages"),
            )
        )
        return {
            **nothing,
            "id": self.job.id,
            "created_at": self.job.created,
            "model": self.job.model,
            "object": "response",
            "output": [],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "top_p": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "tool_choice": "none",
            "tools": [],
            "background": False,
            "max_output_tokens": self.body.get("max_output_tokens"),
            "service_tier": "auto",
            "status": status,
            "truncation": "disabled",
            **more,
        }


class MessagesWriter(Writer):
    """One answer, one text block."""

    def whole(self) -> dict[str, Any]:
        script = self.job.scripts[0]
        text = {"type": "text", "text": script.text}
        return self._message([text], STOP_REASONS[script.finish], self.job.completion_tokens)

    def begin(self) -> bytes:
        message = {**self._message([], None, 0), "stop_sequence": None}
        block = {"content_block": {"type": "text", "text": ""}, "index": 0}
        return _typed("message_start", message=message) + _typed("content_block_start", **block)

    def delta(self, index: int, start: int, end: int) -> bytes:
        delta = {"type": "text_delta", "text": self.text(index, start, end)}
        return _typed("content_block_delta", delta=delta, index=0)

    def finish(self, index: int) -> bytes:
        reason = STOP_REASONS[self.job.scripts[index].finish]
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = self._usage(self.job.completion_tokens)
        return _typed("content_block_stop", index=0) + _typed(
            "message_delta", delta=delta, usage=usage
        )

    def end(self) -> bytes:
        return _typed("message_stop")

    def _message(self, content: list[Any], reason: str | None, said: int) -> dict[str, Any]:
        return {
            "id": self.job.id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "model": self.job.model,
            "stop_reason": reason,
            "usage": self._usage(said),
        }

    def _usage(self, said: int) -> dict[str, int]:
        return {"input_tokens": self.job.prompt_tokens, "output_tokens": said}


def _typed(kind: str, **more: object) -> bytes:
    return event(kind, {"type": kind, **more})
