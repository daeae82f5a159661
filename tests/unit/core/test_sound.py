"""How long a recording is by its own head, whatever anybody writes into it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.sound import MOST_MS, SILENCE, Sound, most_in, sound_in
from tests.support.sounds import flac, mp3, mp4, opus, page, vorbis, wav, webm


def measured(file: bytes) -> Sound:
    return sound_in(memoryview(file))


@pytest.mark.parametrize(
    ("file", "ms"),
    [
        pytest.param(wav(1500), 1500, id="wav"),
        pytest.param(wav(1500, 44_100, width=3, channels=2), 1500, id="wav in stereo"),
        pytest.param(flac(12_345), 12_345, id="flac"),
        pytest.param(opus(61_000), 61_000, id="opus"),
        pytest.param(vorbis(61_000), 61_000, id="vorbis"),
        pytest.param(mp3(500), 12_000, id="mp3"),
        pytest.param(mp3(500, tag=3000), 12_000, id="mp3 behind a tag"),
        pytest.param(mp3(500, counted=1000), 24_000, id="mp3 of changing speed"),
        pytest.param(mp4(7_250), 7_250, id="m4a"),
        pytest.param(mp4(7_250, version=1), 7_250, id="m4a of 64 bits"),
        pytest.param(webm(9_001.7), 9_001, id="webm"),
    ],
)
def test_each_format_tells_its_length(file: bytes, ms: int) -> None:
    sound = measured(file)

    assert sound.ms == ms
    assert sound.most_ms == len(file) * 2
    assert sound.expected_ms == -(-ms // 1000) * 1000


def with_bytes(file: bytes, place: int, new: bytes) -> bytes:
    return file[:place] + new + file[place + len(new) :]


RECORDING = wav(1500)


@pytest.mark.parametrize(
    ("file", "ms"),
    [
        pytest.param(with_bytes(RECORDING, 40, b"\xfe\xff\xff\x7f"), 1500, id="of a year"),
        pytest.param(with_bytes(RECORDING, 40, b"\xff\xff\xff\xff"), 1500, id="of unknown length"),
        pytest.param(with_bytes(RECORDING, 40, bytes(4)), 1500, id="streamed, not filled in"),
        pytest.param(with_bytes(RECORDING, 28, b"\x01\0\0\0"), 1500, id="of a byte a second"),
        pytest.param(with_bytes(RECORDING, 24, b"\x01\0\0\0"), 96_088, id="of a sample a second"),
        pytest.param(with_bytes(RECORDING, 24, bytes(4)), 0, id="of no sample a second"),
        pytest.param(with_bytes(RECORDING, 22, bytes(2)), 0, id="without channels"),
        pytest.param(RECORDING[: 44 + 16_000], 500, id="cut"),
        pytest.param(RECORDING[:44], 0, id="its head alone"),
        pytest.param(RECORDING[:30], 0, id="half of its head"),
    ],
)
def test_a_wav_that_lies_is_as_long_as_its_bytes(file: bytes, ms: int) -> None:
    assert measured(file).ms == ms


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(mp4(2**31), id="m4a"),
        pytest.param(flac(10**9), id="flac"),
        pytest.param(opus(10**10), id="opus"),
        pytest.param(mp3(50, counted=2**31), id="mp3"),
        pytest.param(webm(1e300), id="webm"),
    ],
)
def test_nothing_is_longer_than_its_size_can_hold(file: bytes) -> None:
    sound = measured(file)

    assert sound.ms == sound.most_ms == len(file) * 2 < 300_000


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Bonjour", id="text"),
        pytest.param(bytes(range(256)) * 40, id="any bytes"),
        pytest.param(b"\xff" * 10_000, id="ones"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(5000), id="a picture"),
        pytest.param(mp4(2**32 - 1), id="m4a of unknown length"),
        pytest.param(mp4(0), id="m4a in pieces"),
        pytest.param(mp4(5000)[:1000], id="half of an m4a"),
        pytest.param(struct.pack(">I4s", 4, b"ftyp") * 10_000, id="boxes of nothing"),
        pytest.param(struct.pack(">I4s", 8, b"ftyp") * 100_000, id="boxes without end"),
        pytest.param(webm(None), id="what a browser records"),
        pytest.param(webm(-5.0), id="webm of less than nothing"),
        pytest.param(webm(float("nan")), id="webm of no number"),
        pytest.param(
            webm(5.0, scale=bytes(1_000) + b"\x01"), id="webm with a number of any length"
        ),
        pytest.param(b"\x1aE\xdf\xa3" + bytes(5000), id="webm of zeros"),
        pytest.param(flac(0), id="flac of unknown length"),
        pytest.param(opus(-1000), id="opus that ends before it begins"),
        pytest.param(page(9, b"OpusHead") + b"OggS" * 50_000, id="pages without end"),
        pytest.param(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + mp3(5), id="a tag larger than its file"),
    ],
)
def test_what_does_not_tell_is_unknown_and_as_much_as_it_can_be_is_reckoned_with(
    file: bytes,
) -> None:
    assert measured(file) == Sound(0, len(file) * 2)
    assert measured(file).expected_ms == len(file) * 2


HEADS = [file[:400] for file in (wav(20), flac(20), opus(20), mp3(9), mp4(20, filling=9), webm(20))]


@given(
    head=st.sampled_from([*HEADS, b""]),
    place=st.integers(0, 400),
    noise=st.binary(max_size=60),
    rest=st.binary(max_size=300),
)
def test_no_bytes_do_harm(head: bytes, place: int, noise: bytes, rest: bytes) -> None:
    file = with_bytes(head, place, noise) + rest

    sound = measured(file)

    assert 0 <= sound.ms <= sound.most_ms == most_in(len(file))


def test_a_record_has_room_for_it() -> None:
    assert most_in(10**12) == MOST_MS
    assert SILENCE.expected_ms == 0
