"""The ASGI application: which path is whose. API paths end here, all others go to the portal.

Raw ASGI: no framework stands between a request and its answer. Errors leave in one place, in the shape of the
protocol that the path belongs to; a page's HTML never answers an API path.
"""

import asyncio
import logging
import math
import time

from routing.core.table import Model, Principal
from routing.gateway.addresses import client_address
from routing.gateway.admission import Order, read_order
from routing.gateway.auth import SuspendedKey, authenticate
from routing.gateway.connection import Send
from routing.gateway.cors import HeaderList
from routing.gateway.endpoints.health import LIVE, readiness
from routing.gateway.endpoints.models import list_models, one_model
from routing.gateway.errors import ApiError, Code
from routing.gateway.exchange import Exchange, Receive, Scope
from routing.gateway.gateway import Gateway
from routing.gateway.journey import Journey
from routing.gateway.lifecycle import lifecycle_headers
from routing.gateway.paths import endpoint_of, is_api, is_known, model_in
from routing.gateway.portal import Portal
from routing.gateway.scopes import DATA_CLASS, check_address, check_endpoint, labels_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What pages may be asked with."""
TEXT = (b"content-type", b"text/plain; charset=utf-8")
logger = logging.getLogger(__name__)


class Application:
    """One per process, for all connections."""

    def __init__(self, gateway: Gateway, portal: Portal) -> None:
        self._gateway = gateway
        self._portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        self._gateway.exchanges.add(exchange)
        try:
            await self._answer(exchange)
        except ApiError as error:
            self._gateway.metrics.count_error(error.code)
            await exchange.fail(error)
        except asyncio.CancelledError:
            await exchange.tell_cut()
        except Exception:
            # The last stop: whatever it is, the client hears of it in its own terms.
            logger.exception("a request for %s failed", exchange.endpoint or "a page")
            await exchange.fail(ApiError(Code.INTERNAL))
        finally:
            self._gateway.exchanges.discard(exchange)
            exchange.end()

    async def _answer(self, exchange: Exchange) -> None:
        path = exchange.path
        if not path.startswith("/"):
            raise ApiError(Code.BAD_REQUEST)
        if is_api(path):
            await self._answer_api(exchange)
        elif path == "/health/liveness":
            await exchange.answer(200, LIVE.encode(), (TEXT,))
        elif path == "/health/readiness":
            status, text = readiness(self._gateway)
            await exchange.answer(status, text.encode(), (TEXT,))
        elif path == "/" and exchange.method == "HEAD":
            await exchange.answer(200, b"", (TEXT,))  # Claude Code asks whether anybody is there
        elif exchange.method not in METHODS:
            exchange.add_header(b"allow", ", ".join(METHODS).encode())
            raise ApiError(Code.WRONG_METHOD)
        else:
            await self._portal.relay(exchange)

    async def _answer_api(self, exchange: Exchange) -> None:
        origin = exchange.header(b"origin")
        if exchange.method == "OPTIONS":
            asked = exchange.header(b"access-control-request-headers")
            return await exchange.answer(204, b"", self._gateway.origins.preflight(origin, asked))
        exchange.endpoint = endpoint_of(exchange.path) or ""
        principal = self._principal(exchange, origin)
        if not exchange.endpoint:
            raise ApiError(Code.UNKNOWN_PATH)
        check_endpoint(principal, exchange.endpoint)
        if (name := model_in(exchange.endpoint)) is not None:
            return await self._answer_models(exchange, principal, name)
        if exchange.method != "POST":
            if not is_known(exchange.endpoint):
                raise ApiError(Code.UNKNOWN_PATH)
            exchange.add_header(b"allow", b"POST, OPTIONS")
            raise ApiError(Code.WRONG_METHOD)
        journey = await self._begin_journey(exchange, principal)
        return await journey.run()

    def _principal(self, exchange: Exchange, origin: bytes) -> Principal:
        """Return who asks; whatever happens next, the origin's page may read the answer if it is allowed to."""
        gateway, principal = self._gateway, None
        if not gateway.table.complete:
            raise ApiError(Code.NOT_READY)
        try:
            principal = self._known_principal(exchange)
            if gateway.stops.stops_principal(principal):
                raise ApiError(Code.STOPPED)
            return principal
        finally:
            if origin:
                exchange.add_headers(gateway.origins.marks(origin, principal))

    def _known_principal(self, exchange: Exchange) -> Principal:
        """Look the key up, unless its address has sent too many wrong ones: then only keys known there count."""
        gateway, now = self._gateway, time.monotonic()
        wrong_keys, principals = gateway.wrong_keys, gateway.table.principals
        forwarded_for = exchange.header(b"x-forwarded-for")
        address = client_address(forwarded_for, exchange.peer, gateway.settings.trusted_proxies)
        wait = wrong_keys.wait_seconds(address, now)
        try:
            principal = authenticate(exchange.header, gateway.pepper, principals, time.time())
        except ApiError as error:
            if wait:
                raise _too_many_wrong_keys(wait) from None
            if error.code == Code.UNKNOWN_KEY and not isinstance(error, SuspendedKey):
                wrong_keys.note_wrong(address, now)
            raise
        if wait and not wrong_keys.is_known(address, principal.key_id):
            raise _too_many_wrong_keys(wait)
        wrong_keys.note_right(address, principal.key_id)
        check_address(principal, address)
        return principal

    async def _answer_models(self, exchange: Exchange, principal: Principal, name: str) -> None:
        if exchange.method not in ("GET", "HEAD"):
            exchange.add_header(b"allow", b"GET, HEAD, OPTIONS")
            raise ApiError(Code.WRONG_METHOD)
        table, load = self._gateway.table, self._gateway.dispatcher.load()
        if name:
            body, model = one_model(table, principal, load, name, time.time())
            exchange.add_headers(self._lifecycle_headers(model, name))
            return await exchange.answer(200, body)
        return await exchange.answer(200, list_models(table, principal, load))

    async def _begin_journey(self, exchange: Exchange, principal: Principal) -> Journey:
        """Read the order and write it down. The body is the journey's from here on, and nobody else's."""
        gateway, received_at = self._gateway, time.time()
        data = await exchange.read_body(gateway.limits.max_body_bytes, gateway.bodies)
        try:
            content_type = exchange.header(b"content-type")
            labels = labels_of(principal, exchange.header(DATA_CLASS))
            order, body = read_order(
                gateway.registered,
                principal,
                exchange.endpoint,
                data,
                content_type,
                received_at,
                labels,
            )
            exchange.add_headers(self._lifecycle_headers(order.model, order.model_asked))
            self._refuse_what_is_stopped(order)
            return Journey(gateway, exchange, order, body, received_at)
        except BaseException:
            gateway.bodies.give_back(len(data))
            raise

    def _lifecycle_headers(self, model: Model, asked: str) -> HeaderList:
        gateway = self._gateway
        return lifecycle_headers(gateway.registered, model, asked, gateway.settings.public_url)

    def _refuse_what_is_stopped(self, order: Order) -> None:
        """The key once more: a body may have taken long."""
        if self._gateway.stops.stops_principal(order.principal):
            raise ApiError(Code.STOPPED)
        if self._gateway.stops.stops_model(order.model.id):
            raise ApiError(Code.MODEL_STOPPED)


def _too_many_wrong_keys(seconds: float) -> ApiError:
    told = f"Too many wrong keys from this address, try again in {math.ceil(seconds)} seconds"
    return ApiError(Code.WRONG_KEYS, told, retry_after_ms=round(seconds * 1000))
