"""What a key is bound to: paths, addresses, labels of sites. Each refusal is a 403 that says what is allowed."""

import ipaddress
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from routing.core.labels import site_labels
from routing.simulator import Simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN, asked
from tests.support.router import (
    KEY,
    MODEL,
    RENNES_KEY,
    Router,
    a_model,
    a_principal,
    a_server,
    chat,
    names,
    principals,
    running_router,
    servers,
)

LABELS = {"rennes-1": ("HDS", "SecNumCloud"), "reims-1": ()}
Bound = Callable[..., AbstractAsyncContextManager[Router]]


@pytest.fixture
def bound(tmp_path: Path, upstream: Simulated) -> Bound:
    """Run a router whose first key is bound as is said; Rennes's site carries labels, Reims's none."""

    @asynccontextmanager
    async def running(proxies: tuple[str, ...] = (), **scopes: Any) -> AsyncGenerator[Router]:
        keys = {KEY: a_principal(**scopes), RENNES_KEY: a_principal("rennes", **scopes)}
        async with running_router(
            tmp_path,
            principals(**keys),
            names(a_model(*NAMES, served_name=SERVED, name=MODEL)),
            servers(
                *(
                    a_server(name, upstream.url(name), TOKEN, labels=site_labels(LABELS[name]))
                    for name in NAMES
                )
            ),
            trusted_proxies=tuple(map(ipaddress.ip_network, proxies)),
        ) as router:
            yield router

    return running


async def test_a_key_asks_its_own_paths_and_the_list_of_models(
    bound: Bound, upstream: Simulated
) -> None:
    async with bound(endpoints=("embeddings", "messages")) as router:
        refused = await router.post(json=chat())
        listed = await router.get("/v1/models")
        below = await router.post("/v1/messages/count_tokens", json=chat())
        beside = await router.post("/v1/messages_of_others", json=chat())

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (403, "endpoint_not_allowed")
    assert error["type"] == "permission_error"
    assert "/v1/embeddings, /v1/messages" in error["message"]
    assert listed.status_code == 200
    assert [each["id"] for each in listed.json()["data"]] == [MODEL]
    assert below.status_code != 403
    assert beside.status_code == 403
    assert not [each for each in asked(upstream) if each.path.endswith("completions")]


async def test_a_refused_path_is_told_in_its_own_protocol(bound: Bound) -> None:
    async with bound(endpoints=("embeddings",)) as router:
        refused = await router.post("/v1/messages", json=chat())

    assert refused.status_code == 403
    assert refused.json()["type"] == "error"
    assert refused.json()["error"]["type"] == "permission_error"


@pytest.mark.parametrize("networks", [("192.0.2.0/24",), ("2001:db8::/32", "10.0.0.0/8")])
async def test_a_key_is_refused_elsewhere_than_where_it_may_be_used(
    bound: Bound, networks: tuple[str, ...]
) -> None:
    async with bound(networks=networks) as router:
        refused = await router.post(json=chat())
        pretended = await router.post(json=chat(), headers={"x-forwarded-for": "192.0.2.7"})

    for answer in (refused, pretended):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "address_not_allowed")
        assert "127.0.0.1" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [("192.0.2.7", 200), ("::ffff:192.0.2.7", 200), ("198.51.100.1", 403), ("no address", 403)],
)
async def test_behind_a_trusted_proxy_it_is_the_address_that_the_proxy_tells(
    bound: Bound, forwarded: str, status: int
) -> None:
    async with bound(("127.0.0.0/8",), networks=("192.0.2.0/24",)) as router:
        answer = await router.post(json=chat(), headers={"x-forwarded-for": forwarded})

    assert answer.status_code == status, answer.text


async def test_a_key_used_from_a_wrong_place_is_no_wrong_key(bound: Bound) -> None:
    """Otherwise whoever found a key could lock its owner's neighbours out."""
    async with bound(networks=("192.0.2.0/24",)) as router:
        for _ in range(3):
            await router.post(json=chat())
        assert len(router.gateway.wrong_keys) == 0


async def test_a_data_class_is_served_at_its_sites_only_and_the_record_proves_it(
    bound: Bound, upstream: Simulated
) -> None:
    async with bound(labels=("hds",)) as router:
        answers = [await router.post(json=chat()) for _ in range(6)]
        closed = router.closed()

    assert {answer.status_code for answer in answers} == {200}
    assert len(asked(upstream, "rennes-1")) == 6
    assert asked(upstream, "reims-1") == []
    assert {each.opened.data_class for each in closed} == {("hds",)}


async def test_a_request_may_ask_for_more_labels_and_never_for_fewer(
    bound: Bound, upstream: Simulated
) -> None:
    async with bound(labels=("hds",)) as router:
        more = await router.post(json=chat(), headers={"x-ilaas-data-class": "SecNumCloud"})
        other = await router.post(
            json=chat(), headers={"x-ilaas-data-class": "any", "routing-mode": "any"}
        )
        empty = await router.post(json=chat(), headers={"x-ilaas-data-class": ""})
        closed = router.closed()

    assert (more.status_code, empty.status_code) == (200, 200)
    assert (other.status_code, other.json()["error"]["code"]) == (403, "no_server_with_labels")
    assert asked(upstream, "reims-1") == []
    assert [each.opened.data_class for each in closed] == [
        ("hds", "secnumcloud"),
        ("any", "hds"),
        ("hds",),
    ]


async def test_own_sites_hold_whatever_mode_the_body_asks_for(
    bound: Bound, upstream: Simulated
) -> None:
    async with bound(labels=("own",)) as router:
        own = await router.post(key=RENNES_KEY, json=chat(**{"routing-mode": "any"}))
        foreign = await router.post(json=chat(**{"routing-mode": "any"}))

    assert own.status_code == 200
    assert foreign.json()["error"]["code"] == "no_server_with_labels"
    assert asked(upstream, "reims-1") == []


async def test_a_form_is_bound_too(bound: Bound) -> None:
    async with bound(labels=("iso 27001",)) as router:
        refused = await router.post(
            "/v1/audio/transcriptions", data={"model": MODEL}, files={"file": ("a.wav", b"RIFF")}
        )

    assert refused.json()["error"]["code"] == "no_server_with_labels"


@pytest.mark.parametrize(
    "value", ["hds,,own", "a" * 41, ",".join("abcdefghi"), "<script>", "hds;own", b"\xff\xfe"]
)
async def test_a_header_that_holds_no_labels_is_refused(
    bound: Bound, upstream: Simulated, value: str | bytes
) -> None:
    async with bound() as router:
        answer = await router.post(json=chat(), headers={"x-ilaas-data-class": value})
        await router.idle()

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_field")
    assert asked(upstream) == []


async def test_the_header_is_not_passed_to_servers(bound: Bound, upstream: Simulated) -> None:
    async with bound() as router:
        await router.post(json=chat(), headers={"x-ilaas-data-class": "HDS"})

    (request,) = asked(upstream)
    assert not any(b"data-class" in name.lower() for name, _ in _pairs(request.headers))


def _pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if hasattr(headers, "items") else headers
    return [(name if isinstance(name, bytes) else name.encode(), value) for name, value in pairs]
