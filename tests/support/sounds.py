"""Recordings of a given length as their files begin: heads as the formats' own documents have them, and filling."""

import io
import struct
import wave

RATE = 16_000


def wav(ms: int, rate: int = RATE, *, width: int = 2, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(bytes(ms * rate // 1000 * width * channels))
    return file.getvalue()


def flac(ms: int, rate: int = RATE, filling: int = 40_000) -> bytes:
    samples = ms * rate // 1000
    info = bytes(10) + (rate << 44 | 15 << 36 | samples).to_bytes(8) + bytes(16)
    return b"fLaC\x80\0\0\x22" + info + bytes(filling)


def page(granule: int, payload: bytes, *, serial: int = 7, kind: int = 0) -> bytes:
    """Return an Ogg page with one segment."""
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, granule, serial, 0, 0, 1)
    return head + bytes((len(payload),)) + payload


def opus(ms: int, pages: int = 200, skipped: int = 312) -> bytes:
    head = page(0, b"OpusHead\x01\x01" + struct.pack("<HIhB", skipped, RATE, 0, 0), kind=2)
    filling = b"".join(page(-1, bytes(200)) for _ in range(pages))
    return head + filling + page(ms * 48 + skipped, b"last", kind=4)


def vorbis(ms: int, rate: int = 44_100) -> bytes:
    head = page(0, b"\x01vorbis" + struct.pack("<IBI", 0, 1, rate) + bytes(14), kind=2)
    return head + page(-1, bytes(200)) * 200 + page(ms * rate // 1000, b"last", kind=4)


def mp3(frames: int, *, counted: int | None = None, tag: int = 0) -> bytes:
    """Return frames of 24 ms (MPEG 2, layer III, 24 kHz, 64 kbit/s), with an encoder's count and a tag in front."""
    frame = b"\xff\xf3\x84\xc0".ljust(192, b"\0")
    first = b""
    if counted is not None:
        first = (frame[:13] + b"Xing" + struct.pack(">II", 1, counted)).ljust(192, b"\0")
    size = bytes(tag >> shift & 0x7F for shift in (21, 14, 7, 0))
    return (b"ID3\x04\0\0" + size + bytes(tag) if tag else b"") + first + frame * frames


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def mp4(ms: int, *, version: int = 0, filling: int = 40_000) -> bytes:
    """Return a film whose head stands behind its sound."""
    times = struct.pack(">QQIQ" if version else ">IIII", 0, 0, 1000, ms)
    head = box(b"mvhd", bytes((version, 0, 0, 0)) + times + bytes(80))
    film = box(b"moov", box(b"free", b"") + head)
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"mdat", bytes(filling)) + film


def element(name: int, content: bytes, *, unknown: bool = False) -> bytes:
    size = b"\x01" + b"\xff" * 7 if unknown else (1 << 56 | len(content)).to_bytes(8)
    return name.to_bytes((name.bit_length() + 7) // 8) + size + content


def webm(ms: float | None, filling: int = 40_000, scale: bytes = (1_000_000).to_bytes(3)) -> bytes:
    """Return a segment of unknown size, as browsers write it; they tell no length, other writers do."""
    told = element(0x4489, struct.pack(">d", ms)) if ms is not None else b""
    info = element(0x1549A966, element(0x2AD7B1, scale) + told)
    cluster = element(0x1F43B675, bytes(filling))
    head = element(0x1A45DFA3, element(0x4282, b"webm"))
    return head + element(0x18538067, element(0xEC, bytes(9)) + info + cluster, unknown=True)
