"""httpx behind the egress guard, for everything that is not the relay: probes, scrapes, notifications.

The name is resolved and checked here and the connection goes to the checked address, each time anew; the
name only serves for `Host` and the certificate. No redirect is followed, no proxy taken from the environment, no
user in an address sent, no cookie kept.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import msgspec

from routing.upstream.egress import (
    Address,
    EgressPolicy,
    Grants,
    Target,
    bad_url,
    parse_base_url,
    resolve,
)
from routing.upstream.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectCause,
    ConnectFailed,
    ConnectionLost,
    HeadTimeout,
)
from routing.upstream.opening import connect_failure
from routing.upstream.resolving import Lookup, system_lookup
from routing.upstream.tls import Identity, context_for, tls_failure

MAX_BYTES = 4 * 1024 * 1024
SECONDS = 5.0

# They write every URL, and what is in it, into the log.
for name in ("httpx", "httpcore"):
    logging.getLogger(name).setLevel(logging.WARNING)

_REACH = "ilaas.reach"
_ONE_REQUEST = httpx.Limits(max_keepalive_connections=0)
"""A kept connection would be known by its address alone, and serve another name than it was checked for."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    content_type: str
    body: bytes


class _Reach(msgspec.Struct, frozen=True):
    """What one request may reach beyond the policy, whom it trusts, and what it shows of itself."""

    grants: Grants = ()
    ca_bundle: str | None = None
    identity: Identity | None = None


class GuardedTransport(httpx.AsyncBaseTransport):
    """Raises `EgressRefused` and `ConnectFailed` beside httpx's own errors."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup = system_lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reach: _Reach = request.extensions.get(_REACH, _Reach())
        if request.url.userinfo:
            raise bad_url()
        target = parse_base_url(f"{request.url.scheme}://{request.url.netloc.decode()}")
        addresses = await resolve(target, self._policy, reach.grants, self._lookup)
        transport = httpx.AsyncHTTPTransport(
            verify=context_for(reach.ca_bundle, reach.identity) if target.tls else False,
            trust_env=False,
            limits=_ONE_REQUEST,
        )
        failures: list[ConnectFailed] = []
        for address in addresses:
            try:
                return await transport.handle_async_request(_directed(request, target, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failures.append(_failure(target, error))
        raise failures[0]


def guarded_client(policy: EgressPolicy, lookup: Lookup = system_lookup) -> httpx.AsyncClient:
    """Return a client that reaches what the policy allows; `fetch` may widen that for one request."""
    return httpx.AsyncClient(
        transport=GuardedTransport(policy, lookup),
        trust_env=False,
        follow_redirects=False,
        # One member's server could set one that another's gets: for the host of both, or their domain.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


async def fetch(
    http: httpx.AsyncClient,
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    grants: Grants = (),
    ca_bundle: str | None = None,
    identity: Identity | None = None,
    limit: int = MAX_BYTES,
    seconds: float = SECONDS,
) -> Fetched:
    """Return the whole answer to a request, at most `limit` bytes within `seconds`. Raises `UpstreamError`."""
    try:
        async with (
            asyncio.timeout(seconds),
            http.stream(
                method,
                url,
                headers={"accept-encoding": "identity", **(headers or {})},
                content=content,
                timeout=seconds,
                extensions={_REACH: _Reach(grants, ca_bundle, identity)},
            ) as response,
        ):
            return await _read(response, limit)
    except (TimeoutError, httpx.TimeoutException):
        raise HeadTimeout("no whole answer came in time") from None
    except (
        httpx.InvalidURL,
        httpx.UnsupportedProtocol,
        UnicodeError,
    ):  # a name as `xn--…` that is none
        raise bad_url() from None
    except httpx.NetworkError:
        raise ConnectionLost(bytes_received=0) from None
    except httpx.HTTPError:
        raise BadResponse("what came is not HTTP/1.1, or not whole") from None


async def _read(response: httpx.Response, limit: int) -> Fetched:
    """Read as the bytes come, never unpacked: a small packet may hold a large answer."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise BadResponse("the answer is compressed though none was asked for")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > limit:
            raise BodyTooLarge(limit)
    content_type = response.headers.get("content-type", "")
    return Fetched(status=response.status_code, content_type=content_type, body=bytes(body))


def _directed(request: httpx.Request, target: Target, address: Address) -> httpx.Request:
    """Return the request as it goes to a checked address under the name that was asked for."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address.ip),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": target.host},
    )


def _failure(target: Target, error: httpx.TransportError) -> ConnectFailed:
    where = f"{target.host} port {target.port}"
    if isinstance(error, httpx.TimeoutException):
        return ConnectFailed(ConnectCause.TIMEOUT, f"{where} did not answer in time.")
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    if isinstance(cause, ssl.SSLError):
        return tls_failure(target.host, target.port, cause)
    return connect_failure(
        where, cause if isinstance(cause, OSError) else OSError(), tls=target.tls
    )
