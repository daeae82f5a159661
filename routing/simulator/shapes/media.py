"""Speech to text as vLLM's documentation has it, and images as OpenAI's has them: what is said of them, never sense.

A recording is a WAV file here; a server of a real engine reads others too.
"""

import base64
import io
import math
import struct
import wave
import zlib
from email.parser import BytesParser
from email.policy import HTTP

from routing.simulator.http import Answer, Request
from routing.simulator.shapes import asking
from routing.simulator.shapes.asking import Body, Invalid
from routing.simulator.shapes.base import PLAIN, ApiError
from routing.simulator.shapes.openai import OpenAI, digest
from routing.simulator.text import Ask

UNREADABLE = "Invalid or unsupported audio file."
WORDS_PER_SECOND = 3
MOST_IMAGES = 10
_SIDE = 8


async def transcribe(shape: OpenAI, request: Request, *, in_french: bool) -> Answer:
    """Answer with a text about as long as the recording, and the seconds of it, as its client wants to have them."""
    form, file = _form(request)
    shape.check_model(form)
    seconds = _seconds(file)
    ask = Ask(
        prompts=(max(1, round(seconds)),),
        fingerprint=str(digest(repr(file[:4096]))),
        last_words="le" if in_french and form.get("language") != "en" else "the",
        max_tokens=max(1, round(seconds * WORDS_PER_SECOND)),
    )
    job = shape.job(shape.ident("trsc-", request), ask, form)
    await shape.run(job)
    text, used = job.scripts[0].text, {"type": "duration", "seconds": math.ceil(seconds)}
    match form.get("response_format", "json"):
        case "text":
            return Answer(200, text.encode(), PLAIN, shape.headers)
        case "verbose_json":
            told = {"duration": str(seconds), "language": form.get("language", "fr")}
            return shape.json({**told, "text": text, "segments": [], "usage": used})
        case _:
            return shape.json({"text": text, "usage": used})


async def draw(shape: OpenAI, request: Request) -> Answer:
    """Answer with as many squares as are asked for."""
    body = shape.read(request)
    shape.check_model(body)
    prompt, count = str(body.get("prompt", "")), asking.integer(body, "n", 1) or 1
    if count > MOST_IMAGES:
        raise Invalid("n", "less_than_equal", f"Input should be at most {MOST_IMAGES}", count)
    job = shape.job(shape.ident("img-", request), asking.embedding([prompt]), body)
    await shape.run(job)
    data = [{"b64_json": square(f"{prompt}/{n}"), "url": None} for n in range(count)]
    return shape.json({"created": job.created, "data": data})


def square(seed: str) -> str:
    """Return a PNG of one colour, in base64."""
    colour = digest(seed).to_bytes(8)[:3]
    rows = b"".join(b"\0" + colour * _SIDE for _ in range(_SIDE))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return base64.b64encode(whole).decode()


def _form(request: Request) -> tuple[Body, bytes]:
    """Return the fields of a form that are texts, and its file. Raises `Invalid` when it has none."""
    head = f"content-type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + request.body)
    found: Body = {}
    file: bytes | None = None
    for part in parts.iter_parts() if parts.is_multipart() else ():
        name = str(part.get_param("name", "", "content-disposition"))
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        if part.get_filename() is None:
            found[name] = data.decode(errors="replace").strip()
        elif name == "file":
            file = data
    if file is None:
        raise Invalid("file", "missing", "Field required", None)
    return found, file


def _seconds(file: bytes) -> float:
    try:
        with wave.open(io.BytesIO(file)) as sound:
            return float(sound.getnframes() / sound.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        raise ApiError(400, UNREADABLE) from None
