"""Which paths are the interface's, what they ask for, and how the same is asked of a server.

Under `/v1` everything is the interface's; outside it a fixed list is, which no page uses.
"""

import re

MODELS = "models"
_PREFIX = "/v1/"
_ENDPOINT = re.compile(r"[a-z0-9_-]{1,40}(?:/[a-z0-9_-]{1,40}){0,3}")
_MAX_ENDPOINT = 64  # characters that a usage record keeps
_KNOWN = frozenset(
    {
        "chat/completions",
        "completions",
        "embeddings",
        "rerank",
        "responses",
        "messages",
        "messages/count_tokens",
        "audio/transcriptions",
        "audio/translations",
        "audio/speech",
        "tokenize",
        "detokenize",
        "score",
        "classify",
        "pooling",
        "moderations",
        "images/generations",
    }
)
"""What is posted, and answered outside of /v1 too, which no page uses."""
_AT_SERVERS_ROOT = frozenset({"tokenize", "detokenize", "classify", "pooling"})
"""Where vLLM has these: outside of /v1."""
_NEVER = frozenset({"load_lora_adapter", "unload_lora_adapter"})
"""What changes a server rather than asks its models; vLLM takes it under /v1, from whoever holds its token."""


def is_api(path: str) -> bool:
    """Say whether a path belongs to the interface, whether or not there is anything at it."""
    return path.startswith(_PREFIX) or path == "/v1" or _outside(path) is not None


def endpoint_of(path: str) -> str | None:
    """Return what an interface path asks for, named after the path below /v1; None for what is none."""
    if not path.startswith(_PREFIX):
        return _outside(path)
    endpoint = path[len(_PREFIX) :]
    if model_in(endpoint) is not None:
        return endpoint
    well_formed = _ENDPOINT.fullmatch(endpoint) and len(endpoint) <= _MAX_ENDPOINT
    return endpoint if well_formed and endpoint not in _NEVER else None


def is_known(endpoint: str) -> bool:
    """Say whether an endpoint is one that servers are known to have; any other is theirs to answer, if it is posted."""
    return endpoint in _KNOWN


def model_in(endpoint: str) -> str | None:
    """Return the name behind `models/`, which may hold slashes, empty for the list; None for other endpoints."""
    if endpoint in (MODELS, MODELS + "/"):
        return ""
    return endpoint[len(MODELS) + 1 :] if endpoint.startswith(MODELS + "/") else None


def at_server(endpoint: str, query: bytes) -> str:
    """Return the path at which a server answers an endpoint, with the client's query."""
    path = f"/{endpoint}" if endpoint in _AT_SERVERS_ROOT else _PREFIX + endpoint
    return f"{path}?{query.decode('latin-1')}" if query else path


def _outside(path: str) -> str | None:
    endpoint = path[1:]
    if endpoint in _KNOWN or model_in(endpoint) is not None:
        return endpoint
    return "rerank" if path == "/v2/rerank" else None
