"""How long a recording is, by what its file says of itself: heads are read, nothing is decoded or kept.

Pure functions on bytes that anybody may have made. They look at a bounded number of places, copy little, never raise,
and the event loop can afford them; what a file claims beyond what its size can hold is cut to that.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

MOST_MS = 2**31 - 1
"""What a record holds of a length: 24 days."""
LEAST_BYTES_PER_SECOND = 500
"""4 kbit/s: no codec of speech that servers take goes lower (Opus begins at 6, MP3 at 8)."""
_MOST_PLACES = 64
"""Chunks, boxes, elements and pages that are looked at."""
_NEAR = 4096
"""Bytes in which the first frame of an MP3 must begin."""
_LAST_PAGE = 2 * 65_307
"""Bytes from the end in which an Ogg file's last page begins, another stream's beside it."""


class Sound(NamedTuple):
    """A file that a request brings: how long it says that it is, 0 when it does not, and how long it can be at most."""

    ms: int = 0
    most_ms: int = 0

    @property
    def expected_ms(self) -> int:
        """Return what to reckon with before a server tells: whole seconds, as servers count, or the most it can be."""
        return -(-self.ms // 1000) * 1000 if self.ms else self.most_ms


SILENCE = Sound()


def sound_in(file: memoryview) -> Sound:
    """Return what the bytes of a file tell of its length."""
    most = most_in(len(file))
    return Sound(min(length_ms(file), most), most)


def most_in(size: int) -> int:
    """Return the milliseconds of sound that so many bytes can hold at most."""
    return min(size * 1000 // LEAST_BYTES_PER_SECOND, MOST_MS)


def length_ms(file: memoryview) -> int:
    """Return the milliseconds that a file claims, 0 for none. WAV, FLAC, Ogg, MP3, MP4 and WebM are known."""
    try:
        file = file[_behind_tags(file) :]
        read = next((read for starts, read in _FORMATS.items() if _at(file, *starts)), _mp3)
        return max(read(file), 0)
    except (struct.error, ValueError, LookupError, ArithmeticError):
        return 0


def _at(file: memoryview, place: int, mark: bytes) -> bool:
    return file[place : place + len(mark)] == mark


def _number(file: memoryview, kind: str, place: int) -> int:
    value: int = struct.unpack_from(kind, file, place)[0]
    return value


def _behind_tags(file: memoryview) -> int:
    """Return where the sound begins behind an ID3 tag, whose size has seven bits in a byte."""
    if not _at(file, 0, b"ID3"):
        return 0
    size = 0
    for byte in file[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


# WAV: chunks with a name and a size; the size of the sound is a client's word, and often not known to who wrote it.

_PLAIN = (1, 3, 6, 7, 0xFFFE)
"""PCM, floating point, A-law, µ-law, and what says which of these in an extension: as many bytes a sample."""


def _wav(file: memoryview) -> int:
    rate = 0
    for name, place, size in _chunks(file):
        if name == b"fmt ":
            kind, channels, samples, rate, _, bits = struct.unpack_from("<HHIIHH", file, place)
            if kind in _PLAIN:
                rate = samples * channels * -(-bits // 8)
        elif name == b"data":
            there = len(file) - place
            return (min(size, there) if 0 < size < 0xFFFF_FFFF else there) * 1000 // rate
    return 0


def _chunks(file: memoryview) -> Iterator[tuple[bytes, int, int]]:
    place = 12
    for _ in range(_MOST_PLACES):
        name, size = struct.unpack_from("<4sI", file, place)
        yield name, place + 8, size
        place += 8 + size + size % 2


# FLAC: the first block says the number of samples.


def _flac(file: memoryview) -> int:
    if file[4] & 0x7F:
        return 0
    packed = _number(file, ">Q", 18)  # 20 bits of rate, 3 of channels, 5 of bits, 36 of samples
    return (packed & 0xF_FFFF_FFFF) * 1000 // (packed >> 44)


# Ogg: the last page of the first stream says how many samples there were by then.


def _ogg(file: memoryview) -> int:
    stream, head = file[14:18], bytes(file[27 + file[26] :][:64])
    rate, before = _ogg_rate(head)
    tail = bytes(file[-_LAST_PAGE:])
    place = len(tail)
    for _ in range(_MOST_PLACES):
        place = tail.rfind(b"OggS", 0, place)
        if place < 0:
            return 0
        if tail[place + 14 : place + 18] == stream:
            samples = _number(memoryview(tail), "<q", place + 6)
            if samples >= 0:  # else no packet ends on this page
                return (samples - before) * 1000 // rate
    return 0


def _ogg_rate(head: bytes) -> tuple[int, int]:
    """Return samples a second, and how many of the first are not played."""
    if head.startswith(b"OpusHead"):
        return 48_000, struct.unpack_from("<H", head, 10)[0]
    if head.startswith(b"\x01vorbis"):
        return struct.unpack_from("<I", head, 12)[0], 0
    if head.startswith(b"\x7fFLAC"):
        return struct.unpack_from(">I", head, 27)[0] >> 12, 0
    if head.startswith(b"Speex   "):
        return struct.unpack_from("<I", head, 36)[0], 0
    return 0, 0


# MP4, M4A: boxes inside boxes; the film's head may stand behind all of its sound.


def _mp4(file: memoryview) -> int:
    if not (film := _box(file, b"moov")) or not (head := _box(film, b"mvhd")):
        return 0
    if head[0]:
        scale, length, unknown = _number(head, ">I", 20), _number(head, ">Q", 24), 2**64 - 1
    else:
        scale, length, unknown = _number(head, ">I", 12), _number(head, ">I", 16), 2**32 - 1
    return 0 if length == unknown else length * 1000 // scale


def _box(inside: memoryview, wanted: bytes) -> memoryview | None:
    """Return what the first box of this name holds."""
    place = 0
    for _ in range(_MOST_PLACES):
        size, name = struct.unpack_from(">I4s", inside, place)
        head = 8
        if size == 1:
            size, head = _number(inside, ">Q", place + 8), 16
        end = place + size if size else len(inside)
        if name == wanted:
            return inside[place + head : end]
        if end < place + head:
            return None
        place = end
    return None


# WebM, Matroska: elements inside elements, their numbers and sizes of one to eight bytes.

_SEGMENT, _INFO, _SCALE, _DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
_USUAL_SCALE = (1_000_000).to_bytes(3)
"""Nanoseconds of a tick."""
_LONGEST_NUMBER = 8
"""Bytes: a number of the whole file's size would hold the event loop up."""


def _webm(file: memoryview) -> int:
    inside = _elements(file)
    for wanted in (_SEGMENT, _INFO):
        found = next((data for name, data in inside if name == wanted), None)
        if found is None:
            return 0
        inside = _elements(found)
    told = dict(inside)
    if (data := told.get(_DURATION)) is None:
        return 0
    ticks: float = struct.unpack(">d" if len(data) == 8 else ">f", data)[0]
    scale = told.get(_SCALE, _USUAL_SCALE)
    if len(scale) > _LONGEST_NUMBER:
        return 0
    return int(ticks * int.from_bytes(scale) / 1e6)


def _elements(inside: memoryview) -> Iterator[tuple[int, memoryview]]:
    place = 0
    for _ in range(_MOST_PLACES):
        if place >= len(inside):
            return
        name, place = _short(inside, place, keep=True)
        size, place = _short(inside, place, keep=False)
        yield name, inside[place : place + size]
        place += size


def _short(inside: memoryview, place: int, *, keep: bool) -> tuple[int, int]:
    """Return a number whose leading zeros say how long it is, and where it ends; `keep` the bit that ends them."""
    length = 9 - inside[place].bit_length() if place < len(inside) else 9
    if length > 8:
        raise ValueError
    value, end = int.from_bytes(inside[place : place + length]), place + length
    if keep:
        return value, end
    value &= (1 << 7 * length) - 1
    return (len(inside) if value == (1 << 7 * length) - 1 else value), end  # all ones: to the end


# MP3: what an encoder has counted, else the first frame's speed for all.

_RATES = (44_100, 48_000, 32_000)
_SPEEDS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by version and layer."""


class _Frame(NamedTuple):
    """The head of an MPEG frame: kbit/s, samples a second, samples in it, bytes of it, bytes before its sound."""

    speed: int
    rate: int
    samples: int
    size: int
    aside: int


def _mp3(file: memoryview) -> int:
    for place in range(min(len(file) - 4, _NEAR)):
        if file[place] == 0xFF and (frame := _frame(file, place)):
            follows = place + frame.size
            if follows + 4 > len(file) or _frame(file, follows):
                return _mp3_from(file[place:], frame)
    return 0


def _mp3_from(file: memoryview, frame: _Frame) -> int:
    counted = 0
    if any(_at(file, frame.aside, mark) for mark in (b"Xing", b"Info")):
        if _number(file, ">I", frame.aside + 4) & 1:
            counted = _number(file, ">I", frame.aside + 8)
    elif _at(file, 36, b"VBRI"):
        counted = _number(file, ">I", 50)
    if counted:
        return counted * frame.samples * 1000 // frame.rate
    return len(file) * 8 // frame.speed


def _frame(file: memoryview, place: int) -> _Frame | None:
    """Return the head of a frame that begins here, None when none does."""
    word = _number(file, ">I", place)
    version, layer = (2.5, 0, 2, 1)[word >> 19 & 3], 4 - (word >> 17 & 3)
    speed, rate = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or not version or layer == 4 or speed in (0, 15) or rate == 3:
        return None
    older = 1 if version == 1 else 2
    kilobits = _SPEEDS[older, layer][speed - 1]
    hertz = _RATES[rate] // {1: 1, 2: 2, 2.5: 4}[version]
    samples = 384 if layer == 1 else 1152 if layer == 2 or older == 1 else 576
    padding = (word >> 9 & 1) * (4 if layer == 1 else 1)
    is_mono = word >> 6 & 3 == 3
    aside = {(1, False): 36, (1, True): 21, (2, False): 21, (2, True): 13}[older, is_mono]
    return _Frame(kilobits, hertz, samples, samples * kilobits * 125 // hertz + padding, aside)


_FORMATS: dict[tuple[int, bytes], Callable[[memoryview], int]] = {
    (8, b"WAVE"): _wav,
    (0, b"fLaC"): _flac,
    (0, b"OggS"): _ogg,
    (4, b"ftyp"): _mp4,
    (0, b"\x1aE\xdf\xa3"): _webm,
}
"""Where which bytes stand in a file, and how it is read; all others may be MP3."""
