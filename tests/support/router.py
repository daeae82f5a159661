"""A router in this process, over a table made by hand and servers simulated or scripted.

The same application, connections and parts beside it as in the product; only uvicorn's own loop is left out.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID, uuid5

import httpx
import msgspec
import uvicorn
from cryptography.fernet import Fernet
from uvicorn.server import ServerState

from routing.core.accounting import Closed, Opened, Record, Ticked, read_frames
from routing.core.enums import LifecycleStage, LimitScope, Measure, Strategy
from routing.core.enums import ServerState as Registered
from routing.core.keys import digest
from routing.core.table import (
    Deployment,
    Limit,
    Machine,
    Model,
    Names,
    NamesSection,
    Principal,
    PrincipalsSection,
    Section,
    Server,
    ServersSection,
)
from routing.gateway import process, rounds
from routing.gateway.gateway import Gateway
from routing.gateway.probing import keep_probing
from routing.gateway.process import beside, server_of
from routing.gateway.settings import Limits, Settings
from routing.upstream.credentials import Secret, load_keys, seal

HOST = "127.0.0.1"
PEPPER = "pepper-of-the-tests"
ENCRYPTION_KEY = Fernet.generate_key().decode()
KEY = "ilaas_live_orleans"
RENNES_KEY = "ilaas_live_rennes"
MODEL = "gpt-oss-120b"
WAIT_SECONDS = 20.0
NEVER = 1e6
ROUND_SECONDS = 0.02
_NAMES = UUID("0192aaaa-0000-7000-8000-000000000000")


def an_id(name: str) -> str:
    """Return the id that stands for a name in every test."""
    return str(uuid5(_NAMES, name))


def a_principal(institution: str = "orleans", **changes: Any) -> Principal:
    principal = Principal(
        key_id=an_id(f"key of {institution}"),
        institution_id=an_id(institution),
        application_id=an_id(f"application of {institution}"),
        priority=3,
    )
    return msgspec.structs.replace(principal, **changes)


def a_limit(measure: Measure, most: int, scope: LimitScope = LimitScope.KEY) -> Limit:
    return Limit(scope=scope, measure=measure, most=most, name="Orléans")


def principals(*limits: Limit, **by_key: Principal) -> PrincipalsSection:
    """Return the section for keys and whom they stand for; without any, those of orleans and rennes.

    `limits` are those of orleans, its key and its application.
    """
    given = by_key or {KEY: a_principal(), RENNES_KEY: a_principal("rennes", priority=5)}
    by_digest = {digest(PEPPER.encode(), key): principal for key, principal in given.items()}
    owners = {
        LimitScope.KEY: an_id("key of orleans"),
        LimitScope.APPLICATION: an_id("application of orleans"),
        LimitScope.INSTITUTION: an_id("orleans"),
    }
    by_owner: dict[str, tuple[Limit, ...]] = {}
    for limit in limits:
        owner = owners[limit.scope]
        by_owner[owner] = (*by_owner.get(owner, ()), limit)
    return PrincipalsSection(version=1, by_digest=by_digest, limits=by_owner)


def a_server(name: str, url: str, token: str | None = None, **changes: Any) -> Server:
    """Return a live server of the institution before the dash in its name, granted at its address."""
    institution, port = name.split("-")[0], int(url.split("/")[2].rsplit(":")[-1])
    keys = load_keys(ENCRYPTION_KEY)
    server = Server(
        id=an_id(name),
        name=name,
        institution_id=an_id(institution),
        institution=institution.title(),
        site=f"{institution.title()} centre",
        engine="vllm",
        base_url=url,
        state=Registered.LIVE,
        credential=seal(an_id(name), Secret(token), keys) if token else None,
        grants=((HOST, port),),
    )
    return msgspec.structs.replace(server, **changes)


def a_model(*servers: str, name: str = MODEL, served_name: str = "", **changes: Any) -> Model:
    """Return a model that each of `servers` serves, in turn; `machine` is each one's."""
    machine = changes.pop("machine", Machine())
    model = Model(
        id=an_id(name),
        name=name,
        stage=LifecycleStage.PRODUCTION,
        created=1_764_000_000,
        owned_by="ilaas",
        strategy=Strategy.ROUND_ROBIN,
        max_model_len=32_768,
        capabilities=("chat", "tools"),
        deployments=tuple(
            Deployment(
                id=an_id(f"{name} at {server}"),
                server_id=an_id(server),
                served_name=served_name or name,
                machine=machine,
            )
            for server in servers
        ),
    )
    return msgspec.structs.replace(model, **changes)


def names(*models: Model, **aliases: str) -> NamesSection:
    """Return the section for models, under their names and `aliases` (alias → name)."""
    by_alias = {model.name.lower(): model.id for model in models}
    by_alias |= {alias: an_id(name) for alias, name in aliases.items()}
    return NamesSection(
        version=1, names=Names(models={model.id: model for model in models}, aliases=by_alias)
    )


def servers(*each: Server) -> ServersSection:
    return ServersSection(version=1, servers={server.id: server for server in each})


class Router:
    """A running router and how tests look at it."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        self.gateway = gateway
        self.port = port
        self.url = f"http://{HOST}:{port}"

    def client(self, key: str = KEY, **arguments: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {key}"} if key else {},
            trust_env=False,
            timeout=WAIT_SECONDS,
            **arguments,
        )

    async def post(
        self, path: str = "/v1/chat/completions", key: str = KEY, **arguments: Any
    ) -> httpx.Response:
        async with self.client(key) as client:
            return await client.post(path, **arguments)

    async def get(self, path: str, key: str = KEY, **arguments: Any) -> httpx.Response:
        async with self.client(key) as client:
            return await client.get(path, **arguments)

    @asynccontextmanager
    async def bare(self, data: bytes) -> AsyncGenerator["BareClient"]:
        """Open a connection and send bytes; it is closed at the end."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(data)
        try:
            yield BareClient(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def records(self) -> list[Record]:
        """Return what the spool holds."""
        folder = self.gateway.settings.var / "spool"
        return [
            record
            for path in sorted(folder.glob("*.spool"))
            for _, record in read_frames(path.read_bytes())
        ]

    def opened(self) -> list[Opened]:
        return [record for record in self.records() if isinstance(record, Opened)]

    def ticked(self) -> list[Ticked]:
        return [record for record in self.records() if isinstance(record, Ticked)]

    def closed(self) -> list[Closed]:
        return [record for record in self.records() if isinstance(record, Closed)]

    async def only_closed(self) -> Closed:
        """Return the one request's closing line, as soon as it is there."""
        await until(self.closed)
        (closed,) = self.closed()
        return closed

    async def idle(self) -> None:
        """Wait until nothing runs any more, and nothing is held."""
        await until(lambda: not self.gateway.exchanges and not self.gateway.bodies.taken)
        load = self.gateway.dispatcher.load()
        assert {each.in_flight for each in load.servers.values()} <= {0}


class BareClient:
    """A client's bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(mark), WAIT_SECONDS)

    async def rest(self) -> bytes:
        """Return everything up to the end of the connection, or its reset."""
        try:
            return await asyncio.wait_for(self.reader.read(-1), WAIT_SECONDS)
        except ConnectionError:
            return b""

    def hang_up(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def running_router(
    var: Path,
    *sections: Section,
    limits: Limits | None = None,
    probes: bool = False,
    measure_seconds: float = NEVER,
    **settings: Any,
) -> AsyncGenerator[Router]:
    """Run a router over `sections` on a free port; nothing is left of it but its data folder.

    Without `probes` and `measure_seconds` it learns of its servers only from requests, so that tests know what
    it knows.
    """
    prober = keep_probing if probes else _no_probing
    with (
        tempfile.TemporaryDirectory(prefix="ilaas-router-") as run_dir,
        mock.patch.object(process, "keep_probing", prober),
        mock.patch.object(rounds, "SECONDS", ROUND_SECONDS),
    ):
        gateway = Gateway(
            Settings(
                host=HOST,
                port=1,
                var=var,
                run_dir=Path(run_dir),
                pepper=Secret(PEPPER),
                encryption_keys=load_keys(ENCRYPTION_KEY),
                limits=msgspec.structs.replace(limits or Limits(), measure_seconds=measure_seconds),
                **settings,
            )
        )
        for section in sections:
            gateway.apply(section)
        async with beside(gateway), _listening(gateway) as port:
            yield Router(gateway, port)


async def _no_probing(*_: object) -> None:
    return


BEING_ACCEPTED = 4
"""Rounds of the loop after which a connection that it had accepted is known to its protocol, and aborted."""


@asynccontextmanager
async def _listening(gateway: Gateway) -> AsyncGenerator[int]:
    config: uvicorn.Config = server_of(gateway).config
    config.load()
    state = ServerState()

    make = partial(config.http_protocol_class, config=config, server_state=state, app_state={})  # type: ignore[call-arg]  # as uvicorn does

    server = await asyncio.get_running_loop().create_server(make, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(BEING_ACCEPTED):
            for connection in tuple(gateway.connections):
                connection.abort()
            await asyncio.sleep(0)


async def until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Return as soon as the condition holds; fail if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def chat(**changes: Any) -> dict[str, Any]:
    """Return a small chat request."""
    messages = [{"role": "user", "content": "Bonjour, qui es-tu ?"}]
    return {"model": MODEL, "messages": messages, "max_tokens": 5} | changes


def events(text: str) -> list[str]:
    """Return the data of each event in a stream's text."""
    blocks: Iterable[str] = text.replace("\r\n", "\n").split("\n\n")
    return [
        line[5:].strip() for block in blocks for line in block.splitlines() if line[:5] == "data:"
    ]
