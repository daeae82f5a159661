"""What was declared beyond answering: tools, JSON after a schema, images, embeddings, speech."""

import base64
import io
import math
import struct
import wave
import zlib
from typing import Any

import msgspec

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import Body, Outcome, complaint, failed, ok, warning
from routing.upstream.conformity.chatting import Said, ask, conversation
from routing.upstream.conformity.subject import Subject

SECONDS = 60.0
ENOUGH_TOKENS = 512
"""For an answer that may think first."""
TOOL: Body = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
FORCED: Body = {"type": "function", "function": {"name": "get_weather"}}
TOOL_PROMPT = "Use the tool to tell me what the weather is in Rennes."
SCHEMA: Body = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}
SCHEMA_PROMPT = "Name a French city and its number of inhabitants."
TEXTS = ["La bibliothèque ouvre à neuf heures.", "The library opens at nine."]


async def tools(subject: Subject) -> Outcome:
    """A tool is called when the model is free to; only when it must is a warning."""
    free = await _called(subject, "auto")
    if free.finding is not Finding.NO_CALL and free.finding is not Finding.REFUSED_REQUEST:
        return free
    forced = await _called(subject, FORCED)
    if forced.finding is Finding.CALLS_TOOLS:
        return warning(Finding.CALLS_WHEN_FORCED)
    return free


async def _called(subject: Subject, choice: str | Body) -> Outcome:
    body = conversation(
        subject.declared.served_name,
        TOOL_PROMPT,
        max_tokens=ENOUGH_TOKENS,
        temperature=0,
        tools=[TOOL],
        tool_choice=choice,
    )
    said = await ask(subject.asker, body, seconds=SECONDS)
    if isinstance(said, Outcome):
        return said
    if not said.calls:
        return failed(Finding.NO_CALL)
    function = said.calls[0].get("function")
    if not isinstance(function, dict) or function.get("name") != "get_weather":
        return failed(Finding.BROKEN_CALL)
    arguments = _decoded(function.get("arguments"))
    if not isinstance(arguments, dict) or not isinstance(arguments.get("city"), str):
        return failed(Finding.BROKEN_CALL)
    return ok(Finding.CALLS_TOOLS)


async def json_schema(subject: Subject) -> Outcome:
    form = {"name": "city", "strict": True, "schema": SCHEMA}
    body = conversation(
        subject.declared.served_name,
        SCHEMA_PROMPT,
        max_tokens=ENOUGH_TOKENS,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": form},
    )
    said = await ask(subject.asker, body, seconds=SECONDS)
    if isinstance(said, Outcome):
        return said
    return ok(Finding.FOLLOWS_SCHEMA) if _follows(said) else failed(Finding.IGNORES_SCHEMA)


def _follows(said: Said) -> bool:
    value = _decoded(said.text)
    return (
        isinstance(value, dict)
        and value.keys() == {"city", "inhabitants"}
        and isinstance(value["city"], str)
        and type(value["inhabitants"]) is int
    )


async def images(subject: Subject) -> Outcome:
    """A small red square is taken; what the model makes of it is not ours to judge."""
    picture = {"url": f"data:image/png;base64,{base64.b64encode(red_square()).decode()}"}
    body = conversation(subject.declared.served_name, "", max_tokens=16)
    body["messages"] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What colour is this?"},
                {"type": "image_url", "image_url": picture},
            ],
        }
    ]
    said = await ask(subject.asker, body, seconds=SECONDS)
    if isinstance(said, Outcome):
        return said
    return ok(Finding.READS_IMAGES) if said.text else failed(Finding.EMPTY_ANSWER)


async def embeddings(subject: Subject) -> Outcome:
    """Two texts give two vectors of one length that are not the same."""
    body = {"model": subject.declared.served_name, "input": TEXTS, "encoding_format": "float"}
    answer = await subject.asker.post("/v1/embeddings", body, seconds=SECONDS)
    if not answer.ok:
        return complaint(answer)
    data = answer.value.get("data")
    vectors = [_vector(item) for item in data] if isinstance(data, list) else []
    if len(vectors) != len(TEXTS) or not all(vectors) or len({len(v) for v in vectors}) != 1:
        return failed(Finding.NOT_AS_DOCUMENTED, status=answer.status)
    if vectors[0] == vectors[1]:
        return failed(Finding.NOT_AS_DOCUMENTED, status=answer.status)
    return ok(Finding.EMBEDS, dimensions=len(vectors[0]))


async def audio(subject: Subject) -> Outcome:
    """A second of a quiet tone is taken as speech to write down."""
    content, content_type = _form(subject.declared.served_name, quiet_tone())
    answer = await subject.asker.post_raw("/v1/audio/transcriptions", content, content_type)
    if not answer.ok:
        return complaint(answer)
    if not isinstance(answer.value.get("text"), str):
        return failed(Finding.NOT_AS_DOCUMENTED, status=answer.status)
    return ok(Finding.TRANSCRIBES)


def red_square(side: int = 32) -> bytes:
    """Return a PNG."""
    rows = b"".join(b"\0" + b"\xd0\x10\x10" * side for _ in range(side))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def quiet_tone(seconds: int = 1, rate: int = 16_000) -> bytes:
    """Return a WAV file."""
    waves = (round(800 * math.sin(2 * math.pi * 220 * at / rate)) for at in range(seconds * rate))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(b"".join(struct.pack("<h", each) for each in waves))
    return file.getvalue()


def _form(model: str, sound: bytes) -> tuple[bytes, str]:
    mark = "ilaas-conformity"
    head = f'--{mark}\r\ncontent-disposition: form-data; name="'
    content = (
        f'{head}model"\r\n\r\n{model}\r\n'
        f'{head}file"; filename="tone.wav"\r\ncontent-type: audio/wav\r\n\r\n'
    ).encode()
    return content + sound + f"\r\n--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def _vector(item: object) -> list[float]:
    vector = item.get("embedding") if isinstance(item, dict) else None
    if not isinstance(vector, list) or not all(type(each) in (int, float) for each in vector):
        return []
    return vector


def _decoded(text: object) -> Any:
    try:
        return msgspec.json.decode(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
