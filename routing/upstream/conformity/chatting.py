"""Conversations with a server, and the parts of an answer that checks look at. Prompts are synthetic."""

from typing import Any, NamedTuple

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import (
    SECONDS,
    Answer,
    Asker,
    Body,
    Outcome,
    complaint,
    failed,
)

CHAT_PATH = "/v1/chat/completions"
FEW_TOKENS = 24
USUAL_TEMPERATURE = 0.7
"""As users ask. Where an answer has to be the same each time, 0 is asked for."""


class Said(NamedTuple):
    """What an assistant said, whole or put together from a stream."""

    model: str
    text: str
    finish: str
    calls: list[Body]
    prompt_tokens: int | None
    completion_tokens: int | None
    pieces: int


def conversation(
    served_name: str,
    *messages: str,
    max_tokens: int = FEW_TOKENS,
    stream: bool = False,
    **more: Any,
) -> Body:
    """Return the body of a request: the messages are the user's and the assistant's in turn."""
    roles = ("user", "assistant")
    body: Body = {
        "model": served_name,
        "messages": [
            {"role": roles[place % 2], "content": text} for place, text in enumerate(messages)
        ],
        "max_tokens": max_tokens,
        "temperature": USUAL_TEMPERATURE,
        **more,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


async def ask(asker: Asker, body: Body, *, seconds: float = SECONDS) -> Said | Outcome:
    """Return what the server said to `body`, or what is wrong with its answer."""
    answer = await asker.post(CHAT_PATH, body, seconds=seconds)
    return read_stream(answer) if body.get("stream") else read_whole(answer)


def read_whole(answer: Answer) -> Said | Outcome:
    if not answer.ok:
        return complaint(answer)
    choice = first(answer.value.get("choices"))
    message = choice.get("message")
    if not isinstance(message, dict):
        return failed(Finding.NOT_AS_DOCUMENTED, status=answer.status)
    calls = message.get("tool_calls")
    return Said(
        model=_text(answer.value.get("model")),
        text=_said(message),
        finish=_text(choice.get("finish_reason")),
        calls=[call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else [],
        prompt_tokens=tokens(answer.value, "prompt_tokens"),
        completion_tokens=tokens(answer.value, "completion_tokens"),
        pieces=1,
    )


def read_stream(answer: Answer) -> Said | Outcome:
    """Put a stream together; an error that comes inside it, under a status of 200, is one."""
    if not answer.ok:
        return complaint(answer)
    if not answer.content_type.startswith("text/event-stream"):
        return failed(Finding.NO_STREAM)
    values = [event.value for event in answer.events]
    broken = next((value for value in values if is_error(value)), None)
    if broken is not None:
        return complaint(Answer(status=_status_of(broken)))
    texts = [text for value in values if (text := text_of(value))]
    counted = [value for value in values if isinstance(value.get("usage"), dict)]
    finishes = [_text(first(value.get("choices")).get("finish_reason")) for value in values]
    return Said(
        model=next((_text(value.get("model")) for value in values if value.get("model")), ""),
        text="".join(texts),
        finish=next(filter(None, finishes), ""),
        calls=[],
        prompt_tokens=tokens(counted[-1], "prompt_tokens") if counted else None,
        completion_tokens=tokens(counted[-1], "completion_tokens") if counted else None,
        pieces=len(texts),
    )


def text_of(value: Body) -> str:
    """Return the text, reasoning included, that an event of a stream carries."""
    delta = first(value.get("choices")).get("delta")
    if not isinstance(delta, dict):
        return ""
    return _said(delta)


def _said(message: Body) -> str:
    """Return the text of a message, or of the reasoning before it: a short answer may hold nothing else."""
    return next(
        (
            text
            for key in ("content", "reasoning_content", "reasoning")
            if (text := _text(message.get(key)))
        ),
        "",
    )


def tokens(value: Body, name: str) -> int | None:
    usage = value.get("usage")
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if type(count) is int and count >= 0 else None


def first(items: object) -> Body:
    """Return the first object of a list, an empty one when there is none."""
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def is_error(value: Body) -> bool:
    return "error" in value or value.get("object") == "error"


def _status_of(value: Body) -> int:
    error = value.get("error")
    code = error.get("code") if isinstance(error, dict) else value.get("code")
    return code if type(code) is int and 400 <= code < 600 else 500


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
