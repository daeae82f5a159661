"""How answers are put into bytes: the base of all writers, and server-sent events.

Pure. Not responsible for computing (`engine`) nor for any engine's words: subclasses say them.
"""

import json
from abc import ABC, abstractmethod
from typing import Any

import msgspec

from routing.simulator.engine import Job
from routing.simulator.shapes.asking import Body

DONE = b"data: [DONE]\n\n"


class Writer(ABC):
    """Writes the answer to one job, whole or in pieces. A subclass per engine and endpoint; no I/O."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, job: Job, body: Body) -> None:
        self.job = job
        self.body = body
        options = body.get("stream_options")
        self.options: Body = options if isinstance(options, dict) else {}
        self.usage_asked = bool(self.options.get("include_usage"))

    @abstractmethod
    def whole(self) -> dict[str, Any]:
        """The whole answer, as one JSON object."""

    def begin(self) -> bytes:
        """What precedes the first token."""
        return b""

    @abstractmethod
    def delta(self, index: int, start: int, end: int) -> bytes:
        """The tokens from `start` to `end` of one sequence."""

    def finish(self, index: int) -> bytes:
        """What follows the last token of one sequence."""
        return b""

    def end(self) -> bytes:
        """What follows everything."""
        return b""

    def envelope(self, name: str) -> dict[str, Any]:
        """What every object of an answer begins with."""
        job = self.job
        return {"id": job.id, "object": name, "created": job.created, "model": job.model}

    def usage(self) -> dict[str, Any]:
        return usage(self.job)

    def text(self, index: int, start: int, end: int) -> str:
        return "".join(self.job.scripts[index].tokens[start:end])


def usage(job: Job) -> dict[str, int]:
    read, said = job.prompt_tokens, job.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def sse(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def event(name: str, value: object) -> bytes:
    return b"event: " + name.encode() + b"\n" + sse(value)


def spaced_sse(value: object) -> bytes:
    """An event with the spaces and the escapes of Python's own JSON."""
    return f"data: {json.dumps(value)}\n\n".encode()
