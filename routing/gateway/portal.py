"""Everything that is no API path goes to the portal's unix socket, pages and live streams alike.

The portal learns who asks from the forwarding headers, which are set here: those that a client sends count
only when it is a trusted proxy. When the portal is away, a small page says so and tries again.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from routing.gateway.addresses import client_address, is_within
from routing.gateway.exchange import Budget, Exchange
from routing.gateway.settings import IPNetwork, Limits
from routing.upstream.client import Client, Destination, Response, Timeouts
from routing.upstream.egress import Target
from routing.upstream.errors import UpstreamError

SOCKET = "portal.sock"
TIMEOUTS = Timeouts(connect=2.0, head=120.0, idle=3600.0)
"""A page may take long; a live page may be silent for long."""
RETRY_SECONDS = 5
AWAY = Path(__file__).with_name("portal_away.html")

Headers = list[tuple[bytes, bytes]]
_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded")
_NOT_PASSED = frozenset(
    {
        *_FORWARDED,
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"content-length",
        b"host",
        b"daphne-root-path",  # would move the portal's pages
    }
)


class Portal:
    """The way to the portal."""

    def __init__(
        self, client: Client, run_dir: Path, proxies: Sequence[IPNetwork], limits: Limits
    ) -> None:
        self._client = client
        self._destination = Destination(
            target=Target("http", "portal", 80), unix_path=str(run_dir / SOCKET)
        )
        self._proxies = tuple(proxies)
        self._max_bytes, self._budget = limits.max_form_bytes, Budget(limits.max_forms_bytes)

    async def relay(self, exchange: Exchange) -> None:
        """Carry a request to the portal and its answer back, each part as it comes."""
        exchange.ends_at_stop = True
        body = await exchange.read_body(self._max_bytes, self._budget)
        try:
            response = await self._send(exchange, body)
        except UpstreamError:
            return await say_away(exchange)
        finally:
            self._budget.give_back(len(body))
        try:
            await _pass_on(exchange, response)
        except UpstreamError:
            await exchange.drop_client()
        finally:
            response.abort()
        return None

    async def _send(self, exchange: Exchange, body: bytes) -> Response:
        path = exchange.scope["raw_path"].decode("ascii")
        if exchange.query:
            path += "?" + exchange.query.decode("latin-1")
        headers = [pair for pair in exchange.headers if pair[0] not in _NOT_PASSED]
        headers += forwarding(exchange.headers, exchange.peer, self._proxies)
        return await self._client.request(
            self._destination, exchange.method, path, headers, body, TIMEOUTS
        )


def forwarding(
    headers: Sequence[tuple[bytes, bytes]], peer: str, proxies: Sequence[IPNetwork]
) -> Headers:
    """Return who asks, by which scheme and under which name, as far as it can be believed."""
    found = dict(headers)
    scheme, host = b"http", found.get(b"host", b"")
    asker = client_address(found.get(b"x-forwarded-for", b""), peer, proxies)
    if is_within(peer, tuple(proxies)):
        if found.get(b"x-forwarded-proto", b"").strip().lower() == b"https":
            scheme = b"https"
        host = found.get(b"x-forwarded-host", b"").strip() or host
    return [
        (b"x-forwarded-for", asker.encode()),
        (b"x-forwarded-proto", scheme),
        (b"x-forwarded-host", host),
    ]


async def say_away(exchange: Exchange) -> None:
    """Answer for a portal that does not: a page for people, a sentence for programs."""
    exchange.add_header(b"retry-after", b"%d" % RETRY_SECONDS)
    exchange.add_header(b"cache-control", b"no-store")
    if b"text/html" in exchange.header(b"accept"):
        page = _page()
        await exchange.answer(503, page, ((b"content-type", b"text/html; charset=utf-8"),))
    else:
        text = b"The portal is starting or being restarted; try again in a moment.\n"
        await exchange.answer(503, text, ((b"content-type", b"text/plain; charset=utf-8"),))


async def _pass_on(exchange: Exchange, response: Response) -> None:
    await exchange.start(response.status, response.headers)
    while data := await response.read():
        await exchange.write(data)
    await exchange.finish()


@cache
def _page() -> bytes:
    return AWAY.read_bytes()
