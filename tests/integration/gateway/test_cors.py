"""Pages of other origins: only those that a key, or the setting, names."""

from pathlib import Path

import httpx

from tests.support.router import (
    KEY,
    Router,
    a_principal,
    names,
    principals,
    running_router,
    servers,
)

OURS, THEIRS = "https://chat.univ-rennes.example", "https://evil.example"
ALLOW = "access-control-allow-origin"


async def preflight(router: Router, origin: str) -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    async with router.client("") as client:
        return await client.options("/v1/chat/completions", headers=headers)


async def test_a_keys_own_page_may_call(tmp_path: Path) -> None:
    section = principals(**{KEY: a_principal(origins=(OURS,)), "other": a_principal("rennes")})
    async with running_router(tmp_path, section, names(), servers()) as router:
        answer = await preflight(router, OURS)
        models = await router.get("/v1/models", headers={"origin": OURS})
        refused = await router.get("/v1/models", key="wrong", headers={"origin": OURS})
        others = await router.get("/v1/models", key="other", headers={"origin": OURS})

    assert answer.status_code == 204
    assert answer.headers[ALLOW] == OURS
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert models.headers[ALLOW] == OURS
    exposed = set(models.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"x-request-id", "x-ilaas-explain", "x-ilaas-fallback", "x-ilaas-impact"}
    assert refused.status_code == 401
    assert refused.headers[ALLOW] == OURS  # so that the page can show why
    assert ALLOW not in others.headers


async def test_another_page_may_not(tmp_path: Path) -> None:
    section = principals(**{KEY: a_principal(origins=(OURS,))})
    async with running_router(tmp_path, section, names(), servers()) as router:
        assert ALLOW not in (await preflight(router, THEIRS)).headers
        answer = await router.get("/v1/models", headers={"origin": THEIRS})

    assert ALLOW not in answer.headers


async def test_the_setting_opens_all_keys_to_a_page(tmp_path: Path) -> None:
    async with running_router(
        tmp_path, principals(), names(), servers(), cors_origins=frozenset({"*"})
    ) as router:
        assert (await preflight(router, THEIRS)).headers[ALLOW] == THEIRS
        assert (await router.get("/v1/models", headers={"origin": THEIRS})).headers[ALLOW] == THEIRS
