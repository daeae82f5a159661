"""Tokens as servers report them, and as they are estimated."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.enums import Endpoint, UsageSource
from routing.core.sound import Sound
from routing.core.usage import (
    FILE_TOKENS,
    MAX_BELIEVED,
    PICTURE_TOKENS,
    Asked,
    DrawnCounter,
    Usage,
    estimate_prompt_tokens,
    most_prompt_tokens,
    reported_counts,
    tokens_in,
    usage_of_answer,
)
from tests.contract.comparison import captures, named

SERVER, ESTIMATED = UsageSource.SERVER, UsageSource.ESTIMATED


def usage_of(usage: Any, endpoint: str = Endpoint.CHAT) -> Usage:
    return usage_of_answer(endpoint, json.dumps({"id": "1", "usage": usage}).encode())


@pytest.mark.parametrize(
    ("engine", "name", "prompt", "completion"),
    [
        ("vllm-0.32.0", "chat", 5, 8),
        ("vllm-0.32.0", "completions", 1, 4),
        ("vllm-0.32.0", "messages", 5, 6),
        ("vllm-0.32.0", "responses", 5, 8),
        ("vllm-0.32.0-embed", "rerank", 2, 0),
        ("vllm-0.32.0-embed", "embeddings", 1, 0),
        ("litellm-proxy", "chat", 5, 8),
        ("llama-cpp-python-0.3.36", "chat", 5, 8),
    ],
)
def test_answers_of_real_servers_are_read(
    engine: str, name: str, prompt: int, completion: int
) -> None:
    body = named(engine, name).body.encode()
    usage = usage_of_answer(Endpoint.OTHER, body)
    assert (usage.prompt, usage.completion, usage.source) == (prompt, completion, SERVER)


def test_details_of_openai_are_read() -> None:
    usage = usage_of(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 80},
            "completion_tokens_details": {"reasoning_tokens": 30},
        }
    )
    assert usage == Usage(prompt=100, cached=80, completion=50, reasoning=30, source=SERVER)


def test_details_of_the_responses_protocol_are_read() -> None:
    usage = usage_of(
        {
            "input_tokens": 100,
            "output_tokens": 50,
            "input_tokens_details": {"cached_tokens": 80},
            "output_tokens_details": {"reasoning_tokens": 30},
        }
    )
    assert usage == Usage(prompt=100, cached=80, completion=50, reasoning=30, source=SERVER)


def test_anthropic_counts_cached_tokens_beside_the_input() -> None:
    usage = usage_of(
        {
            "input_tokens": 20,
            "cache_read_input_tokens": 70,
            "cache_creation_input_tokens": 10,
            "output_tokens": 5,
        }
    )
    assert usage == Usage(prompt=100, cached=70, completion=5, source=SERVER)


def test_a_total_alone_is_what_was_read() -> None:
    assert usage_of({"total_tokens": 7}, Endpoint.EMBEDDINGS) == Usage(prompt=7, source=SERVER)


@pytest.mark.parametrize("absurd", [-1, MAX_BELIEVED + 1, 1e300, True, "7", None, [7], {"a": 1}])
def test_an_absurd_count_reads_as_absent(absurd: Any) -> None:
    counts = reported_counts({"prompt_tokens": absurd, "completion_tokens": 3})
    assert counts == {"completion": 3}


def test_parts_never_exceed_their_wholes() -> None:
    usage = usage_of(
        {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 9},
            "completion_tokens_details": {"reasoning_tokens": 9},
        }
    )
    assert usage == Usage(prompt=3, cached=3, completion=2, reasoning=2, source=SERVER)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details", "x"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_whatever_a_server_reports_the_usage_is_sound(value: Any) -> None:
    usage = usage_of(value)
    assert 0 <= usage.cached <= usage.prompt <= 3 * MAX_BELIEVED
    assert 0 <= usage.reasoning <= usage.completion <= MAX_BELIEVED


@given(st.binary() | st.just(b'{"usage":' * 50_000))
def test_an_answer_of_garbage_never_raises(body: bytes) -> None:
    assert usage_of_answer(Endpoint.CHAT, body, Asked(12)).source in (ESTIMATED, UsageSource.NONE)


def test_a_prompt_that_is_not_reported_is_estimated() -> None:
    body = b'{"usage":{"completion_tokens":4}}'
    assert usage_of_answer(Endpoint.CHAT, body, Asked(12)) == Usage(
        prompt=12, completion=4, source=SERVER
    )


def test_an_answer_without_usage_is_estimated_from_the_text_that_the_model_wrote() -> None:
    message = {
        "role": "assistant",
        "content": "é" * 18,
        "reasoning_content": "a" * 36,
        "tool_calls": [{"function": {"name": "f", "arguments": "b" * 36}}],
    }
    body = json.dumps({"id": "x" * 500, "choices": [{"message": message}]}).encode()
    usage = usage_of_answer(Endpoint.CHAT, body, Asked(12))
    assert usage == Usage(prompt=12, completion=30, source=ESTIMATED)


def test_an_embedding_without_usage_wrote_nothing() -> None:
    body = b'{"data":[{"embedding":[0.1]}],"text":"abc"}'
    assert usage_of_answer(Endpoint.EMBEDDINGS, body, Asked(12)) == Usage(
        prompt=12, source=ESTIMATED
    )


HEARD = Asked(sound=Sound(9_200, 60_000))
UNHEARD = Asked(sound=Sound(0, 60_000))


@pytest.mark.parametrize(
    ("answer", "audio_ms"),
    [
        ({"text": "", "usage": {"type": "duration", "seconds": 10}}, 10_000),
        ({"text": "", "usage": {"type": "duration", "seconds": 9.217}}, 9_217),
        ({"text": "", "duration": 8.47}, 8_470),
        ({"text": "", "duration": "8.470000267028809"}, 8_470),
        ({"text": "", "duration": 8.47, "usage": {"type": "duration", "seconds": 9}}, 9_000),
        ({"text": "", "duration": 86_400}, 60_000),
    ],
)
def test_sound_is_as_long_as_the_server_says_and_its_file_can_be(
    answer: dict[str, Any], audio_ms: int
) -> None:
    for asked in (HEARD, UNHEARD):
        usage = usage_of_answer(Endpoint.TRANSCRIPTIONS, json.dumps(answer).encode(), asked)
        assert usage == Usage(audio_ms=audio_ms, source=SERVER)


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"bonjour"}',
        b"WEBVTT",
        b"1",
        b"",
        b'{"usage":{"type":"duration","seconds":-1}}',
        b'{"usage":{"type":"duration","seconds":1e300},"duration":"inf"}',
        b'{"usage":{"type":"duration","seconds":"an hour"},"duration":true}',
        b'{"usage":{"seconds":7}}',
        b'{"duration":31536000}',
    ],
)
def test_where_a_server_does_not_say_it_the_file_does(body: bytes) -> None:
    known = usage_of_answer(Endpoint.TRANSLATIONS, body, HEARD)
    assert known == Usage(audio_ms=9_200, source=UsageSource.COUNTED)
    assert usage_of_answer(Endpoint.TRANSLATIONS, body, UNHEARD) == Usage()


def test_tokens_of_speech_stand_beside_its_length() -> None:
    told = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    body = json.dumps({"text": "", "usage": told}).encode()
    assert usage_of_answer(Endpoint.TRANSCRIPTIONS, body, HEARD) == Usage(
        prompt=14, completion=45, audio_ms=9_200, source=SERVER
    )


def test_who_sent_no_sound_is_told_of_none() -> None:
    body = b'{"usage":{"type":"duration","seconds":9},"choices":[{"text":"aaaa"}]}'
    assert usage_of_answer(Endpoint.CHAT, body, Asked(12)) == Usage(
        prompt=12, completion=2, source=ESTIMATED
    )


def test_spoken_text_is_what_was_read() -> None:
    assert usage_of_answer(Endpoint.SPEECH, b"RIFF\0\xff", Asked(12)) == Usage(
        prompt=12, source=ESTIMATED
    )


@pytest.mark.parametrize("endpoint", ["images/generations", "images/edits", "images/variations"])
def test_images_are_counted_and_are_never_more_than_were_asked_for(endpoint: str) -> None:
    body = json.dumps({"data": [{"b64_json": "AA"}] * 3}).encode()
    counted = UsageSource.COUNTED
    assert usage_of_answer(endpoint, body, Asked(12, answers=4)) == Usage(images=3, source=counted)
    assert usage_of_answer(endpoint, body, Asked(12)) == Usage(images=1, source=counted)
    told = json.dumps({"data": [{}, {}], "usage": {"input_tokens": 5, "output_tokens": 9}}).encode()
    assert usage_of_answer(endpoint, told, Asked(12, answers=2)) == Usage(
        prompt=5, completion=9, images=2, source=SERVER
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":7}', b'{"data":[' + b"[" * 50_000])
def test_an_answer_without_images_has_none(body: bytes) -> None:
    assert usage_of_answer(Endpoint.IMAGES, body, Asked(answers=4)) == Usage()


@given(st.integers(0, 5), st.integers(1, 40))
def test_images_that_pass_in_pieces_are_counted_each_once(images: int, size: int) -> None:
    data = [{"b64_json": "A" * 30, "revised_prompt": 'say "b64_json"', "url": None}] * images
    body, counter = json.dumps({"data": data}).encode(), DrawnCounter()
    for start in range(0, len(body), size):
        counter.feed(body[start : start + size])
    assert counter.count == images


def test_a_prompt_is_estimated_from_its_bytes() -> None:
    assert [tokens_in(size) for size in (0, 1, 36, 37)] == [0, 1, 10, 11]


def test_an_image_inside_a_prompt_is_not_taken_for_words() -> None:
    words = b'{"messages":[{"content":[{"image_url":{"url":"data:image/png'
    body = words + b";base64," + b"A" * 1_000_000 + b'"}}]}]}'
    assert estimate_prompt_tokens(body) < 30


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}},
        {"image_url": "https://example.org/a.png"},
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "image", "source": {"type": "base64", "data": "A" * 1_000_000}},
    ],
)
def test_a_picture_counts_as_the_largest_does_and_other_files_twice_as_much(
    part: dict[str, Any],
) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 90_000, "format": "wav"}}
    read = [{"role": "user", "content": [part, {"type": "text", "text": "What is it?"}, sound]}]

    most = most_prompt_tokens(len(json.dumps({"messages": read})), [read, None])

    assert 0 < most - PICTURE_TOKENS - FILE_TOKENS < 150


def test_text_counts_by_its_bytes_whatever_it_pretends_to_be() -> None:
    read = [{"type": "text", "text": "A" * 1000, "image_url": "x"}, {"type": ["image"]}, 7, "A" * 9]

    assert most_prompt_tokens(2001, read) == 1001
    assert most_prompt_tokens(10, [{"type": "image", "text": "A" * 99}]) == PICTURE_TOKENS


def test_each_captured_usage_is_found() -> None:
    """No capture that reports completion tokens in its body reads as anything but the server's own count."""
    for engine in ("vllm-0.32.0", "litellm-proxy", "llama-cpp-python-0.3.36"):
        for name, capture in captures(engine):
            if '"completion_tokens"' in capture.body and not capture.is_stream:
                usage = usage_of_answer(Endpoint.CHAT, capture.body.encode())
                assert usage.source is SERVER, f"{engine} {name}"
