"""What aristote-dispatcher v1.5.0 answers its clients, as recorded from its own code, and what is answered here.

`docs/aristote-dispatcher.md` lists each difference with its reason; a test holds the two together.
"""

from typing import Any

import msgspec

from routing.simulator import Fault

JSON = "application/json"
MODEL = "mistral-small-3.2-24b"
UNHOSTED = "llama-3.1-8b"
"""A model that only another institution than the asking one hosts."""
KEY, CHAT_KEY = "tokenwithlowerpriority", "tokenwithhigherpriority"
"""Keys as the dispatcher's own documentation has them; the second is of client type `chat`."""


class Answer(msgspec.Struct, frozen=True):
    """A status and a text that must be in the body; an empty text says nothing."""

    status: int
    text: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A request, the dispatcher's answer and ours. Without `now` both are the same, in status and in words."""

    name: str
    then: Answer
    now: Answer | None = None
    method: str = "POST"
    path: str = "/v1/chat/completions"
    headers: dict[str, str] | None = None
    """Those of the key that is known, unless others are given."""
    body: Any = None
    raw: bytes | None = None
    content_type: str = JSON
    fault: Fault | None = None
    busy: bool = False
    """Whether the only server has no place."""

    @property
    def expected(self) -> Answer:
        return self.now or self.then


def chat(**changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Bonjour"}]
    return {"model": MODEL, "messages": messages, "max_tokens": 5, "stream": False} | changes


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


TOO_MANY = "Too many people using the service"
MODES = "must either be 'any', 'private-first' or 'private-only'"
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n--x--\r\n' % MODEL.encode()
)
CASES = (
    Case(name="no key", headers={}, body=chat(), then=Answer(401, "No token provided")),
    Case(
        name="a malformed header",
        headers={"authorization": "Bearer a b"},
        body=chat(),
        then=Answer(401, "Invalid token"),
    ),
    Case(
        name="`bearer` in lower case",
        headers={"authorization": f"bearer {KEY}"},
        body=chat(),
        then=Answer(401, "Invalid token"),
        now=Answer(200, "chat.completion"),
    ),
    Case(
        name="an unknown key",
        headers=bearer("nobody"),
        body=chat(),
        then=Answer(401, "Unauthorized"),
    ),
    Case(
        name="a preflight of a browser",
        method="OPTIONS",
        headers={"origin": "https://app.example", "access-control-request-method": "POST"},
        then=Answer(401, "No token provided"),
        now=Answer(204),
    ),
    Case(name="a body that is no JSON", raw=b"{", then=Answer(400, "Invalid JSON Body")),
    Case(
        name="a form",
        path="/v1/audio/transcriptions",
        raw=FORM,
        content_type="multipart/form-data; boundary=x",
        then=Answer(400, "Invalid JSON Body"),
        now=Answer(404, ""),
    ),
    Case(
        name="an empty model",
        body=chat(model=""),
        then=Answer(404, "No model specified."),
        now=Answer(400, "No model specified."),
    ),
    Case(
        name="no model",
        body={"messages": []},
        then=Answer(500, "Internal Server Error"),
        now=Answer(400, "No model specified."),
    ),
    Case(name="an unknown model", body=chat(model="nobody"), then=Answer(404, "Unknown model")),
    Case(name="a wrong routing mode", body=chat(**{"routing-mode": "x"}), then=Answer(400, MODES)),
    Case(
        name="a private mode where the institution hosts nothing",
        body=chat(model=UNHOSTED, **{"routing-mode": "private-only"}),
        then=Answer(400, "is not available for your organization"),
        now=Answer(400, "Your institution does not host"),
    ),
    Case(
        name="a priority that is a text",
        body=chat(priority="1"),
        then=Answer(500, "Internal Server Error"),
        now=Answer(400, "Wrong value of `priority`"),
    ),
    Case(name="nobody has a place in time", body=chat(), busy=True, then=Answer(503, TOO_MANY)),
    Case(
        name="the same, for a key of type chat",
        headers=bearer(CHAT_KEY),
        body=chat(),
        busy=True,
        then=Answer(200, TOO_MANY),
    ),
    Case(
        name="a server that refuses connections",
        body=chat(),
        fault=Fault(kind="refuse"),
        then=Answer(500, "Internal Server Error"),
        now=Answer(502, "failed to answer"),
    ),
    Case(
        name="a server's 400",
        body=chat(),
        fault=Fault(kind="status", status=400),
        then=Answer(200),
        now=Answer(400),
    ),
    Case(
        name="a server's 429",
        body=chat(),
        fault=Fault(kind="status", status=429),
        then=Answer(200),
        now=Answer(503, TOO_MANY),
    ),
    Case(
        name="a server's 500",
        body=chat(),
        fault=Fault(kind="status", status=500),
        then=Answer(200),
        now=Answer(500, "server_failed"),
    ),
    Case(
        name="a compressed answer",
        body=chat(),
        fault=Fault(kind="gzip"),
        then=Answer(200),
        now=Answer(502, "failed to answer"),
    ),
    Case(name="an answer as a whole", body=chat(), then=Answer(200, "chat.completion")),
    Case(name="an answer as a stream", body=chat(stream=True), then=Answer(200, "data: [DONE]")),
    Case(
        name="another endpoint",
        path="/v1/completions",
        body={"model": MODEL, "prompt": "Bonjour", "stream": False},
        then=Answer(200, "text_completion"),
    ),
    Case(name="the models", method="GET", path="/v1/models", then=Answer(200, '"object":"list"')),
    Case(
        name="the models without a key",
        method="GET",
        path="/v1/models",
        headers={},
        then=Answer(401, "No token provided"),
    ),
    Case(name="a model", method="GET", path=f"/v1/models/{MODEL}", then=Answer(200, MODEL)),
    Case(
        name="a model that nobody has",
        method="GET",
        path="/v1/models/nobody",
        then=Answer(404, "nobody"),
    ),
    Case(
        name="a model whose name holds a slash",
        method="GET",
        path="/v1/models/org/nobody",
        then=Answer(404, "Not Found"),
        now=Answer(404, "org/nobody"),
    ),
    Case(
        name="the models without `/v1`",
        method="GET",
        path="/models",
        then=Answer(404, "Not Found"),
        now=Answer(200, MODEL),
    ),
    Case(
        name="whether it lives",
        method="GET",
        path="/health/liveness",
        headers={},
        then=Answer(200, "OK"),
    ),
    Case(
        name="whether it is ready",
        method="GET",
        path="/health/readiness",
        headers={},
        then=Answer(200, "OK"),
    ),
)
DIFFERENT = {case.name: case for case in CASES if case.now}
