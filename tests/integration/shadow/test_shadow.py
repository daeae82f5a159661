"""The comparison of two entry points, over real sockets: alike, unlike, the old dispatcher, and none at all."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from routing.core.table import Section
from routing.shadow.__main__ import main
from routing.simulator import Simulated, simulated
from tests.support.router import (
    KEY,
    MODEL,
    RENNES_KEY,
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
async def two_routers(
    folder: Path, old: str, new: str
) -> AsyncGenerator[tuple[Router, Router]]:
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


def dispatcher(url: str) -> Script:
    """Answer as aristote-dispatcher does: its own errors, else what the server says, with status 200."""

    async def script(peer: Peer) -> None:
        while (request := await peer.request()) is not None:
            status, body = await asyncio.to_thread(dispatched, request, url)
            text = json.dumps(body).encode() if isinstance(body, dict) else body.encode()
            kind = b"application/json" if isinstance(body, dict) else b"text/plain"
            head = b"HTTP/1.1 %d X\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
            await peer.send(head % (status, kind, len(text)) + text)

    return script


def dispatched(request: Request, url: str) -> tuple[int, dict[str, Any] | str]:
    authorization = request.header(b"authorization")
    path = request.line.split()[1].decode()
    if not authorization:
        return 401, {"error": "No token provided"}
    if authorization != [f"Bearer {KEY}".encode()]:
        return 401, {"error": "Unauthorized"}
    if path == "/v1/models":
        model = {"id": MODEL, "object": "model", "owned_by": "ilaas"}
        return 200, {"object": "list", "data": [model]}
    if path.startswith("/v1/models/"):
        name = path.removeprefix("/v1/models/")
        if name == MODEL:
            return 200, {"id": MODEL, "object": "model", "owned_by": "ilaas"}
        return 404, {
            "object": "error",
            "message": f"model {name} not found",
            "type": "NotFoundError",
        }
    return dispatched_body(request.body)


def dispatched_body(raw: bytes) -> tuple[int, dict[str, Any] | str]:
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return 400, {"error": "Invalid JSON Body"}
    match body:
        case {"model": ""}:
            message = "No model specified."
            return 404, {"object": "error", "message": message, "type": "NotFoundError"}
        case {"model": name} if name != MODEL:
            return 404, {"object": "error", "error": "Unknown model"}
        case {"routing-mode": mode}:
            return 400, {"object": "error", "message": f"local priority model: {mode} not recognized"}
        case {"messages": str()}:
            return 200, {"error": {"message": "messages", "type": "x", "param": None, "code": 400}}
        case {"priority": str()}:
            return 500, "Internal Server Error"
        case {"model": _}:
            return 200, {"ok": True}
        case _:
            return 500, "Internal Server Error"
