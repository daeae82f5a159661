"""The comparison of two entry points, over real sockets: alike, unlike, the old dispatcher, and none at all."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from routing.core.table import Section
from routing.shadow.__main__ import main
from routing.simulator import Simulated, simulated
from tests.support.product import free_port
from tests.support.router import (
    KEY,
    MODEL,
    Router,
    a_model,
    a_server,
    names,
    principals,
    running_router,
    servers,
)
from tests.support.wire import Peer, Request, Script, serving

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s"
Shown = Callable[[], str]


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    config = {"speed": 0, "servers": [{"name": "rennes-1", "engine": "vllm", "model": MODEL}]}
    async with simulated(config) as running:
        yield running


def table(url: str) -> tuple[Section, ...]:
    return principals(), names(a_model("rennes-1")), servers(a_server("rennes-1", url))


@asynccontextmanager
async def two_routers(folder: Path, old: str, new: str) -> AsyncGenerator[tuple[Router, Router]]:
    """Run two routers, each with one server."""
    async with (
        running_router(folder / "old", *table(old)) as first,
        running_router(folder / "new", *table(new)) as second,
    ):
        yield first, second


async def compared(
    folder: Path, old: str, new: str, *options: str, key: str = KEY
) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the rows of the JSON."""
    target, secret = folder / "shadow.json", folder / "key"
    secret.write_text(key + "\n")
    words = [old, new, "--json", str(target), "--seconds", "10", *options]
    words += ["--old-key-file", str(secret), "--new-key-file", str(secret)]
    code = await asyncio.to_thread(main, words)
    return code, json.loads(target.read_text()) if target.exists() else []


def found(rows: list[dict[str, Any]], kind: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the differences of a kind: request → what → old and new."""
    return {
        row["request"]: {
            each["what"]: (each["old"], each["new"])
            for each in row["differences"]
            if each["kind"] == kind
        }
        for row in rows
        if any(each["kind"] == kind for each in row["differences"])
    }


async def test_two_that_are_alike_differ_in_nothing(
    upstream: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = upstream.servers["rennes-1"].url
    async with two_routers(tmp_path, url, url) as (old, new):
        code, rows = await compared(tmp_path, old.url, new.url + "/v1", "--repeat", "2")

    assert code == 0
    assert (found(rows, "to look at"), found(rows, "meant")) == ({}, {})
    assert len(rows) == 18
    streamed = next(row for row in rows if row["request"] == "chat, streamed")
    assert streamed["old"]["first_ms"] > 0
    shown = capsys.readouterr().out
    assert "18 requests; differences: 0 to look at (!)" in shown


async def test_neither_key_nor_answer_is_told(
    upstream: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = upstream.servers["rennes-1"].url
    canary = "canary-of-a-prompt"
    body = {"model": MODEL, "messages": [{"role": "user", "content": canary}], "max_tokens": 5}
    (tmp_path / "requests").write_text(json.dumps(body))
    async with two_routers(tmp_path, url, url) as (old, new):
        answer = await new.post(json=body)
        await compared(tmp_path, old.url, new.url, "--requests", str(tmp_path / "requests"))

    told = capsys.readouterr().out + (tmp_path / "shadow.json").read_text()
    assert "line 1" in told
    for secret in (KEY, canary, answer.json()["choices"][0]["message"]["content"]):
        assert secret not in told


def chat_answer(**changes: Any) -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13},
    }
    text = json.dumps(body | changes).encode()
    return HEAD % (b"application/json", len(text), text)


def saying(answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(answer)

    return script


async def test_what_one_server_leaves_out_or_counts_otherwise_is_listed(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}
    (tmp_path / "requests").write_text(
        json.dumps({"name": "mine", "body": {"model": MODEL, "messages": []}})
    )
    async with (
        serving(saying(chat_answer(reasoning={"steps": 3}))) as first,
        serving(saying(chat_answer(usage=usage, added="field", id=7))) as second,
        two_routers(
            tmp_path, f"http://127.0.0.1:{first.port}", f"http://127.0.0.1:{second.port}"
        ) as (old, new),
    ):
        code, rows = await compared(
            tmp_path, old.url, new.url, "--requests", str(tmp_path / "requests")
        )

    assert code == 1
    assert found(rows, "to look at") == {
        "mine": {
            "id": ("string", "number"),
            "reasoning": ("object", "absent"),
            "reasoning.steps": ("number", "absent"),
            "usage.prompt_tokens": ("12", "40"),
        }
    }
    assert found(rows, "meant") == {"mine": {"added": ("absent", "string")}}
    assert found(rows, "may vary")["mine"]["usage.completion_tokens"] == ("1", "2")


Answer = tuple[int, str, bytes]


def dispatcher(url: str) -> Script:
    """Answer as aristote-dispatcher does: its own errors, else what the server at `url` says, always as 200."""

    async def script(peer: Peer) -> None:
        while (request := await peer.request()) is not None:
            status, kind, body = await asyncio.to_thread(dispatched, request, url)
            head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
            await peer.send(head.encode() + body)

    return script


def said(status: int, **body: Any) -> Answer:
    return status, "application/json", json.dumps(body).encode()


def dispatched(request: Request, url: str) -> Answer:
    authorization = request.header(b"authorization")
    path = request.line.split()[1].decode()
    if not authorization:
        return said(401, error="No token provided")
    if authorization != [f"Bearer {KEY}".encode()]:
        return said(401, error="Unauthorized")
    model = {"id": MODEL, "object": "model", "owned_by": "ilaas"}
    if path == "/v1/models":
        return said(200, object="list", data=[model])
    if path == f"/v1/models/{MODEL}":
        return said(200, **model)
    if path.startswith("/v1/models/"):
        message = f"model {path.removeprefix('/v1/models/')} not found"
        return said(404, object="error", message=message, type="NotFoundError")
    return refused(request.body) or passed_on(url + path, request.body)


def refused(raw: bytes) -> Answer | None:
    crashed = (500, "text/plain", b"Internal Server Error")
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return said(400, error="Invalid JSON Body")
    match body:
        case {"model": ""}:
            return said(404, object="error", message="No model specified.", type="NotFoundError")
        case {"model": name} if name != MODEL:
            return said(404, object="error", error="Unknown model")
        case {"routing-mode": mode}:
            return said(400, object="error", message=f"local priority model: {mode} not recognized")
        case {"model": _, "priority": str()}:
            return crashed
        case {"model": _}:
            return None
        case _:
            return crashed


def passed_on(url: str, body: bytes) -> Answer:
    answer = httpx.post(url, content=body, headers={"content-type": "application/json"})
    return 200, answer.headers["content-type"], answer.content


async def test_beside_the_old_dispatcher_only_what_is_meant_differs(
    upstream: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = upstream.servers["rennes-1"].url
    async with (
        serving(dispatcher(url)) as old,
        running_router(tmp_path / "var", *table(url)) as new,
    ):
        code, rows = await compared(tmp_path, f"http://127.0.0.1:{old.port}", new.url)

    assert (code, found(rows, "to look at")) == (0, {})
    meant = found(rows, "meant")
    assert meant["messages of a wrong kind"]["status"] == ("200 with an error", "400")
    assert meant["no model"]["status"] == ("500", "400")
    assert meant["empty model"]["status"] == ("404", "400")
    assert meant["wrong key"]["error shape"][0] == "error"
    shown = capsys.readouterr().out
    assert "· new: created" in shown.replace("capabilities, capabilities[], ", "")


async def test_one_that_cannot_be_reached_is_told_and_the_other_is_not_blamed(
    upstream: Simulated, tmp_path: Path
) -> None:
    url = upstream.servers["rennes-1"].url
    async with running_router(tmp_path / "var", *table(url)) as new:
        code, rows = await compared(
            tmp_path, f"http://127.0.0.1:{free_port()}", new.url, "--model", MODEL
        )

    assert code == 1
    chat = found(rows, "to look at")["chat"]
    assert chat["answer"][0].startswith("ConnectError")
    assert chat["answer"][1] == "came"


GARBAGE = {
    "no HTTP": b"\x00\xff\r\n\r\n",
    "a page": HEAD % (b"text/html", 6, b"<html>"),
    "half an answer": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{",
    "a stream of nothing": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"content-length: 14\r\n\r\ndata: \xff\xfe{[\n\n",
    "a deep answer": HEAD % (b"application/json", 400, b"[" * 200 + b"]" * 200),
    "a bottomless answer": HEAD % (b"application/json", 40_000, b"[" * 20_000 + b"]" * 20_000),
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_whatever_one_says_is_a_difference_and_no_crash(
    upstream: Simulated, tmp_path: Path, what: str
) -> None:
    async def script(peer: Peer) -> None:
        if await peer.request() is not None:
            await peer.send(GARBAGE[what])

    url = upstream.servers["rennes-1"].url
    async with (
        serving(script) as old,
        running_router(tmp_path / "var", *table(url)) as new,
    ):
        code, rows = await compared(
            tmp_path, f"http://127.0.0.1:{old.port}", new.url, "--model", MODEL
        )

    assert code == 1
    assert "chat" in found(rows, "to look at")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--old-key-file", "{folder}/absent"], "absent cannot be read"),
        (["--requests", "{folder}/absent"], "absent cannot be read"),
        (["--requests", "{folder}/empty"], "holds no request"),
        (["--requests", "{folder}/broken"], "broken:2: "),
        (["--requests", "{folder}/path"], "path:1: path is 'v1/x'"),
        (["--requests", "{folder}/unknown"], "unknown:1: .*methods"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    reason: str,
) -> None:
    monkeypatch.setenv("OLD_KEY", KEY)
    for name, text in (
        ("empty", "\n\n"),
        ("broken", '{"model": "m"}\n{"model": '),
        ("path", '{"body": {}, "path": "v1/x"}'),
        ("unknown", '{"body": {}, "methods": "GET"}'),
    ):
        (tmp_path / name).write_text(text)

    given = [word.format(folder=tmp_path) for word in words]
    code = main(["http://127.0.0.1:1", "http://127.0.0.1:1", *given])

    told = capsys.readouterr().err
    assert code == 2
    assert re.search(reason, told)
    assert told.count("\n") == 1


@pytest.mark.parametrize("old", ["http://127.0.0.1:{port}", "no-address", "ftp://x", "http://[::"])
def test_an_entry_point_that_lists_no_models_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], old: str
) -> None:
    monkeypatch.setenv("OLD_KEY", KEY)

    assert main([old.format(port=free_port()), "http://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_key_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OLD_KEY", raising=False)

    assert main(["http://127.0.0.1:1", "http://127.0.0.1:1"]) == 2
    assert "OLD_KEY is not set" in capsys.readouterr().err
