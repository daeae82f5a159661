"""What a server's answer means: an answer for the client, or a failure that another server may make good.

A client's own mistakes (4xx) are answers and never speak against a server. Not here: who is asked next.
"""

import re
import time

from routing.core.enums import Endpoint
from routing.core.retry import Failure
from routing.core.table import Budget, Limit
from routing.dispatch.messages import Refusal, RefusalCode
from routing.gateway.cleaning import ServerError, clean, read_error
from routing.gateway.errors import KINDS, ApiError, Code
from routing.gateway.quotas import budget_short, duration_in_words, limit_reached, over_limit

CONTEXT_LENGTH = "context_length_exceeded"
"""OpenAI's code, by which agents know that they must shorten their prompt; vLLM says it only in words."""

NEVER_RENEWED_MS = 86_400_000
"""Said when only people can help: come back tomorrow."""

_CODES = {
    RefusalCode.NOT_HOSTED: Code.NOT_HOSTED,
    RefusalCode.RULES: Code.GUESTS_REFUSED,
    RefusalCode.LABELS: Code.NO_LABELLED_SERVER,
    RefusalCode.ENDPOINT: Code.NO_ENDPOINT,
    RefusalCode.FULL: Code.BUSY,
    RefusalCode.THRESHOLD: Code.BUSY,
    RefusalCode.BUDGET: Code.BUDGET,
    RefusalCode.BUDGET_IN_USE: Code.BUDGET_IN_USE,
    RefusalCode.BUDGET_UNKNOWN: Code.BUDGET_UNKNOWN,
    RefusalCode.MINIMUM: Code.MINIMUM,
}
"""What refusals are to clients; for all others no server is available."""
_UNKNOWN_MODEL = (
    "The model `{}` does not exist",  # vLLM
    "The model '{}' does not exist",  # LMDeploy
    "model '{}' not found",  # Ollama
    'model "{}" not found',
    "Invalid model name passed in model={}",  # LiteLLM, behind the path
)
"""How engines begin to say it. The same words further on may be a client's own, which engines repeat: they must
not take a model from everybody."""
_PATH_BEFORE = re.compile(r"/[\w/]{1,64}: ")


class Failed(Exception):
    """An attempt that brought nothing for the client. `error` is what it hears if no other server helps.

    `retry_after_ms` is what a full server asked for, 0 when it said nothing.
    """

    def __init__(self, failure: Failure, error: ApiError | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.error = error or error_of(failure)
        self.retry_after_ms = 0


def error_of(failure: Failure) -> ApiError:
    """Return what a client is told of a failure about which the server said nothing fit to repeat."""
    match failure:
        case Failure.FULL:
            return ApiError(Code.BUSY)
        case Failure.NO_ENDPOINT:
            return ApiError(Code.NO_ENDPOINT)
        case Failure.TIMEOUT:
            return ApiError(Code.SERVER_TIMEOUT)
        case Failure.GONE | Failure.NO_MODEL:
            return ApiError(Code.NO_SERVER)
        case _:
            return ApiError(Code.SERVER_FAILED)


def refusal_error(refusal: Refusal) -> ApiError:
    """Return what a client is told when no server is given to its request."""
    if refusal.limit is not None:
        return _limit_error(refusal, refusal.limit)
    if refusal.budget is not None:
        return _budget_error(refusal, refusal.budget)
    code = _CODES.get(refusal.code, Code.NO_SERVER)
    message = ""
    if refusal.code is RefusalCode.THRESHOLD:
        message = "Too many people using the service: more wait than this key waits behind"
    return ApiError(code, message, retry_after_ms=refusal.retry_after_ms)


def _limit_error(refusal: Refusal, limit: Limit) -> ApiError:
    if refusal.code is RefusalCode.OVER_LIMIT:
        return ApiError(Code.OVER_LIMIT, over_limit(limit))
    message = limit_reached(limit, refusal.retry_after_ms)
    return ApiError(Code.LIMIT, message, retry_after_ms=refusal.retry_after_ms)


def _budget_error(refusal: Refusal, budget: Budget) -> ApiError:
    code = _CODES[refusal.code]
    message = budget_short(budget, KINDS[code].message)
    if code is not Code.BUDGET:
        return ApiError(code, message)
    if refusal.renewed_at is None:
        return ApiError(code, message, retry_after_ms=NEVER_RENEWED_MS)
    left = max(1, refusal.renewed_at - int(time.time()))
    message = f"{message}; it begins anew in {duration_in_words(left * 1000)}"
    return ApiError(code, message, retry_after_ms=left * 1000)


def judge_error(status: int, body: bytes, names: dict[str, str]) -> ApiError:
    """Return the client's own mistake in an answer that is no success. Raises `Failed` on a server's.

    `names` are the words that clients must not see, with what stands for them.
    """
    error = read_error(body)
    failure = _failure_of_status(status, error, names)
    if failure is None:
        return mistake(400 if status >= 500 else status, error, names)
    raise Failed(failure, _told(failure, status, error, names))


def judge_event(error: ServerError, names: dict[str, str]) -> ApiError:
    """Like `judge_error`, for an error that came as a stream's first event, or inside a 200."""
    status = error.status if error.status >= 400 else 500
    failure = _failure_of_status(status, error, names)
    if failure is None:
        return mistake(status, error, names)
    raise Failed(failure, _told(failure, status, error, names))


def broken_off(error: ServerError, names: dict[str, str]) -> ApiError:
    """Return what ends a stream whose server said in the middle that it failed."""
    return ApiError(Code.INTERRUPTED, clean(error.message, names), status=502)


def mistake(status: int, error: ServerError, names: dict[str, str]) -> ApiError:
    """Return a client's mistake in the server's words, under its status."""
    message = clean(error.message, names) or "The server refused the request"
    code = error.code
    if status == 400 and "maximum context length" in message:
        code = CONTEXT_LENGTH
    return ApiError(code, message, status=status, param=error.param)


def _failure_of_status(status: int, error: ServerError, names: dict[str, str]) -> Failure | None:
    """Return None for a client's mistake."""
    match status:
        case 401 | 403:
            return Failure.DENIED
        case 400 | 404 | 405 | 501:
            return _what_is_missing(status, error, names)
        case 408:
            return Failure.TIMEOUT
        case 429 | 503:
            return Failure.FULL
        case 500 if "validation error" in error.message:
            return None  # llama-cpp-python says so of a client's mistake
    if 400 <= status < 500:
        return None
    return Failure.SERVER_ERROR if status >= 500 else Failure.BAD_ANSWER


def _what_is_missing(status: int, error: ServerError, names: dict[str, str]) -> Failure | None:
    """Return what the server lacks, the path or the model; None when what the client asked for is wrong.

    vLLM also says 501 of a request that its model cannot carry out, in a sentence.
    """
    if status == 405 or (status != 400 and error.message in ("", "Not Found", "Not Implemented")):
        return Failure.NO_ENDPOINT
    return Failure.NO_MODEL if _is_unknown_model(error, names) else None


def _is_unknown_model(error: ServerError, names: dict[str, str]) -> bool:
    """Say whether a server does not know the name under which it was registered."""
    if error.param not in (None, "model"):
        return False
    path = _PATH_BEFORE.match(error.message)
    start = path.end() if path else 0
    sentences = [form.format(name) for form in _UNKNOWN_MODEL for name in names if name]
    return error.message.startswith(tuple(sentences), start)


def _told(
    failure: Failure, status: int, error: ServerError, names: dict[str, str]
) -> ApiError | None:
    """Return a server's own fault in its own words and status; None to say ours."""
    if failure is not Failure.SERVER_ERROR:
        return None
    message = clean(error.message, names)
    return ApiError(Code.SERVER_FAILED, message, status=status)


def expects_json(endpoint: str) -> bool:
    """Say whether a success of this endpoint is JSON; speech comes as text, subtitles or sound."""
    return not endpoint.startswith("audio/")


def reports_usage_when_asked(endpoint: str) -> bool:
    """Say whether streams of this endpoint know `stream_options.include_usage`."""
    return endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS)
