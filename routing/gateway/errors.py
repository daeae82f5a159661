"""What clients are told when something goes wrong: one table of codes, one shape per protocol.

A code is for programs, a message for people; messages keep the words of the dispatcher that this router
replaces. Not here: what a server's answer means (`verdicts`).
"""

from enum import StrEnum

import msgspec

from routing.core.enums import Endpoint


class Code(StrEnum):
    """Every error that is the router's own; `docs/router.md` explains each to users."""

    NO_KEY = "no_key"
    MALFORMED_KEY = "malformed_key"
    UNKNOWN_KEY = "invalid_api_key"
    EXPIRED_KEY = "expired_api_key"
    BAD_REQUEST = "bad_request"
    INVALID_JSON = "invalid_json"
    INVALID_FORM = "invalid_form"
    INVALID_FIELD = "invalid_field"
    AMBIGUOUS_FIELD = "ambiguous_field"
    NO_MODEL = "missing_model"
    UNKNOWN_MODEL = "model_not_found"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    ENDPOINT_NOT_ALLOWED = "endpoint_not_allowed"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    NOT_HOSTED = "not_hosted"
    GUESTS_REFUSED = "guests_refused"
    NO_LABELLED_SERVER = "no_server_with_labels"
    UNKNOWN_PATH = "unknown_path"
    WRONG_METHOD = "method_not_allowed"
    NO_ENDPOINT = "endpoint_not_served"
    BODY_TOO_LARGE = "body_too_large"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TIMEOUT = "request_timeout"
    BUSY = "too_many_people"
    LIMIT = "rate_limit_exceeded"
    OVER_LIMIT = "request_over_limit"
    BUDGET = "insufficient_quota"
    BUDGET_IN_USE = "budget_in_use"
    BUDGET_UNKNOWN = "budget_unknown"
    WRONG_KEYS = "too_many_wrong_keys"
    SLOW_HEADS = "too_many_slow_heads"
    STOPPED = "stopped_by_operators"
    MODEL_STOPPED = "model_stopped"
    NO_SERVER = "no_server"
    MINIMUM = "minimum_service"
    ROUTER_BUSY = "router_busy"
    NOT_READY = "not_ready"
    SPOOL_FULL = "accounting_unavailable"
    STOPPING = "router_stopping"
    SERVER_FAILED = "server_failed"
    SERVER_TIMEOUT = "server_timeout"
    INTERRUPTED = "answer_interrupted"
    TOO_LONG = "run_timeout"
    INTERNAL = "internal_error"


class Kind(msgspec.Struct, frozen=True):
    status: int
    message: str
    param: str | None = None


KINDS = {
    Code.NO_KEY: Kind(401, "No token provided"),
    Code.MALFORMED_KEY: Kind(401, "Invalid token"),
    Code.UNKNOWN_KEY: Kind(401, "Unauthorized"),
    Code.EXPIRED_KEY: Kind(401, "Unauthorized: this key has expired"),
    Code.BAD_REQUEST: Kind(400, "This is no valid HTTP request"),
    Code.INVALID_JSON: Kind(400, "Invalid JSON Body"),
    Code.INVALID_FORM: Kind(400, "Invalid form body"),
    Code.INVALID_FIELD: Kind(400, "A field has a wrong value"),
    Code.AMBIGUOUS_FIELD: Kind(400, "A field is given twice, or in another spelling"),
    Code.NO_MODEL: Kind(400, "No model specified.", "model"),
    Code.UNKNOWN_MODEL: Kind(404, "Unknown model", "model"),
    Code.MODEL_NOT_ALLOWED: Kind(403, "This key may not use this model", "model"),
    Code.NOT_HOSTED: Kind(400, "Your institution does not host this model", "routing-mode"),
    Code.GUESTS_REFUSED: Kind(
        403,
        "The owners of this model's servers do not serve your institution, this class, or guests at this hour",
        "model",
    ),
    Code.ENDPOINT_NOT_ALLOWED: Kind(403, "This key may not ask this path"),
    Code.ADDRESS_NOT_ALLOWED: Kind(403, "This key may not be used from this address"),
    Code.NO_LABELLED_SERVER: Kind(
        403, "No server of this model stands at a site with all the labels that were asked for"
    ),
    Code.UNKNOWN_PATH: Kind(404, "There is nothing at this path"),
    Code.WRONG_METHOD: Kind(405, "This path does not take this method"),
    Code.NO_ENDPOINT: Kind(404, "No server of this model answers this path"),
    Code.BODY_TOO_LARGE: Kind(413, "The body is too large"),
    Code.HEAD_TOO_LARGE: Kind(431, "The request's head is too large"),
    Code.BODY_TIMEOUT: Kind(408, "The rest of the body did not come in time"),
    Code.BUSY: Kind(503, "Too many people using the service"),
    Code.LIMIT: Kind(429, "A limit is reached"),
    Code.OVER_LIMIT: Kind(413, "This request alone is larger than a limit"),
    Code.BUDGET: Kind(429, "A budget is used up"),
    Code.BUDGET_IN_USE: Kind(
        429, "What a budget leaves is reserved for requests that run, try again later"
    ),
    Code.BUDGET_UNKNOWN: Kind(
        503, "What a budget leaves cannot be told at present, try again in a moment"
    ),
    Code.WRONG_KEYS: Kind(429, "Too many wrong keys from this address, try again later"),
    Code.SLOW_HEADS: Kind(429, "Too many unfinished requests from this address"),
    Code.STOPPED: Kind(403, "The federation's operators have stopped this key, or its institution"),
    Code.MODEL_STOPPED: Kind(503, "The federation's operators have stopped this model", "model"),
    Code.NO_SERVER: Kind(503, "No server of this model is available, try again later", "model"),
    Code.MINIMUM: Kind(
        503,
        "Too few servers of this model are left: they are kept for higher classes, try again later",
        "model",
    ),
    Code.ROUTER_BUSY: Kind(503, "Too many large requests at once, try again later"),
    Code.NOT_READY: Kind(503, "The router is starting, try again in a moment"),
    Code.SPOOL_FULL: Kind(503, "Usage cannot be accounted for at present, try again later"),
    Code.STOPPING: Kind(503, "The router is being restarted, try again in a moment"),
    Code.SERVER_FAILED: Kind(502, "The servers of this model failed to answer"),
    Code.SERVER_TIMEOUT: Kind(504, "The servers of this model did not answer in time"),
    Code.INTERRUPTED: Kind(502, "The server stopped in the middle of its answer"),
    Code.TOO_LONG: Kind(504, "The answer took longer than a request may run"),
    Code.INTERNAL: Kind(500, "The router failed; this is its own fault"),
}
RETRY_AFTER_SECONDS = 5
"""Said with a 429 or 503 when nobody knows better."""

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """A request that ends with an error, before it is written in a protocol's shape.

    `status`, `message` and `param` replace those of the code: a server's own error keeps its status.
    """

    def __init__(
        self,
        code: Code | str | None,
        message: str = "",
        *,
        status: int = 0,
        param: str | None = None,
        retry_after_ms: int = 0,
    ) -> None:
        kind = KINDS[code] if isinstance(code, Code) else Kind(status, message)
        self.code = str(code) if code is not None else None
        self.status = status or kind.status
        self.message = message or kind.message
        self.param = param or kind.param
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{self.status} {self.code}")

    @property
    def retry_after(self) -> int | None:
        """Return the seconds to wait, at least 1, with the statuses that mean `later`."""
        if self.status not in (429, 503):
            return None
        return (
            max(1, -(-self.retry_after_ms // 1000)) if self.retry_after_ms else RETRY_AFTER_SECONDS
        )


def is_anthropic(endpoint: str) -> bool:
    """Say whether clients of this endpoint speak Anthropic's protocol."""
    return endpoint == Endpoint.MESSAGES or endpoint.startswith("messages/")


def error_type(status: int) -> str:
    """Return the vocabulary that both protocols share for a status."""
    if known := _TYPES.get(status):
        return known
    return "invalid_request_error" if status < 500 else "server_error"


def error_body(error: ApiError, endpoint: str) -> bytes:
    """Return the error as a JSON body in the endpoint's protocol."""
    return msgspec.json.encode(_value(error, endpoint))


def error_event(error: ApiError, endpoint: str) -> bytes:
    """Return the error as the last event of a stream; OpenAI's clients expect `[DONE]` behind it."""
    value = _value(error, endpoint)
    if endpoint == Endpoint.RESPONSES:
        # The Responses protocol has the fields at the top, its client looks for `error` all the same.
        value |= {
            "type": "error",
            "code": error.code,
            "message": error.message,
            "param": error.param,
        }
    data = msgspec.json.encode(value)
    if is_anthropic(endpoint) or endpoint == Endpoint.RESPONSES:
        return b"event: error\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\ndata: [DONE]\n\n"


def _value(error: ApiError, endpoint: str) -> dict[str, object]:
    if is_anthropic(endpoint):
        kind = _anthropic_type(error.status)
        return {"type": "error", "error": {"type": kind, "message": error.message}}
    body = {
        "message": error.message,
        "type": error_type(error.status),
        "param": error.param,
        "code": error.code,
    }
    return {"error": body}


def _anthropic_type(status: int) -> str:
    if status in (503, 529):
        return "overloaded_error"
    return "api_error" if status >= 500 else error_type(status)
