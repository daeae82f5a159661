"""No prompt, no answer, no key: not in the spool, not in the snapshot, not in the log, whatever goes wrong."""

import logging
from pathlib import Path

import pytest

from routing.gateway.snapshot import save_section
from routing.simulator import Fault, Simulated
from routing.simulator.faults import Kind
from tests.integration.gateway.conftest import NAMES
from tests.support.router import KEY, Router, chat

CANARY = "canari-qui-chante"
KINDS: tuple[Kind, ...] = ("none", "garbage", "status", "html", "reset", "wrong_model")


async def test_a_canary_is_seen_nowhere_afterwards(
    tmp_path: Path, router: Router, upstream: Simulated, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    messages = [{"role": "user", "content": f"Répète : {CANARY}"}]
    heard = []
    for kind in KINDS:
        for name in NAMES:
            await upstream.set_fault(name, Fault(kind=kind, after_bytes=700))
        for stream in (False, True):
            body = chat(messages=messages, stream=stream, user=CANARY, max_tokens=30)
            answer = await router.post(f"/v1/chat/completions?q={CANARY}", json=body)
            if answer.status_code == 200 and not stream and kind == "none":
                heard.append(answer.json()["choices"][0]["message"]["content"])
    await router.post(content=f'{{"model": {CANARY}'.encode())
    for section in (router.gateway.table.principals, router.gateway.table.servers):
        save_section(tmp_path / "table", section)
    await router.idle()

    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert router.closed()
    for secret in (CANARY, KEY, *heard):
        assert secret.encode() not in written
        assert secret not in caplog.text
