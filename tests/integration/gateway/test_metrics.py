"""`/metrics` of a running router: what it tells after real requests, and that dashboards ask for what is there."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import pytest

from routing.core.enums import LifecycleStage, Limiting
from routing.core.table import Section
from routing.dispatch.frames import encode
from routing.simulator import Fault, Simulated
from tests.integration.gateway.conftest import SERVED, TOKEN
from tests.support.product import free_port
from tests.support.prometheus import Scraped, names_in, scrape
from tests.support.router import (
    MODEL,
    RENNES_KEY,
    Router,
    a_model,
    a_server,
    an_id,
    chat,
    names,
    principals,
    running_router,
    servers,
)

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = ROOT / "deploy" / "grafana" / "ilaas-router.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DOCS = ROOT / "docs" / "operations.md"


def sections(upstream: Simulated) -> tuple[Section, ...]:
    """Return a table with a server that takes one request at a time, and one in preparation."""
    served = a_model("rennes-1", served_name=SERVED, limiting=Limiting.GIVEN)
    proposed = a_model("reims-1", name="proposed", stage=LifecycleStage.PROPOSED)
    learnt = a_model("reims-1", name="learnt", served_name=SERVED, limiting=Limiting.LEARNT)
    return (
        principals(),
        names(served, proposed, learnt),
        servers(
            a_server("rennes-1", upstream.url("rennes-1"), TOKEN, max_parallel=1),
            a_server("reims-1", upstream.url("reims-1"), TOKEN),
        ),
    )


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    async with running_router(tmp_path, *sections(upstream), metrics_port=free_port()) as running:
        yield running


def port(router: Router) -> int:
    found = router.gateway.settings.metrics_port
    assert found is not None
    return found


async def told(router: Router) -> Scraped:
    return Scraped(await scrape(port(router)))


async def test_requests_tokens_and_times_are_told_by_names(router: Router) -> None:
    await router.post(json=chat(stream=True, max_tokens=5))
    await router.post(key=RENNES_KEY, json=chat(max_tokens=7))
    await router.idle()

    now = await told(router)

    ended = {"model": MODEL, "endpoint": "chat/completions", "status": "ok"}
    assert now.value("ilaas_requests_total", class_="P3", **ended) == 1
    assert now.value("ilaas_requests_total", class_="P5", **ended) == 1
    assert now.value("ilaas_tokens_total", model=MODEL, kind="completion") == 12
    assert now.value("ilaas_attempts_total", server="rennes-1", outcome="ok") == 2
    for name in ("ilaas_queue_seconds", "ilaas_request_seconds"):
        assert now.value(f"{name}_count", model=MODEL, class_="P5") == 1
    first_token = "ilaas_time_to_first_token_seconds_count"
    assert now.value(first_token, model=MODEL, class_="P3") == 1
    assert now.value(first_token, model=MODEL, class_="P5") is None  # it was no stream
    assert now.value("ilaas_server_time_to_first_token_seconds_count", server="rennes-1") == 1
    assert now.value("ilaas_ready") == 1


async def test_errors_are_told_by_code_also_of_those_without_a_model(
    router: Router, upstream: Simulated
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="status", status=500))
    await router.post(json=chat())
    await router.post(key="nobody's", json=chat())
    await router.post(json=chat(model="no-such-model"))
    await router.idle()

    now = await told(router)

    assert now.value("ilaas_errors_total", model=MODEL, code="server_failed") == 1
    assert now.value("ilaas_errors_total", model="", code="invalid_api_key") == 1
    assert now.value("ilaas_errors_total", model="", code="model_not_found") == 1
    assert now.value("ilaas_attempts_total", server="rennes-1", outcome="server_error") == 1


async def test_who_waits_is_told_by_class_and_leaves_a_wait_behind(
    router: Router, upstream: Simulated
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="hang"))
    clients = [
        asyncio.create_task(router.post(key=key, json=chat()))
        for key in (RENNES_KEY, RENNES_KEY, RENNES_KEY)
    ]
    async with asyncio.timeout(20):
        while (await told(router)).value("ilaas_waiting_requests", model=MODEL, class_="P5") != 2:
            await asyncio.sleep(0.02)

    full = await told(router)
    for client in clients:
        client.cancel()
    for client in clients:
        with suppress(asyncio.CancelledError):
            await client
    await router.idle()
    after = await told(router)

    assert full.value("ilaas_waiting_requests", model=MODEL, class_="P3") == 0
    assert full.value("ilaas_running_requests", model=MODEL) == 1
    assert full.value("ilaas_server_in_flight", server="rennes-1") == 1
    assert full.value("ilaas_server_limit", server="rennes-1") == 1
    assert full.value("ilaas_queue_seconds_count", model=MODEL, class_="P5") == 1
    assert after.value("ilaas_waiting_requests", model=MODEL, class_="P5") == 0
    assert after.value("ilaas_queue_seconds_count", model=MODEL, class_="P5") == 3


async def test_a_server_that_is_set_aside_is_told_and_so_is_its_model(
    router: Router, upstream: Simulated
) -> None:
    before = await told(router)
    await upstream.set_fault("rennes-1", Fault(kind="refuse"))

    await router.post(json=chat())

    after = await told(router)
    for now, expected in ((before, 1), (after, 0)):
        assert now.value("ilaas_server_healthy", server="rennes-1") == expected
        assert now.value("ilaas_model_available_servers", model=MODEL) == expected
        assert now.value("ilaas_model_servers", model=MODEL) == 1
        assert now.value("ilaas_server_ejections_total", server="rennes-1") == 1 - expected


async def test_a_learnt_limit_is_told_only_where_it_counts(router: Router) -> None:
    now = await told(router)

    assert now.value("ilaas_server_learnt_limit", server="rennes-1") is None
    assert (now.value("ilaas_server_learnt_limit", server="reims-1") or 0) >= 1
    assert now.value("ilaas_server_limit", server="reims-1") is None


async def test_what_is_not_served_or_has_left_the_table_is_not_told(
    router: Router, upstream: Simulated
) -> None:
    await router.post(json=chat())
    await router.idle()
    before = await scrape(port(router))
    router.gateway.apply(names(a_model("reims-1", name="another")))
    router.gateway.apply(servers(a_server("reims-1", upstream.url("reims-1"), TOKEN)))

    after = await scrape(port(router))

    assert MODEL in before
    assert "rennes-1" in before
    assert "proposed" not in before
    assert MODEL not in after
    assert "rennes-1" not in after


async def test_a_clerk_is_told_as_long_as_it_is_there(router: Router) -> None:
    async def is_here(expected: int) -> None:
        async with asyncio.timeout(20):
            while (await told(router)).value("ilaas_clerk_connected") != expected:
                await asyncio.sleep(0.02)

    await is_here(0)
    path = router.gateway.settings.run_dir / "router.sock"
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(encode(msgspec.structs.replace(principals(), version=2)))
    await is_here(1)
    assert (await told(router)).value("ilaas_table_version", section="principals") == 2

    writer.close()

    await is_here(0)


async def test_no_secret_no_key_and_no_id_is_told(router: Router) -> None:
    await router.post(json=chat(messages=[{"role": "user", "content": "canary-of-the-prompt"}]))
    await router.idle()

    text = await scrape(port(router))

    for secret in ("canary", RENNES_KEY, TOKEN, an_id("rennes"), an_id("rennes-1"), an_id(MODEL)):
        assert secret not in text


@pytest.mark.parametrize("path", ["/", "/metricsx", "/v1/models"])
async def test_there_is_nothing_else_at_the_address(router: Router, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{port(router)}"
        found = await client.get(url + path)
        posted = await client.post(url + "/metrics")
        asked_with_a_query = await client.get(url + "/metrics?name=up")

    assert (found.status_code, posted.status_code) == (404, 404)
    assert asked_with_a_query.status_code == 200


@pytest.mark.parametrize("path", [DASHBOARD, ALERTS], ids=lambda path: path.name)
async def test_every_metric_that_is_asked_for_is_told(router: Router, path: Path) -> None:
    asked = names_in(path.read_text())

    assert len(asked) > 5
    assert asked <= (await told(router)).series


async def test_every_metric_is_explained(router: Router) -> None:
    now = await told(router)
    families = {f"{name}_total" if kind == "counter" else name for name, kind in now.kinds.items()}

    section = DOCS.read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert families == names_in(first_cells)


def test_the_dashboard_is_one_that_grafana_can_show() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    panels = dashboard["panels"]
    ids = [panel["id"] for panel in panels]
    charts = [panel for panel in panels if panel["type"] != "row"]

    assert set(variables) == {"datasource", "model", "server"}
    assert len(ids) == len(set(ids))
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    for panel in charts:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert "$model" not in target["expr"] or "model=~" in target["expr"]
    assert not _overlaps(panels)


def _overlaps(panels: list[dict]) -> list[tuple[str, str]]:
    """Return pairs of panels that cover each other."""
    covered: dict[tuple[int, int], str] = {}
    found = []
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in covered:
                    found.append((covered[x, y], panel["title"]))
                covered[x, y] = panel["title"]
    return found
