"""Kill switches: what operators stop is stopped at once, streams included, with nothing but the data folder."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from routing.bridge import segments
from routing.core.enums import RequestStatus
from routing.gateway.gateway import Gateway
from routing.gateway.readings import families
from routing.gateway.snapshot import save_section
from routing.gateway.stop import main
from routing.gateway.stops import Unreadable
from routing.simulator import Simulated, simulated
from tests.support.router import (
    KEY,
    MODEL,
    PEPPER,
    RENNES_KEY,
    Router,
    a_model,
    a_server,
    an_id,
    chat,
    events,
    names,
    principals,
    running_router,
    servers,
    until,
)

LONG = {"stream": True, "max_tokens": 2000, "min_tokens": 2000}
Operator = Callable[..., None]


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    config = {
        "record": True,
        "servers": [
            {"name": name, "engine": "vllm", "model": MODEL, "seconds_per_token": 0.01}
            for name in ("rennes-1", "reims-1")
        ],
    }
    async with simulated(config) as running:
        yield running


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    table = (
        principals(),
        names(a_model("rennes-1")),
        servers(*(a_server(name, upstream.url(name)) for name in ("rennes-1", "reims-1"))),
    )
    for section in table:
        save_section(tmp_path / "table", section)
    async with running_router(tmp_path, *table) as running:
        yield running


@pytest.fixture
def stop(tmp_path: Path) -> Operator:
    """What an operator types, beside a router that has no database at all."""
    return lambda *words: main(words, {"VAR": str(tmp_path), "PEPPER": PEPPER})


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("key", an_id("key of orleans")), "stopped_by_operators"),
        (("institution", an_id("orleans")), "stopped_by_operators"),
        (("model", MODEL), "model_stopped"),
        (("server", "rennes-1"), "no_server"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
async def test_what_is_stopped_is_refused_until_it_is_lifted(
    router: Router, stop: Operator, words: tuple[str, str], code: str
) -> None:
    stop(*words, "--why", "leaked")
    await until(lambda: router.gateway.stops.each)
    refused = await router.post(json=chat())
    assert refused.json()["error"]["code"] == code

    stop(*words, "--lift")
    await until(lambda: not router.gateway.stops.each)
    assert (await router.post(json=chat())).status_code == 200
    with pytest.raises(SystemExit, match="is not stopped"):
        stop(*words, "--lift")


@pytest.mark.parametrize(
    "words",
    [
        ("key", an_id("key of orleans")),
        ("institution", an_id("orleans")),
        ("model", MODEL),
        ("server", "rennes-1"),
    ],
    ids=lambda words: words[0],
)
async def test_a_stream_that_runs_is_cut_with_an_error_event_and_accounted(
    router: Router, upstream: Simulated, stop: Operator, words: tuple[str, str]
) -> None:
    async with (
        router.client() as client,
        client.stream("POST", "/v1/chat/completions", json=chat(**LONG)) as answer,
    ):
        parts = answer.aiter_text()
        text = await anext(parts)
        stop(*words)
        async for part in parts:
            text += part

    last = events(text)[-2:]
    assert last[1] == "[DONE]"
    assert '"error"' in last[0]
    closed = await router.only_closed()
    assert closed.status in (RequestStatus.INTERRUPTED, RequestStatus.SERVER_ERROR)
    assert closed.completion_tokens > 0
    await router.idle()


async def test_a_stopped_model_is_told_so_whatever_the_mode(router: Router, stop: Operator) -> None:
    stop("model", MODEL)
    await until(lambda: router.gateway.stops.each)

    refused = await router.post(key=RENNES_KEY, json=chat(**{"routing-mode": "private-first"}))

    assert refused.json()["error"]["code"] == "model_stopped"


async def test_others_go_on(router: Router, stop: Operator) -> None:
    stop("key", an_id("key of orleans"))
    await until(lambda: router.gateway.stops.each)

    assert (await router.post(key=RENNES_KEY, json=chat())).status_code == 200


async def test_who_has_seen_nothing_yet_is_served_elsewhere(
    router: Router, upstream: Simulated, stop: Operator
) -> None:
    router.gateway.apply(names(a_model("rennes-1", "reims-1")))
    tasks = [
        asyncio.create_task(router.post(json=chat(max_tokens=60, min_tokens=60))) for _ in range(4)
    ]
    await until(lambda: upstream.requests("rennes-1"))

    stop("server", "rennes-1")

    answers = await asyncio.gather(*tasks)
    assert {answer.status_code for answer in answers} == {200}
    await router.idle()


async def test_who_waits_is_told(router: Router, upstream: Simulated, stop: Operator) -> None:
    row = a_server("rennes-1", upstream.url("rennes-1"), max_parallel=1)
    router.gateway.apply(servers(row))
    body = chat(max_tokens=2000, min_tokens=2000)
    tasks = [asyncio.create_task(router.post(json=body)) for _ in range(2)]
    await until(lambda: router.gateway.waiting(an_id(MODEL)) == 1)

    stop("key", an_id("key of orleans"))

    answers = await asyncio.gather(*tasks)
    assert [answer.json()["error"]["code"] for answer in answers] == ["stopped_by_operators"] * 2
    await router.idle()


async def test_a_router_that_starts_later_keeps_to_it(
    tmp_path: Path, router: Router, stop: Operator
) -> None:
    stop("key", an_id("key of orleans"), "--why", "leaked")
    assert (tmp_path / "stops.json").stat().st_mode & 0o777 == 0o600

    gateway = Gateway(router.gateway.settings)

    (kept,) = gateway.stops.each
    assert (kept.id, kept.why) == (an_id("key of orleans"), "leaked")
    gateway.spool.close()


async def test_a_file_that_cannot_be_read_lifts_nothing(
    tmp_path: Path, router: Router, stop: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    stop("key", an_id("key of orleans"))
    await until(lambda: router.gateway.stops.each)

    (tmp_path / "stops.json").write_text("[{")
    await until(lambda: "stops.json cannot be read" in caplog.text)

    assert router.gateway.stops.each
    with pytest.raises(Unreadable, match="truncated"):
        Gateway(router.gateway.settings)


def test_a_key_is_stopped_by_its_text(
    tmp_path: Path,
    stop: Operator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_section(tmp_path / "table", principals())
    monkeypatch.setattr("sys.stdin", iter_lines(KEY))

    stop("key", "-")

    told = capsys.readouterr().out
    assert an_id("key of orleans") in told
    assert KEY not in told
    assert KEY not in (tmp_path / "stops.json").read_text()


def iter_lines(text: str) -> object:
    """Return what stands for standard input."""

    class Lines:
        def readline(self) -> str:
            return text + "\n"

    return Lines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("model", "unknown"), "There is no model “unknown” (known: gpt-oss-120b)"),
        (("server",), "Say which server"),
        (("institution", "nantes"), "There is no institution “nantes”"),
        (("key", an_id("key"), "--why", "a\nb"), "--why takes one line"),
    ],
)
def test_what_cannot_be_found_is_told_in_a_line(
    tmp_path: Path, stop: Operator, words: tuple[str, ...], message: str
) -> None:
    save_section(tmp_path / "table", names(a_model("rennes-1")))

    with pytest.raises(SystemExit) as ended:
        stop(*words)

    assert str(ended.value).startswith(message)
    assert not (tmp_path / "stops.json").exists()


def test_what_is_stopped_is_listed(
    tmp_path: Path, stop: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    stop()
    assert capsys.readouterr().out == "Nothing is stopped.\n"
    stop("key", an_id("a"), "--why", "leaked")
    stop("key", an_id("a"), "--why", "leaked again")
    capsys.readouterr()

    stop()

    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"key\t{an_id('a')}")
    assert line.endswith("\tleaked again")


def test_a_stop_does_not_wait_for_a_backup(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    command = [sys.executable, "-m", "routing.gateway.stop", "key", an_id("a")]

    with segments.held(tmp_path / "spool"):
        subprocess.run(command, env={"VAR": str(tmp_path)}, check=True, timeout=20)

    assert (tmp_path / "stops.json").exists()


async def test_what_is_stopped_is_counted_and_told(router: Router, stop: Operator) -> None:
    stop("model", MODEL)
    await until(lambda: router.gateway.stops.each)

    stopped = {family.name: family for family in families(router.gateway, clerk_is_here=True)}
    assert list(stopped["ilaas_stopped"].samples) == [(("model", MODEL), 1)]
    assert [stop.name for stop in router.gateway.load().stops] == [MODEL]
