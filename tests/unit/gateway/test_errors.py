"""What clients read when something goes wrong, in each protocol."""

import msgspec
import pytest

from routing.gateway.errors import KINDS, ApiError, Code, error_body, error_event

OPENAI = ("chat/completions", "embeddings", "models", "")


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_status_and_a_sentence(code: Code) -> None:
    error = ApiError(code)

    assert 400 <= error.status < 600
    assert error.message == KINDS[code].message
    assert "code" not in error.message


@pytest.mark.parametrize("endpoint", OPENAI)
@pytest.mark.parametrize("code", list(Code))
def test_openais_shape_has_its_four_fields(code: Code, endpoint: str) -> None:
    found = msgspec.json.decode(error_body(ApiError(code), endpoint))

    assert set(found) == {"error"}
    assert set(found["error"]) == {"message", "type", "param", "code"}
    assert found["error"]["code"] == code


def test_a_server_error_without_a_code_has_null_there() -> None:
    error = ApiError(None, "no", status=422)

    assert msgspec.json.decode(error_body(error, "completions"))["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
    ],
)
def test_anthropics_shape_has_anthropics_words(status: int, kind: str) -> None:
    error = ApiError(None, "no", status=status)

    for endpoint in ("messages", "messages/count_tokens"):
        assert msgspec.json.decode(error_body(error, endpoint)) == {
            "type": "error",
            "error": {"type": kind, "message": "no"},
        }


def test_a_stream_ends_as_its_protocol_ends() -> None:
    error = ApiError(Code.INTERRUPTED)

    chat, responses, messages = (
        error_event(error, endpoint) for endpoint in ("chat/completions", "responses", "messages")
    )

    assert chat.startswith(b'data: {"error":')
    assert chat.endswith(b"\n\ndata: [DONE]\n\n")
    assert responses.startswith(b'event: error\ndata: {"error":')
    assert b'"type":"error","code":"answer_interrupted"' in responses
    assert messages.startswith(b'event: error\ndata: {"type":"error"')
    assert all(event.endswith(b"\n\n") for event in (chat, responses, messages))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ApiError(Code.BUSY, retry_after_ms=1), 1),
        (ApiError(Code.BUSY, retry_after_ms=1001), 2),
        (ApiError(Code.BUSY), 5),
        (ApiError(None, "no", status=429), 5),
        (ApiError(Code.SERVER_FAILED, retry_after_ms=1000), None),
        (ApiError(Code.NO_KEY), None),
    ],
)
def test_when_to_come_back_is_said_where_it_makes_sense(
    error: ApiError, seconds: int | None
) -> None:
    assert error.retry_after == seconds
