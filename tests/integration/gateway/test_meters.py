"""Meters of servers’ energy over real HTTP, through the guard: what is written down, and what nobody makes us do."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from routing.core.accounting import Metered
from routing.core.table import Probe
from routing.dispatch.frames import MeterReading
from routing.gateway import meters
from routing.simulator import Simulated
from tests.integration.gateway.conftest import SERVED, TOKEN
from tests.support.meters import Exporter, a_probe, dcgm_page, exporting, read_to_the_end
from tests.support.router import (
    HOST,
    MODEL,
    Router,
    a_model,
    a_server,
    an_id,
    chat,
    names,
    principals,
    running_router,
    servers,
    until,
)

RENNES = an_id("rennes-1")


@pytest.fixture(autouse=True)
def _quickly() -> Iterator[None]:
    """A reading every few milliseconds, and windows of a few readings."""
    with (
        mock.patch.object(meters, "LOOK_SECONDS", 0.01),
        mock.patch.object(meters, "READ_SECONDS", 0.03),
        mock.patch.object(meters, "WINDOW_SECONDS", 0.1),
        mock.patch.object(meters, "LONGEST_GAP_S", 0.2),
    ):
        yield


@pytest.fixture
async def exporter() -> AsyncGenerator[Exporter]:
    async with exporting() as running:
        yield running


@asynccontextmanager
async def metered(
    var: Path, upstream: Simulated, probe: Probe, *, reached: str = "", **settings: Any
) -> AsyncGenerator[Router]:
    """A router whose server at Rennes has a meter, in a place that is granted to it unless `reached` says another."""
    url = upstream.url("rennes-1")
    ports = {int(each.split(":")[2].split("/")[0]) for each in (url, reached or probe.url)}
    server = a_server(
        "rennes-1", url, TOKEN, probe=probe, grants=tuple((HOST, port) for port in ports)
    )
    async with (
        running_router(
            var,
            principals(),
            names(a_model("rennes-1", served_name=SERVED, name=MODEL)),
            servers(server),
            **settings,
        ) as running,
        read_to_the_end(),
    ):
        yield running


def windows(router: Router) -> list[Metered]:
    return [record for record in router.records() if isinstance(record, Metered)]


def reading(router: Router) -> MeterReading | None:
    return next(iter(router.gateway.load().meters), None)


async def told(router: Router, fault: str) -> MeterReading:
    """Return the reading that says this, as soon as there is one."""
    await until(lambda: (found := reading(router)) is not None and found.fault == fault)
    found = reading(router)
    assert found is not None
    return found


async def grow(exporter: Exporter, watts: float) -> None:
    """Show two GPUs that draw so much each, until cancelled."""
    began, joules = asyncio.get_running_loop().time(), 5_000_000.0
    while True:
        now = asyncio.get_running_loop().time() - began
        exporter.show(dcgm_page(joules + watts * now, joules + watts * now))
        await asyncio.sleep(0.005)


@asynccontextmanager
async def drawing(exporter: Exporter, watts: float) -> AsyncGenerator[None]:
    exporter.show(dcgm_page(5_000_000, 5_000_000))
    growing = asyncio.create_task(grow(exporter, watts))
    try:
        yield
    finally:
        growing.cancel()


async def test_what_two_gpus_draw_is_written_down_by_the_minute(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    probe = a_probe(exporter.url, limit_w=1e6)
    async with drawing(exporter, 400), metered(tmp_path, upstream, probe) as router:
        await until(lambda: len(windows(router)) >= 3)
        now = await told(router, "")

    found = windows(router)
    assert {(each.server_id, each.probe_id, each.scope) for each in found} == {
        (RENNES, probe.id, "gpu")
    }
    assert {each.faults for each in found} == {()}
    assert [each.start for each in found[1:]] == pytest.approx([each.end for each in found[:-1]])
    seconds = found[-1].end - found[0].start
    assert sum(each.mj for each in found) / 1000 == pytest.approx(800 * seconds, rel=0.25)
    assert found[0].idle_mw == 100_000
    assert now.value is not None
    assert now.value > 1e10


async def test_an_end_of_the_router_writes_what_is_known_of_the_open_window(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    with mock.patch.object(meters, "WINDOW_SECONDS", 1000.0):
        async with (
            drawing(exporter, 400),
            metered(tmp_path, upstream, a_probe(exporter.url, limit_w=1e6)) as router,
        ):
            await until(lambda: len(exporter.asked) >= 4)

    (window,) = windows(router)
    assert window.mj > 0


async def test_the_servers_own_count_of_tokens_goes_with_the_window(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    probe = a_probe(exporter.url, limit_w=1e6)
    async with (
        drawing(exporter, 400),
        metered(tmp_path, upstream, probe, probes=True, measure_seconds=0.02) as router,
    ):
        await until(lambda: any(each.tokens for each in windows(router)))
        answer = await router.post(json=chat())
        assert answer.status_code == 200
        await until(lambda: any(each.tokens and each.tokens[2] for each in windows(router)))

    assert sum(each.tokens[2] for each in windows(router) if each.tokens) == 5


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (dcgm_page(1).replace("TOTAL", "SOME"), "no-series"),
        ("", "no-series"),
        ("<html>" * 1000, "no-series"),
        ("\0\xff{" * 5000, "no-series"),
        (dcgm_page(1) + f'{a_probe().metric}{{gpu="9"}} NaN\n', "unreadable"),
        (dcgm_page(1) + f'{a_probe().metric}{{gpu="9"}} -5\n', "unreadable"),
        (dcgm_page(1) + f'{a_probe().metric}{{gpu="9"}} +Inf\n', "unreadable"),
        (f"{a_probe().metric} 1e300\n", "unreadable"),
        (f"{a_probe().metric} 12 34 56\n", "no-series"),
        (dcgm_page(1) * 10_000, "too-large"),
    ],
    ids=[
        "other-metric",
        "empty",
        "html",
        "bytes",
        "nan",
        "negative",
        "infinite",
        "huge",
        "odd",
        "large",
    ],
)
async def test_a_page_that_says_nothing_is_a_gap_that_says_why(
    tmp_path: Path, upstream: Simulated, exporter: Exporter, page: str, fault: str
) -> None:
    exporter.show(page)
    async with metered(tmp_path, upstream, a_probe(exporter.url)) as router:
        now = await told(router, fault)
        await until(lambda: windows(router))

    assert now.value is None
    window = windows(router)[0]
    assert (window.mj, window.covered_ms, window.faults) == (0, 0, (fault,))


async def test_an_exporter_without_an_end_or_a_word_is_let_go(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    async with metered(tmp_path, upstream, a_probe(exporter.url)) as router:
        exporter.show(dcgm_page(1))
        exporter.is_endless = True
        await told(router, "too-large")
        exporter.is_endless, exporter.is_silent = False, True
        with mock.patch.object(meters, "FETCH_SECONDS", 0.2):
            await told(router, "silent")
        exporter.is_silent, exporter.head = (
            False,
            b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n",
        )
        await told(router, "no-page")
        exporter.head = (
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\nconnection: close\r\n\r\n"
        )
        await told(router, "no-page")
        exporter.head = b"no HTTP at all"
        await told(router, "no-page")
        answer = await router.post(json=chat())

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/metrics",
        "http://localhost:{port}/metrics",
        "http://169.254.169.254/metrics",
        "http://[::1]:{port}/metrics",
        "http://user@127.0.0.1:{port}/metrics",
        "gopher://127.0.0.1/",
    ],
)
async def test_the_guard_decides_where_a_meter_is_read(
    tmp_path: Path, upstream: Simulated, exporter: Exporter, url: str
) -> None:
    port = exporter.url.split(":")[2].split("/")[0]
    probe = a_probe(url.format(port=port))
    async with metered(tmp_path, upstream, probe, reached=upstream.url("rennes-1")) as router:
        await told(router, "refused")

    assert exporter.asked == []


async def test_the_servers_key_goes_to_the_server_alone(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    exporter.show(dcgm_page(1))
    async with metered(tmp_path, upstream, a_probe(exporter.url)) as router:
        await until(lambda: exporter.asked)
        assert TOKEN.encode() not in b"".join(exporter.asked)
        probe = a_probe(upstream.url("rennes-1") + "/metrics", id=an_id("another"))
        row = router.gateway.table.servers.servers[RENNES]
        router.gateway.apply(
            servers(a_server("rennes-1", row.base_url, TOKEN, probe=probe, grants=row.grants))
        )
        await until(lambda: any(each.path == "/metrics" for each in upstream.requests("rennes-1")))

    asked = [each for each in upstream.requests("rennes-1") if each.path == "/metrics"]
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_meter_that_is_ended_is_read_no_more_and_told_no_more(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    exporter.show(dcgm_page(1))
    async with metered(tmp_path, upstream, a_probe(exporter.url)) as router:
        await told(router, "")
        row = router.gateway.table.servers.servers[RENNES]
        router.gateway.apply(servers(a_server("rennes-1", row.base_url, TOKEN, grants=row.grants)))
        await until(lambda: reading(router) is None)


async def test_a_spool_without_room_leaves_a_gap_and_owes_nothing(
    tmp_path: Path, upstream: Simulated, exporter: Exporter
) -> None:
    probe = a_probe(exporter.url, limit_w=1e6)
    async with drawing(exporter, 400), metered(tmp_path, upstream, probe) as router:
        await until(lambda: windows(router))
        with mock.patch.object(type(router.gateway.spool), "writable", False):
            count = len(windows(router))
            asked = len(exporter.asked)
            await until(lambda: len(exporter.asked) > asked + 20)
            assert len(windows(router)) == count
        await until(lambda: len(windows(router)) > count)
        assert router.gateway.spool.writable
