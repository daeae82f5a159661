"""Which paths are the interface's, and what they ask of a server."""

import pytest

from routing.gateway.paths import at_server, endpoint_of, is_api


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/chat/completions", "chat/completions"),
        ("/chat/completions", "chat/completions"),
        ("/v2/rerank", "rerank"),
        ("/v1/models", "models"),
        ("/models/org/name", "models/org/name"),
        ("/v1/models/Org/Name é", "models/Org/Name é"),
        ("/v1/anything-new", "anything-new"),
        ("/tokenize", "tokenize"),
    ],
)
def test_api_paths_ask_for_an_endpoint(path: str, endpoint: str) -> None:
    assert is_api(path)
    assert endpoint_of(path) == endpoint


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1//chat",
        "/v1/../metrics",
        "/v1/a/../../b",
        "/v1/Chat",
        "/v1/a?b",
        "/v1/a b",
        "/v1/load_lora_adapter",
        "/v1/" + "a/" * 10,
        "/v1/" + "a" * 41,
    ],
)
def test_what_else_is_under_v1_is_nothing_and_no_page(path: str) -> None:
    assert is_api(path)
    assert endpoint_of(path) is None


@pytest.mark.parametrize("path", ["/", "/keys/", "/catalogue/", "/v10/models", "/model", "/v2/x"])
def test_pages_are_pages(path: str) -> None:
    assert not is_api(path)


def test_servers_are_asked_where_they_answer() -> None:
    assert at_server("messages", b"beta=true") == "/v1/messages?beta=true"
    assert at_server("tokenize", b"") == "/tokenize"
