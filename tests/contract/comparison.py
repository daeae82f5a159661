"""Captured answers of real servers, and how an answer is compared with one: by its form, not by its words.

A capture is a JSON file: the request that was made, the status, the headers that matter, the body.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import msgspec

CAPTURES = Path(__file__).parent / "captures"
KEY = "capture-key"
# Stands in a capture for a prompt that was too long to keep.
LONG, LONG_WORDS = "(long)", 12_000
# Headers whose values are compared, not only their presence.
EXACT = frozenset(
    (
        *("allow", "cache-control", "content-encoding", "content-type", "retry-after", "server"),
        *("transfer-encoding", "vary", "x-accel-buffering", "x-frame-options"),
    )
)
Form = Any


class Capture(msgspec.Struct, frozen=True):
    """One request and what the real server answered."""

    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: str

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    def sent_headers(self) -> dict[str, str]:
        given = self.request.get("headers", {})
        return {name: value.replace("KEY", KEY) for name, value in given.items()}

    def sent_body(self) -> bytes:
        """What was sent; a prompt that was too long to keep is made anew."""
        body = self.request.get("json")
        text = self.request.get("text", "" if body is None else json.dumps(body))
        return str(text).replace(LONG, "mot " * LONG_WORDS).encode()


def named(engine: str, name: str) -> Capture:
    return msgspec.json.decode((CAPTURES / engine / f"{name}.json").read_bytes(), type=Capture)


def captures(engine: str) -> Iterator[tuple[str, Capture]]:
    for file in sorted((CAPTURES / engine).glob("*.json")):
        yield file.stem, named(engine, file.stem)


def ask(client: httpx.Client, url: str, capture: Capture) -> httpx.Response:
    """Make a capture's request of another server."""
    headers = {"content-type": "application/json"} if "json" in capture.request else {}
    return client.request(
        capture.request["method"],
        url + capture.request["path"],
        headers={**headers, **capture.sent_headers()},
        content=capture.sent_body(),
    )


def assert_alike(answer: httpx.Response, capture: Capture, *, in_form: bool = False) -> None:
    """Same status, headers and form; a refusal says the very same, unless only its `form` is asked for."""
    assert answer.status_code == capture.status, answer.text
    for name, value in capture.headers.items():
        assert name in answer.headers, f"{name} is missing"
        assert name not in EXACT or answer.headers[name] == value, f"{name}: {answer.headers[name]}"
    if capture.is_stream:
        assert stream_form(answer.text) == stream_form(capture.body)
    elif capture.headers.get("content-type") != "application/json":
        assert answer.text == capture.body
    elif capture.status >= 400 and not in_form:
        assert answer.json() == json.loads(capture.body)
    else:
        assert form(answer.json()) == form(json.loads(capture.body))


def form(value: object) -> Form:
    """The form of a JSON value: keys and kinds; a list by the forms it holds."""
    match value:
        case dict():
            return {key: form(each) for key, each in value.items()}
        case list():
            return sorted({json.dumps(form(each), sort_keys=True) for each in value})
    return type(value).__name__


def stream_form(body: str) -> list[Form]:
    """The sequence of a stream's events, with repetitions of a form told once."""
    forms = [_event_form(event) for event in body.split("\n\n") if event.strip()]
    return [each for each, _ in groupby(forms)]


def metric_names(text: str) -> set[tuple[str, tuple[str, ...]]]:
    """The series of an exposition: name and label names."""
    series = (line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#"))
    return {(name, _labels(rest)) for name, _, rest in (each.partition("{") for each in series)}


def metric_kinds(text: str) -> set[str]:
    return {line for line in text.splitlines() if line.startswith("# TYPE")}


def _event_form(event: str) -> Form:
    fields = dict(line.split(": ", 1) for line in event.splitlines())
    data = fields["data"]
    return fields.get("event"), data if data == "[DONE]" else form(json.loads(data))


def _labels(rest: str) -> tuple[str, ...]:
    pairs = rest.removesuffix("}").split(",")
    return tuple(pair.partition("=")[0] for pair in pairs)
