"""Streams, looked at event by event, however they are cut on the way."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.enums import Endpoint, UsageSource
from routing.core.metering import MAX_HELD, StreamMeter
from routing.core.sound import SILENCE, Sound
from routing.core.usage import Asked, Usage
from tests.contract.comparison import captures, named

SERVER, COUNTED = UsageSource.SERVER, UsageSource.COUNTED
VLLM = "vllm-0.32.0"
OVERLOADED = (
    b'data: {"error": {"message": "The engine is currently busy", "type": "Service Unavailable", '
    b'"param": null, "code": 503}}\n\ndata: [DONE]\n\n'
)


def event(value: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    return event({"id": "1", "choices": choices, **fields})


ROLE = chunk({"role": "assistant", "content": ""})
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
STREAM = (
    ROLE
    + chunk({"content": "bon"})
    + chunk({"content": "jour"})
    + event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    + chunk(usage=USAGE)
    + b"data: [DONE]\n\n"
)


def met(
    body: bytes,
    *cuts: int,
    endpoint: str = Endpoint.CHAT,
    strip: bool = False,
    sound: Sound = SILENCE,
    answers: int = 1,
) -> tuple[StreamMeter, bytes]:
    """Return a meter that was fed `body`, cut at `cuts`, and what it passed on."""
    meter = StreamMeter(endpoint, strip_usage=strip, asked=Asked(40, sound, answers))
    bounds = [0, *sorted(cuts), len(body)]
    parts = [body[start:end] for start, end in pairwise(bounds)]
    out = b"".join(meter.feed(part) for part in parts if part)
    return meter, out + meter.finish()


STREAMS = [
    (engine, name, endpoint)
    for engine in (VLLM, "litellm-proxy", "llama-cpp-python-0.3.36")
    for name, endpoint in (
        ("chat_stream", Endpoint.CHAT),
        ("chat_stream_continuous_usage", Endpoint.CHAT),
        ("chat_tool_named_stream", Endpoint.CHAT),
        ("completions_stream", Endpoint.COMPLETIONS),
        ("messages_stream", Endpoint.MESSAGES),
        ("responses_stream", Endpoint.RESPONSES),
    )
    if any(name == other and capture.is_stream for other, capture in captures(engine))
]


@pytest.mark.parametrize(("engine", "name", "endpoint"), STREAMS)
def test_a_real_stream_passes_byte_for_byte_wherever_it_is_cut(
    engine: str, name: str, endpoint: str
) -> None:
    body = named(engine, name).body.encode()
    whole, _ = met(body, endpoint=endpoint)
    for size in (1, 7, 64, 1000):
        meter, out = met(body, *range(size, len(body), size), endpoint=endpoint)
        assert out == body
        assert meter.done
        assert (meter.usage, meter.content_events) == (whole.usage, whole.content_events)


@pytest.mark.parametrize(
    ("name", "endpoint", "usage"),
    [
        ("chat_stream_continuous_usage", Endpoint.CHAT, (5, 4, SERVER)),
        ("completions_stream", Endpoint.COMPLETIONS, (2, 6, SERVER)),
        ("messages_stream", Endpoint.MESSAGES, (5, 5, SERVER)),
        ("responses_stream", Endpoint.RESPONSES, (5, 5, SERVER)),
        ("chat_stream", Endpoint.CHAT, (40, 3, COUNTED)),
    ],
)
def test_the_usage_of_a_real_stream_is_found_in_every_protocol(
    name: str, endpoint: str, usage: tuple[int, int, UsageSource]
) -> None:
    meter, _ = met(named(VLLM, name).body.encode(), endpoint=endpoint)
    assert (meter.usage.prompt, meter.usage.completion, meter.usage.source) == usage


@given(st.sets(st.integers(1, len(STREAM) - 1)), st.booleans())
def test_cuts_and_line_ends_change_nothing(cuts: set[int], crlf: bool) -> None:
    body = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    meter, out = met(body, *cuts, strip=True)
    kept = [part for part in out.split(b"\r\n\r\n" if crlf else b"\n\n") if part]
    assert len(kept) == 5
    assert b"usage" not in out
    assert meter.usage == Usage(prompt=5, completion=2, source=SERVER)
    assert (meter.content_events, meter.done, meter.error) == (2, True, None)


@given(st.lists(st.binary(max_size=30) | st.sampled_from([ROLE, OVERLOADED, b"\n\n", b"data:"])))
def test_garbage_never_raises_and_nothing_is_invented(parts: list[bytes]) -> None:
    for endpoint in (Endpoint.CHAT, Endpoint.MESSAGES, "audio/speech"):
        meter = StreamMeter(endpoint, strip_usage=False)
        out = b"".join(meter.feed(part) for part in parts) + meter.finish()
        assert out in b"".join(parts)


def test_only_whole_events_are_passed_on() -> None:
    meter, _ = met(ROLE)
    assert meter.feed(b'data: {"choices":[]') == b""
    assert meter.feed(b"}\n\ndata: {") == b'data: {"choices":[]}\n\n'
    assert meter.finish() == b"data: {"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_an_event_is_passed_on_with_its_last_byte(end: bytes) -> None:
    whole = ROLE.rstrip() + end
    for cut in range(1, len(end) + 1):
        meter = StreamMeter(Endpoint.CHAT, strip_usage=True)
        assert meter.feed(whole[:-cut]) == b""
        rest = [meter.feed(whole[-position:][:1]) for position in range(cut, 0, -1)]
        assert rest == [b""] * (cut - 1) + [whole]


def test_the_event_with_nothing_but_usage_is_dropped_when_the_client_did_not_ask() -> None:
    asked, out = met(STREAM)
    assert out == STREAM
    not_asked, out = met(STREAM, strip=True)
    assert out == STREAM.replace(chunk(usage=USAGE), b"")
    assert asked.usage == not_asked.usage


def test_litellm_puts_an_empty_delta_beside_the_usage_and_it_is_dropped_too() -> None:
    _, out = met(ROLE + chunk({}, usage=USAGE), strip=True)
    assert out == ROLE


@pytest.mark.parametrize(
    "told_with_usage",
    [
        chunk({"content": "fin"}, usage=USAGE),
        chunk({"role": "assistant", "content": ""}, usage=USAGE),
        event({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}),
    ],
)
def test_usage_beside_something_else_stays(told_with_usage: bytes) -> None:
    meter, out = met(ROLE + told_with_usage, strip=True)
    assert out == ROLE + told_with_usage
    assert meter.usage.source is SERVER


def test_a_null_usage_in_every_chunk_is_none() -> None:
    meter, out = met(ROLE + chunk({"content": "a"}, usage=None), strip=True)
    assert out.endswith(chunk({"content": "a"}, usage=None))
    assert meter.usage == Usage(prompt=40, completion=1, source=COUNTED)


def test_a_text_that_speaks_of_usage_and_errors_is_only_a_text() -> None:
    body = ROLE + chunk({"content": "usage"}) + chunk({"content": '"error": {"usage": 3}'})
    meter, out = met(body, strip=True)
    assert out == body
    assert (meter.content_events, meter.error) == (2, None)


def test_an_overloaded_server_is_known_by_its_first_event() -> None:
    meter = StreamMeter(Endpoint.CHAT, strip_usage=True)
    assert meter.feed(OVERLOADED[:60]) == b""
    assert not meter.has_first_event
    assert meter.feed(OVERLOADED[60:]) == b""
    assert meter.has_first_event
    assert meter.error is not None
    assert meter.error["error"]["code"] == 503
    assert meter.usage == Usage()


@pytest.mark.parametrize(
    ("endpoint", "first"),
    [
        (Endpoint.CHAT, {"error": "litellm.RateLimitError: busy"}),
        (Endpoint.MESSAGES, {"type": "error", "error": {"type": "overloaded_error"}}),
        (Endpoint.RESPONSES, {"type": "error", "code": "x", "message": "busy"}),
        (Endpoint.RESPONSES, {"type": "response.failed", "response": {"error": {"code": "x"}}}),
    ],
)
def test_errors_of_every_protocol_are_known(endpoint: str, first: dict[str, Any]) -> None:
    meter, out = met(event(first, "error"), endpoint=endpoint)
    assert (meter.error, out) == (first, b"")


@pytest.mark.parametrize(
    "first", [b"data: <html>\n\n", b"data: 3\n\n", b'data: {"a"\n\n', b"data: [DONE]\n\n"]
)
def test_a_first_event_that_is_no_answer_is_an_error(first: bytes) -> None:
    meter, out = met(first)
    assert (meter.error, out) == ({}, b"")


def test_a_stream_of_another_endpoint_need_not_be_json() -> None:
    body = b"data: UklGRg==\n\n"
    meter, out = met(body, endpoint="audio/speech")
    assert (meter.error, out, meter.usage) == (None, body, Usage(prompt=40, source=COUNTED))


def test_a_transcription_is_counted_and_its_usage_read() -> None:
    delta = event({"type": "transcript.text.delta", "delta": "bon"})
    meter, _ = met(delta * 3, endpoint="audio/transcriptions")
    assert meter.usage == Usage(prompt=40, completion=3, source=COUNTED)
    meter.feed(
        event({"type": "transcript.text.done", "usage": {"input_tokens": 9, "output_tokens": 4}})
    )
    assert meter.usage == Usage(prompt=9, completion=4, source=SERVER)


def test_sound_counts_from_the_first_event_until_the_server_says_how_long_it_was() -> None:
    sound = Sound(9_200, 60_000)
    meter, _ = met(b"", endpoint="audio/transcriptions", sound=sound)
    assert meter.usage == Usage()
    meter.feed(event({"type": "transcript.text.start"}))
    assert meter.usage == Usage(prompt=40, audio_ms=9_200, source=COUNTED)
    meter.feed(event({"type": "transcript.text.done", "usage": {"type": "duration", "seconds": 9}}))
    assert meter.usage == Usage(prompt=40, audio_ms=9_000, source=SERVER)


def test_images_of_a_stream_are_those_that_are_whole() -> None:
    partial = event({"type": "image_generation.partial_image", "b64_json": "AA"})
    whole = event({"type": "image_generation.completed", "b64_json": "AA"})
    meter, _ = met(partial * 3, endpoint="images/generations", answers=2)
    assert meter.usage == Usage()
    meter.feed(whole * 3)
    assert meter.usage == Usage(images=2, source=COUNTED)


def test_comments_before_the_first_event_are_no_answer_yet() -> None:
    meter = StreamMeter(Endpoint.CHAT, strip_usage=False)
    assert meter.feed(b": processing\n\n") == b""
    assert not meter.has_first_event
    assert meter.feed(b": processing\n\n" + ROLE) == ROLE


def test_an_error_in_the_middle_ends_what_is_passed_on() -> None:
    meter, out = met(ROLE + chunk({"content": "a"}) + OVERLOADED + chunk({"content": "b"}))
    assert out == ROLE + chunk({"content": "a"})
    assert meter.error is not None
    assert meter.usage == Usage(prompt=40, completion=1, source=COUNTED)


def test_an_anthropic_stream_that_breaks_off_counts_what_came() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}
    meter, _ = met(event(start) + event(delta) * 3, endpoint=Endpoint.MESSAGES)
    assert meter.usage == Usage(prompt=9, completion=3, source=COUNTED)


def test_reasoning_and_tools_count_as_content() -> None:
    tool = {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}
    meter, _ = met(ROLE + chunk({"reasoning_content": "hm"}) + chunk(tool))
    assert meter.content_events == 2


def test_an_event_without_end_is_not_held_without_end() -> None:
    meter, _ = met(ROLE)
    endless = b"data: " + b"x" * MAX_HELD
    assert meter.feed(endless) == endless
    assert meter.feed(b"xx\n\n" + ROLE) == b"xx\n\n" + ROLE


def test_a_first_event_without_end_is_an_error() -> None:
    meter, out = met(b": x" * MAX_HELD)
    assert (meter.error, out) == ({}, b"")


def test_a_server_that_ends_without_a_blank_line_has_ended_all_the_same() -> None:
    meter, out = met(STREAM[:-2])
    assert out == STREAM[:-2]
    assert meter.done


def test_nothing_is_nothing() -> None:
    meter, out = met(b"")
    assert (out, meter.has_first_event, meter.usage) == (b"", False, Usage())
