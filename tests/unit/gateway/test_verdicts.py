"""What servers' answers mean; the bodies are those that real servers sent."""

import msgspec
import pytest

from routing.core.retry import Failure
from routing.gateway.cleaning import ServerError, clean, read_error
from routing.gateway.verdicts import Failed, judge_error, judge_event

NAMES = {"tiny-llama": "llama-3.1-8b", "gpu7.univ-rennes.example": ""}
VLLM_UNKNOWN = (
    b'{"error":{"message":"The model `tiny-llama` does not exist. Valid aliases: other.",'
    b'"type":"NotFoundError","param":"model","code":404}}'
)
LITELLM_UNKNOWN = (
    b'{"error":{"message":"/chat/completions: Invalid model name passed in model=tiny-llama. Call '
    b'`/v1/models` to view available models for your key.","type":"invalid_request_error",'
    b'"param":null,"code":"400"}}'
)
LITELLM_WRAPPED = (
    b'{"error":{"message":"litellm.BadRequestError: Hosted_vllmException - {\\"error\\":{\\"message'
    b'\\":\\"tiny-llama is not a multimodal model\\",\\"type\\":\\"BadRequestError\\",\\"param\\"'
    b':\\"content\\",\\"code\\":400}}","type":null,"param":null,"code":"400"}}'
)
LITELLM_NOT_FOUND = (
    b'{"error":{"message":"litellm.NotFoundError: NotFoundError: Hosted_vllmException - {\\"detail'
    b'\\":\\"Not Found\\"}\\n\\nLiteLLM: model group \'tiny-llama\' failed","code":"404"}}'
)
LLAMACPP_MISTAKE = (
    b'{"error":{"message":"7 validation errors:\\n  {...}","type":"internal_server_error",'
    b'"param":null,"code":null}}'
)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, b'{"error":"Unauthorized"}', Failure.DENIED),
        (403, b"", Failure.DENIED),
        (404, b'{"detail":"Not Found"}', Failure.NO_ENDPOINT),
        (404, b"<html>nginx</html>", Failure.NO_ENDPOINT),
        (404, VLLM_UNKNOWN, Failure.NO_MODEL),
        (404, LITELLM_NOT_FOUND, Failure.NO_ENDPOINT),
        (400, LITELLM_UNKNOWN, Failure.NO_MODEL),
        (405, b'{"detail":"Method Not Allowed"}', Failure.NO_ENDPOINT),
        (501, b"", Failure.NO_ENDPOINT),
        (501, b'{"error":{"message":"Not Implemented"}}', Failure.NO_ENDPOINT),
        (408, b"", Failure.TIMEOUT),
        (429, b"{}", Failure.FULL),
        (503, b"", Failure.FULL),
        (500, b"Internal Server Error", Failure.SERVER_ERROR),
        (502, b"<html>", Failure.SERVER_ERROR),
        (302, b"", Failure.BAD_ANSWER),
    ],
)
def test_a_servers_fault_is_a_failure(status: int, body: bytes, failure: Failure) -> None:
    with pytest.raises(Failed) as failed:
        judge_error(status, body, NAMES)

    assert failed.value.failure is failure


@pytest.mark.parametrize(
    ("status", "body", "told", "message", "param"),
    [
        (400, LITELLM_WRAPPED, 400, "llama-3.1-8b is not a multimodal model", "content"),
        (422, b'{"detail":"wrong"}', 422, "wrong", None),
        (413, b"", 413, "The server refused the request", None),
        (500, LLAMACPP_MISTAKE, 400, "7 validation errors:\n  {...}", None),
        (
            404,
            b'{"error":{"message":"Response resp_1 not found"}}',
            404,
            "Response resp_1 not found",
            None,
        ),
        (418, b'{"error":"short"}', 418, "short", None),
    ],
)
def test_a_clients_mistake_is_an_answer(
    status: int, body: bytes, told: int, message: str, param: str | None
) -> None:
    error = judge_error(status, body, NAMES)

    assert (error.status, error.message, error.param) == (told, message, param)


@pytest.mark.parametrize("status", [400, 404, 422, 501])
@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("1 validation error: temperature: input 'model tiny-llama not found'", None),
        ("'The model `tiny-llama` does not exist' is no number", None),
        ("Response The model `tiny-llama` does not exist not found", None),
        ("host gpu7.univ-rennes.example: model not found", None),
        ("The model `tiny-llama` does not exist", "temperature"),
        ("The model `another` does not exist", "model"),
        ("model not found: tiny-llama", None),
    ],
)
def test_a_clients_own_words_never_say_that_a_server_lacks_its_model(
    status: int, message: str, param: str | None
) -> None:
    """Engines repeat what a client sent, and a missing model would be remembered for everybody."""
    body = msgspec.json.encode({"error": {"message": message, "param": param, "code": status}})

    assert judge_error(status, body, NAMES).status in (status, 400)
    assert judge_event(read_error(body), NAMES).status == status


@pytest.mark.parametrize(
    ("status", "message", "param"),
    [
        (404, "The model `tiny-llama` does not exist.", "model"),
        (404, "The model 'tiny-llama' does not exist.", None),
        (404, "model 'tiny-llama' not found", None),
        (404, 'model "tiny-llama" not found, try pulling it first', None),
        (400, "Invalid model name passed in model=tiny-llama", None),
    ],
)
def test_each_engine_is_understood_when_it_does_not_know_its_own_name(
    status: int, message: str, param: str | None
) -> None:
    with pytest.raises(Failed) as failed:
        judge_event(ServerError(message, param=param, status=status), NAMES)

    assert failed.value.failure is Failure.NO_MODEL


def test_an_overflow_gets_the_code_that_agents_look_for() -> None:
    body = (
        b'{"error":{"message":"This model\'s maximum context length is 1024 tokens.","code":400}}'
    )

    assert judge_error(400, body, NAMES).code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (503, Failure.FULL),
        (429, Failure.FULL),
        (500, Failure.SERVER_ERROR),
        (0, Failure.SERVER_ERROR),
    ],
)
def test_an_error_inside_a_200_is_judged_by_its_code(status: int, failure: Failure) -> None:
    with pytest.raises(Failed) as failed:
        judge_event(ServerError("busy", status=status), NAMES)

    assert failed.value.failure is failure


def test_a_clients_mistake_inside_a_200_gets_its_own_status_back() -> None:
    assert judge_event(ServerError("too long", status=400), NAMES).status == 400


@pytest.mark.parametrize(
    ("message", "cleaned"),
    [
        ("See https://gpu7:8000/x?y for more", "See … for more"),
        ("Cannot connect to host 10.1.2.3:8000", "Cannot connect to host …"),
        ("no file /models/llama/config.json here", "no file … here"),
        ("call /v1/models or /completions", "call /v1/models or /completions"),
        ("1/2 of the tokens, and 3/4", "1/2 of the tokens, and 3/4"),
        ("Tiny-Llama on gpu7.univ-rennes.example", "llama-3.1-8b on …"),
        ("tiny-llama-2 is another", "tiny-llama-2 is another"),
        ("x" * 5000, "x" * 2000),
    ],
)
def test_sentences_lose_what_is_of_the_house(message: str, cleaned: str) -> None:
    assert clean(message, NAMES) == cleaned


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"7", b"[1]", b"[" * 100_000, b'{"error":{"error":{"error":{}}}}', b"\xff"],
)
def test_any_body_can_be_read_for_an_error(body: bytes) -> None:
    assert read_error(body).message == ""


@pytest.mark.parametrize("hostile", ["a.", "[:", ":", "1.", "/a", "http", "{", "a:", "[", "é"])
def test_a_sentence_of_megabytes_takes_no_longer_than_its_beginning(hostile: str) -> None:
    """Any work that grows faster than the text would not end."""
    text = hostile * 2_000_000

    cleaned = [clean(text, NAMES), clean("[" + text, NAMES)]
    wrapped = read_error(msgspec.json.encode({"error": "litellm.X: Exception - " + text}))

    assert all(len(each) <= 2000 for each in cleaned)
    assert wrapped.message == text


def test_what_is_cut_off_leaves_no_half_of_an_address() -> None:
    address = "https://gpu7.univ-rennes.example:8000/a"

    assert "gpu7" not in clean(" ".join([address] * 1000), NAMES)
    assert clean("[2001:db8::7]:8000 and [::1] and [fe80::1]", NAMES) == "… and … and …"


def test_a_code_in_odd_digits_is_no_status() -> None:
    assert read_error(b'{"error":{"message":"m","code":"\xc2\xb2\xc2\xb2\xc2\xb2"}}').status == 0
