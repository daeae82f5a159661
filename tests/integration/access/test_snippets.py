"""The calls that a page offers to paste do what they say: they are run against a server of this machine."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from federation.access.offer import SUITED
from federation.access.snippets import snippets, usual_endpoint
from federation.catalogue.enums import Capability
from routing.core.enums import Endpoint

KEY = "ilaas_live_abc"
ANSWERS: dict[str, Any] = {
    "/v1/chat/completions": {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Bonjour à vous"},
            }
        ],
    },
    "/v1/embeddings": {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    },
    "/v1/audio/transcriptions": {"text": "Bonjour à vous"},
    "/v1/rerank": {"results": [{"index": 0, "relevance_score": 0.9}]},
}
ENDPOINTS = {
    Capability.CHAT: "/v1/chat/completions",
    Capability.EMBEDDINGS: "/v1/embeddings",
    Capability.RERANK: "/v1/rerank",
}


class Recorder(BaseHTTPRequestHandler):
    """Answers as an OpenAI-compatible server and keeps what was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_form = self.headers["Content-Type"].startswith("multipart/")
        told = body if is_form else json.loads(body)
        self.server.asked.append((self.path, self.headers["Authorization"], told))  # type: ignore[attr-defined]
        answer = json.dumps(ANSWERS[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_request(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def asked(settings: Settings) -> Iterator[list[tuple[str, str, Any]]]:
    """What the server behind the snippets' address was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.asked = []  # type: ignore[attr-defined]
    settings.PUBLIC_URL = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.asked  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def code(language: str, capability: Capability) -> str:
    offered = {
        one.language: one.code
        for one in snippets("vendor/model:1", usual_endpoint([capability]), KEY)
    }
    return offered[language]


@pytest.mark.parametrize("capability", ENDPOINTS)
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_curl_call_works_when_pasted(
    asked: list[tuple[str, str, Any]], capability: Capability
) -> None:
    ran = subprocess.run(
        ["sh", "-c", code("bash", capability)], capture_output=True, timeout=30, check=True
    )

    [(path, authorization, body)] = asked
    assert (path, authorization) == (ENDPOINTS[capability], f"Bearer {KEY}")
    assert body["model"] == "vendor/model:1"
    assert json.loads(ran.stdout) == ANSWERS[path]


@pytest.mark.parametrize(
    ("capability", "printed"),
    [(Capability.CHAT, "Bonjour à vous"), (Capability.EMBEDDINGS, "[0.5, 0.25]")],
)
def test_the_python_call_works_when_pasted(
    asked: list[tuple[str, str, Any]], capability: Capability, printed: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", code("python", capability)],
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )

    [(path, authorization, body)] = asked
    assert (path, authorization) == (ENDPOINTS[capability], f"Bearer {KEY}")
    assert body["model"] == "vendor/model:1"
    assert ran.stdout.strip() == printed


@pytest.mark.parametrize("language", ["bash", "python"])
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_a_sound_is_sent_when_pasted(
    asked: list[tuple[str, str, Any]], tmp_path: Path, language: str
) -> None:
    (tmp_path / "parole.wav").write_bytes(b"RIFF of a voice")
    shell = {"bash": ["sh"], "python": [sys.executable]}[language]

    ran = subprocess.run(
        [*shell, "-c", code(language, Capability.TRANSCRIPTION)],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )

    [(path, authorization, body)] = asked
    assert (path, authorization) == ("/v1/audio/transcriptions", f"Bearer {KEY}")
    assert b"vendor/model:1" in body
    assert b"RIFF of a voice" in body
    assert "Bonjour" in ran.stdout


def test_reranking_is_offered_for_curl_alone() -> None:
    assert [one.language for one in snippets("m", Endpoint.RERANK, KEY)] == ["bash"]


def test_a_model_that_converses_is_asked_to_converse() -> None:
    every = [Capability.EMBEDDINGS, Capability.CHAT]

    assert usual_endpoint(every) is usual_endpoint([]) is Endpoint.CHAT
    assert "chat/completions" in snippets("m", Endpoint.CHAT, KEY)[0].code


@pytest.mark.parametrize("endpoint", SUITED)
def test_every_interface_has_a_call(endpoint: Endpoint) -> None:
    assert f"/v1/{endpoint.value} " in snippets("m", endpoint, KEY)[0].code
