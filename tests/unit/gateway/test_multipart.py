"""Forms: the model's name is found and replaced, the rest stays; what is no form is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.sound import Sound
from routing.gateway.errors import ApiError
from routing.gateway.multipart import FormBody
from tests.support.sounds import wav

TYPE = b"multipart/form-data; boundary=edge"
FILE = (
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n\x00\xff--edge is not here\r\n"
)
MODEL = b'--edge\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
END = b"--edge--\r\n"


@pytest.mark.parametrize("data", [MODEL + FILE + END, FILE + MODEL + END, b"pre\r\n" + MODEL + END])
def test_the_models_name_is_read_and_replaced(data: bytes) -> None:
    form = FormBody(data, TYPE)

    assert form.get("model") == "whisper"
    assert form.rewritten("openai/x", ask_usage=False) == data.replace(b"whisper", b"openai/x")


def test_a_stream_wish_is_read_as_json_would_have_it() -> None:
    wish = b'--edge\r\nContent-Disposition: form-data; name="stream"\r\n\r\nTrue\r\n'

    assert FormBody(MODEL + wish + END, TYPE).get("stream") is True
    assert FormBody(MODEL + END, TYPE).get("stream") is None


def test_a_quoted_boundary_is_understood() -> None:
    assert FormBody(MODEL + END, b'multipart/form-data; boundary="edge"').get("model") == "whisper"


def field(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def test_the_sound_of_a_form_is_measured_where_it_lies() -> None:
    sound = wav(1500)
    form = FormBody(field("file", sound, '; filename="a.wav"') + MODEL + END, TYPE)

    assert form.sound == Sound(1500, 2 * len(sound))
    assert form.prompt_estimate == 0


def test_a_form_without_a_file_may_hold_as_much_sound_as_its_size() -> None:
    data = MODEL + END

    assert FormBody(data, TYPE).sound == Sound(0, 2 * len(data))


@pytest.mark.parametrize(
    ("value", "answers"), [(b"4", 4), (b"0", 1), (b"-1", 1), (b"99999", 1), (b"1e3", 1), (b"", 1)]
)
def test_how_many_images_a_form_asks_for_is_read(value: bytes, answers: int) -> None:
    assert FormBody(field("n", value) + MODEL + END, TYPE).answers == answers


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (MODEL + MODEL + END, TYPE, "ambiguous_field"),
        (MODEL.replace(b"model", b"Model") + END, TYPE, "ambiguous_field"),
        (MODEL + FILE + FILE + END, TYPE, "ambiguous_field"),
        (MODEL + field("N", b"1") + END, TYPE, "ambiguous_field"),
        (MODEL, TYPE, "invalid_form"),
        (b"", TYPE, "invalid_form"),
        (b"--edge", TYPE, "invalid_form"),
        (b"--edge\r\n\r\nno head\r\n" + END, TYPE, "invalid_form"),
        (MODEL + END, b"multipart/form-data", "invalid_form"),
        (MODEL + END, b"multipart/form-data; boundary=other", "invalid_form"),
        (
            b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 2000,
            TYPE,
            "invalid_form",
        ),
    ],
)
def test_what_is_no_form_is_refused(data: bytes, kind: bytes, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        FormBody(data, kind)

    assert (refused.value.status, refused.value.code) == (400, code)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(ApiError):
        FormBody(data, TYPE)
