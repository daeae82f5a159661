"""Whether a server lives: one request for its list of models, under the token and by the way that the relay takes."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from routing.core.retry import Failure
from routing.core.table import Server
from routing.upstream.destinations import Destination
from routing.upstream.engines import engine_named
from routing.upstream.engines.base import Engine
from routing.upstream.errors import UpstreamError
from routing.upstream.guarded import Fetched, fetch

MODELS_PATH = "/v1/models"
SECONDS = 5.0


class ServedModel(msgspec.Struct, frozen=True):
    """A model as the server lists it."""

    id: str
    max_model_len: int | None = None


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """`error` is None when the server is well; `sentence` says in words what was found, and nothing that it sent."""

    reachable: bool
    status: int = 0
    models: tuple[ServedModel, ...] = ()
    error: Failure | None = None
    sentence: str


class _List(msgspec.Struct):
    data: list[dict[str, Any]]


async def probe(
    server: Server, destination: Destination, http: httpx.AsyncClient, seconds: float = SECONDS
) -> ProbeResult:
    """Ask for the list of models. Never raises on what a server or the network does."""
    token = destination.token
    try:
        answer = await fetch(
            http,
            destination.target.url + MODELS_PATH,
            headers={"authorization": f"Bearer {token.reveal()}"} if token else {},
            grants=destination.grants,
            ca_bundle=destination.ca_bundle,
            identity=destination.identity,
            seconds=seconds,
        )
    except UpstreamError as error:
        return ProbeResult(reachable=False, error=error.failure, sentence=_sentence_of(error))
    return _judge(answer, engine_named(server.engine))


def _judge(answer: Fetched, engine: Engine) -> ProbeResult:
    status = answer.status
    if 200 <= status < 300:
        return _read_list(answer, engine)
    if status == 404 and engine.may_lack_list:
        return ProbeResult(reachable=True, status=status, sentence="It lives and lists no models.")
    failure, sentence = _complaint(status)
    return ProbeResult(reachable=True, status=status, error=failure, sentence=sentence)


def _complaint(status: int) -> tuple[Failure, str]:
    match status:
        case 401 | 403:
            return Failure.DENIED, f"It refuses the access token (status {status})."
        case 404:
            return Failure.NO_ENDPOINT, f"It has no {MODELS_PATH}: is the address right?"
        case 429 | 503:
            return Failure.FULL, f"It is too busy, or not ready yet (status {status})."
    if 300 <= status < 400:
        return Failure.BAD_ANSWER, "It redirects; the address must be the server's own."
    if status >= 500:
        return Failure.SERVER_ERROR, f"It fails to list its models (status {status})."
    return Failure.BAD_ANSWER, f"It does not list its models (status {status})."


def read_models(body: bytes, engine: Engine) -> tuple[ServedModel, ...] | None:
    """Return the models that a list of `engine` names, None when it is no list of models."""
    try:
        listed = msgspec.json.decode(body, type=_List).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return tuple(_read_items(listed, engine))


def _read_list(answer: Fetched, engine: Engine) -> ProbeResult:
    models = read_models(answer.body, engine)
    if models is None:
        return ProbeResult(
            reachable=True,
            status=answer.status,
            error=Failure.BAD_ANSWER,
            sentence="Its answer is no list of models.",
        )
    return ProbeResult(
        reachable=True,
        status=answer.status,
        models=models,
        sentence="It lives and lists its models.",
    )


def _read_items(items: list[dict[str, Any]], engine: Engine) -> Iterator[ServedModel]:
    """Yield what can be read; an item without a name is no model."""
    for item in items:
        if isinstance(name := item.get("id"), str) and name:
            lengths = (item.get(key) for key in engine.context_keys)
            yield ServedModel(name, next((n for n in lengths if _is_length(n)), None))


def _is_length(value: object) -> bool:
    return type(value) is int and value > 0


def _sentence_of(error: UpstreamError) -> str:
    sentence = str(error)
    return sentence[0].upper() + sentence[1:].removesuffix(".") + "."
