"""The examples of an ingress, as they are in `deploy/ingress`, in front of a real router, with a test's certificate.

nginx and Caddy are taken from this machine. Where one is missing, the tests named `…_where_it_is_installed` only read
the example's text, and are listed as `…[nginx not installed]`.
"""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from routing.core.table import Section
from routing.gateway.settings import Limits
from tests.support.certificates import Authority
from tests.support.processes import wait_for
from tests.support.product import ROOT, free_port
from tests.support.router import (
    KEY,
    Router,
    a_model,
    a_server,
    chat,
    names,
    principals,
    running_router,
    servers,
)
from tests.support.wire import Peer, answering, serving

NAME = "ilaas.example.org"
CLIENT = "127.0.0.2"
PROXY = ip_network("127.0.0.1/32")
PATIENCE = f"{Limits().wait_seconds + Limits().run_seconds + 30:.0f}s"
PAGE = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\npage"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "word%d"}}]}\n\n'
PROGRAM_PLACES = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


class Ingress(NamedTuple):
    """An example: the program it is for, its file, what it must say, and how to run it on other ports."""

    program: str
    file: Path
    essentials: tuple[str, ...]
    command: Callable[[str, Path, Path, int, int], list[str]]

    @property
    def installed(self) -> str | None:
        return shutil.which(self.program, path=PROGRAM_PLACES)

    def check_text(self) -> None:
        text = self.file.read_text()
        assert [line for line in self.essentials if line not in text] == []


def nginx(text: str, folder: Path, certificate: Path, port: int, router: int) -> list[str]:
    """Write the site, and around it what a distribution's nginx.conf has."""
    text = replaced(
        text,
        ("127.0.0.1:8000", f"127.0.0.1:{router}"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/ilaas/fullchain.pem", str(certificate)),
        ("/etc/ssl/ilaas/privkey.pem", str(certificate)),
    )
    (folder / "site").write_text(text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; events {{}}"
        f" http {{ access_log off; {places} include {folder}/site; }}"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def caddy(text: str, folder: Path, certificate: Path, port: int, router: int) -> list[str]:
    """Write the Caddyfile with a certificate at hand instead of one from the world outside."""
    ours = f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {certificate}"
    text = replaced(text, (f"\n{NAME} {{", ours), ("127.0.0.1:8000", f"127.0.0.1:{router}"))
    settings = "{\n\tadmin off\n\tauto_https off\n}\n"
    (folder / "Caddyfile").write_text(settings + text)
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for written, here in pairs:
        assert written in text
        text = text.replace(written, here)
    return text


INGRESSES = (
    Ingress(
        "nginx",
        ROOT / "deploy" / "ingress" / "nginx.conf",
        (
            "proxy_buffering off;",
            "proxy_request_buffering off;",
            "proxy_max_temp_file_size 0;",
            "client_max_body_size 30m;",
            f"proxy_read_timeout {PATIENCE};",
            "X-Forwarded-For $proxy_add_x_forwarded_for;",
            "X-Forwarded-Proto $scheme;",
        ),
        nginx,
    ),
    Ingress(
        "caddy",
        ROOT / "deploy" / "ingress" / "Caddyfile",
        (
            "max_size 30MB\n",
            f"\tread_timeout {PATIENCE}\n",
            f"\tresponse_header_timeout {PATIENCE}\n",
        ),
        caddy,
    ),
)


def title(ingress: Ingress) -> str:
    return ingress.program if ingress.installed else f"{ingress.program} not installed"


@pytest.fixture(params=INGRESSES, ids=title)
def ingress(request: pytest.FixtureRequest) -> Ingress:
    found: Ingress = request.param
    return found


class Client(httpx.AsyncHTTPTransport):
    """Asks for the public name, from an address of its own, at a port of this machine."""

    def __init__(self, port: int, authority: Authority) -> None:
        trusted = ssl.create_default_context(cadata=authority.pem)
        super().__init__(verify=trusted, local_address=CLIENT)
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = NAME
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


@contextmanager
def running(program: str, arguments: list[str], port: int, folder: Path) -> Iterator[None]:
    """Run the program while the block does."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [program, *arguments],
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "HOME": str(folder),
                **dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder)),
            },
        )
    try:
        wait_for(lambda: listens(port) or process.poll() is not None, program)
        assert process.poll() is None, (folder / "output").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def asking_through(
    ingress: Ingress, router: Router, folder: Path
) -> AsyncGenerator[httpx.AsyncClient | None]:
    """Yield a client of the program in front of the router; None where it is not installed."""
    if not (program := ingress.installed):
        yield None
        return
    authority, port = Authority(folder), free_port()
    authority.server_context(NAME)
    (certificate,) = folder.glob("*.pem")
    arguments = ingress.command(ingress.file.read_text(), folder, certificate, port, router.port)
    with running(program, arguments, port, folder):
        async with httpx.AsyncClient(
            transport=Client(port, authority),
            base_url=f"https://{NAME}",
            headers={"authorization": f"Bearer {KEY}"},
            timeout=20,
        ) as client:
            yield client


def table(port: int) -> tuple[Section, ...]:
    """Return a table with one model on the server at a port."""
    server = a_server("rennes-a", f"http://127.0.0.1:{port}")
    return principals(), names(a_model("rennes-a")), servers(server)


def test_the_examples_say_what_the_router_needs(ingress: Ingress) -> None:
    ingress.check_text()


def test_caddy_is_not_told_to_go_on_without_its_client() -> None:
    lines = (ROOT / "deploy" / "ingress" / "Caddyfile").read_text().splitlines()
    assert not any(line.strip().startswith("flush_interval") for line in lines)


async def test_words_come_one_by_one_through_it_where_it_is_installed(
    ingress: Ingress, tmp_path: Path
) -> None:
    """The server writes a word only once the client has the one before: with a buffer, none would ever come."""
    received = asyncio.Semaphore(0)

    async def one_by_one(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        for number in range(5):
            await peer.send(CHUNK % number)
            await received.acquire()
        await peer.send(b"data: [DONE]\n\n")

    async with (
        serving(one_by_one) as server,
        running_router(tmp_path / "var", *table(server.port)) as router,
        asking_through(ingress, router, tmp_path) as client,
    ):
        if client is None:
            return ingress.check_text()
        async with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as answer:
            words = 0
            async for part in answer.aiter_text():
                for _ in range(part.count("word")):
                    words += 1
                    received.release()

    assert words == 5
    return None


async def test_a_client_that_hangs_up_ends_its_answer_through_it_where_it_is_installed(
    ingress: Ingress, tmp_path: Path
) -> None:
    hung_up = asyncio.Event()

    async def endless(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + CHUNK % 0)
        await peer.until_hung_up()
        hung_up.set()

    async with (
        serving(endless) as server,
        running_router(tmp_path / "var", *table(server.port)) as router,
        asking_through(ingress, router, tmp_path) as client,
    ):
        if client is None:
            return ingress.check_text()
        async with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as answer:
            await anext(answer.aiter_text())

        await asyncio.wait_for(hung_up.wait(), 20)
    return None


async def test_the_clients_own_address_counts_through_it_where_it_is_installed(
    ingress: Ingress, tmp_path: Path
) -> None:
    async with (
        running_router(tmp_path / "var", *table(1), trusted_proxies=(PROXY,)) as router,
        serving(answering(PAGE), path=router.gateway.settings.run_dir / "portal.sock") as portal,
        asking_through(ingress, router, tmp_path) as client,
    ):
        if client is None:
            return ingress.check_text()
        answer = await client.get("/servers/", headers={"x-forwarded-for": "9.9.9.9"})

    assert answer.text == "page"
    (request,) = portal.requests
    assert request.header(b"x-forwarded-for") == [CLIENT.encode()]
    assert request.header(b"x-forwarded-proto") == [b"https"]
    assert request.header(b"x-forwarded-host") == [NAME.encode()]
    return None


async def test_a_large_prompt_passes_and_a_too_large_one_gets_the_routers_word_where_it_is_installed(
    ingress: Ingress, tmp_path: Path
) -> None:
    ok = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    limit = Limits().max_body_bytes

    def prompt(size: int) -> dict[str, Any]:
        return chat(messages=[{"role": "user", "content": "x" * size}])

    async with (
        serving(answering(ok)) as server,
        running_router(tmp_path / "var", *table(server.port)) as router,
        asking_through(ingress, router, tmp_path) as client,
    ):
        if client is None:
            return ingress.check_text()
        large = await client.post("/v1/chat/completions", json=prompt(limit - 1000))
        too_large = await client.post("/v1/chat/completions", json=prompt(limit + 1000))

    assert large.status_code == 200, large.text
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "body_too_large")
    return None
