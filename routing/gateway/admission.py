"""From a request's body to an order that can be tried at servers: the model, and what the key allows.

Limits and budgets are not decided here but behind the dispatcher's door.
"""

from typing import Any

import msgspec

from routing.core.accounting import Opened
from routing.core.enums import PriorityClass, RoutingMode
from routing.core.table import Model, Principal, Server, Table
from routing.core.usage import LISTENING, READING, WRITING, Asked
from routing.dispatch.messages import Ticket
from routing.gateway.errors import ApiError, Code
from routing.gateway.lifecycle import model_named
from routing.gateway.multipart import FormBody
from routing.gateway.paths import is_known
from routing.gateway.schemas import (
    MODEL,
    PRIORITY,
    ROUTING_MODE,
    STREAM,
    STREAM_OPTIONS,
    JsonBody,
)
from routing.upstream.engines.vllm import VLLM

Body = JsonBody | FormBody
JSON_TYPE = b"application/json"


class Order(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is asked for, by whom, in which class."""

    principal: Principal
    model: Model
    model_asked: str
    endpoint: str
    content_type: bytes
    stream: bool
    wants_usage: bool
    priority: int
    mode: RoutingMode
    labels: tuple[str, ...] = ()


def read_order(
    table: Table,
    principal: Principal,
    endpoint: str,
    data: bytes,
    content_type: bytes,
    now: float,
    labels: tuple[str, ...] = (),
) -> tuple[Order, Body]:
    """Return what a request's body orders, and the body, which is dropped earlier. Raises `ApiError`.

    `labels` are what every site must carry that serves it; `now` is in epoch seconds.
    """
    is_form = content_type.lower().startswith(b"multipart/")
    body: Body = FormBody(data, content_type) if is_form else JsonBody(data)
    asked = _model_name(body, endpoint)
    stream = _stream(body)
    model = _model(table, principal, asked, now)
    mode = _mode(body, principal)
    if mode is not RoutingMode.ANY and not is_hosted(table, model, principal.institution_id):
        raise ApiError(
            Code.NOT_HOSTED,
            f"Your institution does not host `{model.name}`: ask with `{ROUTING_MODE}` any",
        )
    order = Order(
        principal=principal,
        model=model,
        model_asked=asked,
        endpoint=endpoint,
        content_type=content_type if is_form else JSON_TYPE,
        stream=stream,
        wants_usage=stream and _wants_usage(body),
        priority=_priority(body, principal),
        mode=mode,
        labels=labels,
    )
    return order, body


def _model_name(body: Body, endpoint: str) -> str:
    asked = body.get(MODEL)
    if asked is None or asked == "":
        raise ApiError(Code.NO_MODEL if is_known(endpoint) else Code.UNKNOWN_PATH)
    if not isinstance(asked, str):
        raise _wrong(MODEL, "it takes a text")
    return asked


def _model(table: Table, principal: Principal, asked: str, now: float) -> Model:
    model = model_named(table, asked, now)
    if not principal.may_use(model):
        raise ApiError(Code.MODEL_NOT_ALLOWED, f"This key may not use the model `{model.name}`")
    return model


def _stream(body: Body) -> bool:
    value = body.get(STREAM)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _wrong(STREAM, "it takes true or false")


def _wants_usage(body: Body) -> bool:
    options = body.get(STREAM_OPTIONS)
    if options is None:
        return False
    if not isinstance(options, dict):
        raise _wrong(STREAM_OPTIONS, "it takes an object")
    return options.get("include_usage") is True


def _priority(body: Body, principal: Principal) -> int:
    """Return the class: a request may lower its key's, never raise it. 5 is served first."""
    value: Any = body.get(PRIORITY)
    if value is None:
        return principal.priority
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(PRIORITY, "it takes a whole number from 1 to 5")
    if value < 0:
        raise _wrong(PRIORITY, "it takes no negative number; 1 is the lowest class")
    return max(PriorityClass.P1.value, min(value, principal.priority))


def _mode(body: Body, principal: Principal) -> RoutingMode:
    value = body.get(ROUTING_MODE)
    if value is None:
        return principal.routing_mode
    try:
        return RoutingMode(value)
    except ValueError:
        raise _wrong(
            ROUTING_MODE, "must either be 'any', 'private-first' or 'private-only'"
        ) from None


def is_hosted(table: Table, model: Model, institution_id: str) -> bool:
    """Say whether an institution has a server of the model, were it one that serves nobody at present."""
    servers = table.servers.servers
    return any(
        (server := servers.get(deployment.server_id)) and server.institution_id == institution_id
        for deployment in model.deployments
    )


def _wrong(field: str, what: str) -> ApiError:
    return ApiError(Code.INVALID_FIELD, f"Wrong value of `{field}`: {what}", param=field)


def priority_told(order: Order, server: Server) -> int | None:
    """Return what a server is told of the class, None for nothing.

    vLLM serves the lowest number first, and only where it runs with `--scheduling-policy priority`.
    """
    is_told = order.model.forward_priority and server.engine == VLLM.name
    if not is_told or order.endpoint not in WRITING | READING:
        return None
    return max(PriorityClass.P5.value - order.priority, 0)


def _wait_seconds(model: Model, most: float) -> float:
    longest = model.longest_wait_seconds
    return most if longest is None else min(most, longest)


def asked_of(order: Order, body: Body) -> Asked:
    """Return what an answer is measured against; who sends sound is not taken to send text."""
    if order.endpoint in LISTENING:
        return Asked(sound=body.sound)
    return Asked(prompt_estimate=body.prompt_estimate, answers=body.answers)


def opening(
    order: Order, asked: Asked, request_id: str, client_id: str, received_at: float
) -> Opened:
    """Return the line that opens a request in the accounts."""
    principal = order.principal
    return Opened(
        id=request_id,
        client_request_id=client_id,
        key_id=principal.key_id,
        application_id=principal.application_id,
        institution_id=principal.institution_id,
        model_id=order.model.id,
        model_asked=order.model_asked,
        endpoint=order.endpoint,
        stream=order.stream,
        priority=order.priority,
        received_at=received_at,
        prompt_estimate=asked.prompt_estimate,
        data_class=order.labels,
    )


def ticket(
    opened: Opened,
    order: Order,
    body: Body,
    asked: Asked,
    *,
    incarnation: str,
    wait_seconds: float,
    weight: float = 1.0,
    has_budgets: bool = False,
) -> Ticket:
    """Return what is handed in at the dispatcher's door. What only budgets go by is read where there are some.

    Raises `ApiError`.
    """
    is_read = has_budgets and order.endpoint not in LISTENING
    return Ticket(
        id=opened.id,
        gateway=incarnation,
        incarnation=incarnation,
        model_id=opened.model_id,
        institution_id=opened.institution_id,
        application_id=opened.application_id,
        key_id=opened.key_id,
        priority=opened.priority,
        mode=order.mode,
        endpoint=opened.endpoint,
        stream=opened.stream,
        prompt_estimate=opened.prompt_estimate,
        max_tokens=body.max_tokens,
        prompt_most=body.prompt_most if is_read else 0,
        answers=asked.answers * (body.prompts if is_read else 1),
        audio_ms=asked.sound.expected_ms,
        prefix=body.prefix,
        deadline_in_ms=round(_wait_seconds(order.model, wait_seconds) * 1000),
        threshold=order.principal.threshold,
        weight=weight,
        labels=order.labels,
        holder_id=order.principal.holder_id,
    )
