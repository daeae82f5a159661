"""What is no API path goes to the portal's socket, both ways, and never the other way round."""

from collections.abc import AsyncGenerator
from ipaddress import ip_network
from pathlib import Path

import pytest

from routing.gateway.settings import Limits
from tests.support.router import Router, chat, names, principals, running_router, servers, until
from tests.support.wire import Peer, Request, answering, serving

PAGE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
    b"content-length: 4\r\n\r\npage"
)


@pytest.fixture
async def router(tmp_path: Path) -> AsyncGenerator[Router]:
    async with running_router(tmp_path, principals(), names(), servers()) as running:
        yield running


def socket_of(router: Router) -> Path:
    return router.gateway.settings.run_dir / "portal.sock"


async def asked_through(router: Router, **headers: str) -> Request:
    """Return a request as the portal gets it."""
    async with serving(answering(PAGE), path=socket_of(router)) as portal:
        await router.get("/servers/?page=2", key="", headers=headers)
        (request,) = portal.requests
        return request


async def test_a_page_comes_as_the_portal_wrote_it(router: Router) -> None:
    async with serving(answering(PAGE), path=socket_of(router)) as portal:
        answer = await router.get("/servers/?page=2&q=%C3%A9", key="")

    assert answer.text == "page"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert portal.requests[0].line == b"GET /servers/?page=2&q=%C3%A9 HTTP/1.1"


async def test_a_form_reaches_the_portal_whole(router: Router) -> None:
    async with serving(answering(PAGE), path=socket_of(router)) as portal:
        await router.post("/keys/", key="", content=b"a=1&b=" + b"x" * 200_000)

    assert portal.requests[0].body == b"a=1&b=" + b"x" * 200_000


async def test_forms_have_limits_of_their_own_and_take_nothing_from_the_api(
    tmp_path: Path,
) -> None:
    """A page's body needs no key, so whoever sends many must not keep others' requests out."""
    limits = Limits(max_form_bytes=1000, max_forms_bytes=1500)
    half = b"POST /keys/ HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + b"x" * 800
    async with running_router(tmp_path, principals(), names(), servers(), limits=limits) as router:
        async with router.bare(half):
            await until(lambda: len(router.gateway.exchanges) == 1)
            await until(lambda: next(iter(router.gateway.exchanges)).reading_since)

            other = await router.post("/keys/", key="", content=b"x" * 800)
            large = await router.post("/keys/", key="", content=b"x" * 1001)
            api = await router.post(json=chat())

            assert other.json()["error"]["code"] == "router_busy"
            assert large.status_code == 413
            assert api.json()["error"]["code"] == "model_not_found"
            assert router.gateway.bodies.taken == 0
        await router.idle()
        assert (await router.post("/keys/", key="", content=b"x" * 800)).text.startswith(
            "The portal"
        )


async def test_who_asks_is_told_by_the_router_and_not_by_the_client(router: Router) -> None:
    request = await asked_through(
        router,
        **{"x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "https", "x-forwarded-host": "evil"},
    )

    assert request.header(b"x-forwarded-for") == [b"127.0.0.1"]
    assert request.header(b"x-forwarded-proto") == [b"http"]
    assert request.header(b"x-forwarded-host") == [b"127.0.0.1:%d" % router.port]


async def test_no_client_moves_the_portals_pages(router: Router) -> None:
    request = await asked_through(router, **{"daphne-root-path": "/elsewhere"})

    assert request.header(b"daphne-root-path") == []


async def test_a_trusted_proxy_is_believed(tmp_path: Path) -> None:
    async with running_router(tmp_path, trusted_proxies=(ip_network("127.0.0.0/8"),)) as router:
        request = await asked_through(
            router,
            **{
                "x-forwarded-for": "6.6.6.6, 193.52.1.2, 127.0.0.9",
                "x-forwarded-proto": "https",
                "x-forwarded-host": "ilaas.example",
            },
        )

    assert request.header(b"x-forwarded-for") == [b"193.52.1.2"]
    assert request.header(b"x-forwarded-proto") == [b"https"]
    assert request.header(b"x-forwarded-host") == [b"ilaas.example"]


async def test_a_live_page_streams_until_the_browser_leaves(router: Router) -> None:
    left = False

    async def live(peer: Peer) -> None:
        nonlocal left
        await peer.request()
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n"
        )
        await peer.until_hung_up()
        left = True

    async with (
        serving(live, path=socket_of(router)),
        router.bare(b"GET /live/ HTTP/1.1\r\nhost: x\r\n\r\n") as browser,
    ):
        await browser.until(b"data: 1\n")
        browser.hang_up()
        await until(lambda: left)
        await router.idle()


async def test_a_portal_that_is_away_is_said_in_both_languages(router: Router) -> None:
    page = await router.get("/", key="", headers={"accept": "text/html"})
    other = await router.get("/manage/api/keys", key="", headers={"accept": "application/json"})

    assert page.status_code == other.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert "Le portail redémarre" in page.text
    assert "The portal is being restarted" in page.text
    assert other.headers["content-type"].startswith("text/plain")
    assert int(other.headers["retry-after"]) > 0


async def test_a_portal_that_dies_in_the_middle_breaks_the_page_visibly(router: Router) -> None:
    async def dying(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await peer.reset()

    async with (
        serving(dying, path=socket_of(router)),
        router.bare(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") as browser,
    ):
        assert b"100" in await browser.until(b"\r\n\r\n")
        assert len(await browser.rest()) < 100


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", "/chat/completions", "/models/x"])
async def test_an_api_path_never_reaches_the_portal(router: Router, path: str) -> None:
    async with serving(answering(PAGE), path=socket_of(router)) as portal:
        answer = await router.get(path, key="", headers={"accept": "text/html"})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    assert portal.requests == []


async def test_claude_code_finds_somebody_at_home(router: Router) -> None:
    async with router.client("") as client:
        assert (await client.head("/")).status_code == 200
