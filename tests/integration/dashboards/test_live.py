"""Live pages: who may listen, what is told, and that a stream ends with its listener.

The streams run inside synchronous tests, so that they read the test's own database.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.testing import HttpCommunicator
from django.contrib.auth.models import AnonymousUser

from config.asgi import application
from dashboards import live
from dashboards.live import STREAMS_PER_USER, LiveConsumer, Shown, event_of
from federation.fleet.models import Deployment
from federation.people.models import User
from routing.core.enums import LifecycleStage
from routing.dispatch.frames import Load
from routing.dispatch.messages import LoadView, ModelLoad
from tests.support.factories import Cast, make_model, make_server, make_site
from tests.support.load_feed import LoadFeed, server_load
from tests.support.pages import signed_in_as


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second be short, and keep channels from closing the connection that holds the test's transaction."""
    monkeypatch.setattr(live, "INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


@asynccontextmanager
async def listening(
    user: User | AnonymousUser, method: str = "GET", session: Any = None
) -> AsyncIterator[Any]:
    """Open `/live/` as `user`, and leave at the end; the consumer must end by itself then."""
    stream = HttpCommunicator(LiveConsumer.as_asgi(), method, "/live/")
    stream.scope["user"], stream.scope["session"] = user, session or {}
    await stream.send_input({"type": "http.request", "body": b""})
    yield stream
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(timeout=5)


def session_of(user: User) -> Any:
    return signed_in_as(user).session


async def next_event(stream: Any) -> Any:
    """Return the next event that tells something, over comments and the hint when to come back."""
    while True:
        message = await stream.receive_output(timeout=5)
        if message.get("body", b"").startswith(b"data: "):
            return read(message["body"])


def read(event: bytes) -> Any:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    return json.loads(event[6:])


def told() -> Load:
    view = LoadView(
        servers={"s1": server_load(3, 8), "s2": server_load(1)},
        models={
            "m1": ModelLoad(in_flight=3, waiting=1, available_servers=1),
            "m2": ModelLoad(in_flight=0, waiting=0, available_servers=0),
        },
    )
    return Load(incarnation="secret", versions={}, view=view, open_requests=9, spool_bytes=7)


def test_an_event_tells_what_the_pages_show_and_nothing_else() -> None:
    event = read(event_of(told(), Shown(frozenset({"s1"}), frozenset({"m1"}))))

    assert event == {
        "router": True,
        "servers": {"s1": {"health": "healthy", "in_flight": 3, "limit": 8}},
        "models": {"m1": {"in_flight": 3, "waiting": 1, "available": 1, "minimum": None}},
    }


def test_a_router_that_is_away_is_told_as_such() -> None:
    event = read(event_of(None, Shown(frozenset({"s1"}), frozenset())))

    assert event == {"router": False, "servers": {}, "models": {}}


def test_a_listener_hears_of_every_change(
    cast: Cast, at_rennes: Deployment, feed: LoadFeed
) -> None:
    server, model = at_rennes.server_id, at_rennes.version.model_id

    async def scenario() -> None:
        feed.tell(servers={server: server_load(3, 8)})
        async with listening(cast.orleans_user) as stream:
            while not (event := await next_event(stream))["servers"]:
                assert not event["router"]  # not heard from yet
            assert event["servers"] == {
                str(server): {"health": "healthy", "in_flight": 3, "limit": 8}
            }
            feed.tell(
                servers={server: server_load(4, 8)},
                models={model: ModelLoad(in_flight=4, waiting=0, available_servers=1)},
            )
            event = await next_event(stream)
            assert event["servers"][str(server)]["in_flight"] == 4
            assert event["models"][str(model)]["in_flight"] == 4

    async_to_sync(scenario)()


def test_nobody_hears_of_what_the_pages_would_not_list(
    cast: Cast, at_rennes: Deployment, feed: LoadFeed
) -> None:
    hidden = make_server(make_site(cast.reims), slug="coulisses")
    proposed = make_model("secret-project-7b", stage=LifecycleStage.PROPOSED)
    feed.tell(
        servers={hidden.pk: server_load(1), at_rennes.server_id: server_load(2)},
        models={proposed.pk: ModelLoad(in_flight=1, waiting=0, available_servers=1)},
    )

    async def heard_by(user: User, session: Any) -> Any:
        async with listening(user, session=session) as stream:
            while not (event := await next_event(stream))["servers"]:
                pass
            return event

    for_orleans = async_to_sync(heard_by)(cast.orleans_user, session_of(cast.orleans_user))
    for_reims = async_to_sync(heard_by)(cast.reims_dsi, session_of(cast.reims_dsi))
    for_admin = async_to_sync(heard_by)(cast.admin, session_of(cast.admin))

    assert set(for_orleans["servers"]) == {str(at_rennes.server_id)}
    assert set(for_reims["servers"]) == {str(at_rennes.server_id), str(hidden.pk)}
    assert (for_orleans["models"], for_reims["models"]) == ({}, {})
    assert set(for_admin["models"]) == {str(proposed.pk)}


def test_that_the_router_dies_and_comes_back_is_told(
    cast: Cast, at_rennes: Deployment, feed: LoadFeed, run_dir: Any
) -> None:
    async def scenario() -> None:
        async with listening(cast.orleans_user) as stream:
            while not (await next_event(stream))["router"]:
                pass
            feed.stop()
            assert not (await next_event(stream))["router"]
            (run_dir / "router.sock").unlink()
            successor = LoadFeed(run_dir / "router.sock")
            try:
                assert (await next_event(stream))["router"]
            finally:
                successor.stop()

    async_to_sync(scenario)()


def test_a_quiet_stream_is_kept_alive(
    cast: Cast, feed: LoadFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_EVERY", 2)

    async def scenario() -> None:
        async with listening(cast.orleans_user) as stream:
            while not (await stream.receive_output(timeout=5)).get("body", b"").startswith(b": "):
                pass

    async_to_sync(scenario)()


def test_a_stream_ends_in_time_so_that_rights_are_looked_up_again(
    cast: Cast, feed: LoadFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.1)

    async def scenario() -> None:
        async with listening(cast.orleans_user) as stream:
            start = await stream.receive_output(timeout=5)
            assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
            while (await stream.receive_output(timeout=5))["more_body"]:
                pass

    async_to_sync(scenario)()


def test_one_person_opens_only_so_many_and_leaving_gives_a_place_back(
    cast: Cast, feed: LoadFeed
) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as pages:
            for _ in range(STREAMS_PER_USER):
                stream = await pages.enter_async_context(listening(cast.orleans_user))
                assert (await stream.receive_output(timeout=5))["status"] == 200
            async with listening(cast.orleans_user) as one_more:
                assert (await one_more.receive_output(timeout=5))["status"] == 429
            async with listening(cast.rennes_user) as somebody_else:
                assert (await somebody_else.receive_output(timeout=5))["status"] == 200
        async with listening(cast.orleans_user) as again:
            assert (await again.receive_output(timeout=5))["status"] == 200

    async_to_sync(scenario)()


def test_a_visitor_hears_nothing(cast: Cast, feed: LoadFeed) -> None:
    async def scenario() -> None:
        async with listening(AnonymousUser()) as stream:
            assert (await stream.receive_output(timeout=5))["status"] == 403

    async_to_sync(scenario)()


def test_a_role_that_demands_a_second_factor_hears_nothing_before(
    cast: Cast, feed: LoadFeed
) -> None:
    async def status(session: Any) -> Any:
        async with listening(cast.admin, session=session) as stream:
            return (await stream.receive_output(timeout=5))["status"]

    assert async_to_sync(status)({}) == 403
    assert async_to_sync(status)(session_of(cast.admin)) == 200


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE"])
def test_a_stream_is_only_read(cast: Cast, feed: LoadFeed, method: str) -> None:
    async def scenario() -> None:
        async with listening(cast.orleans_user, method) as stream:
            assert (await stream.receive_output(timeout=5))["status"] == 405

    async_to_sync(scenario)()


def test_the_portal_knows_a_listener_by_the_session(cast: Cast, feed: LoadFeed) -> None:
    cookie = signed_in_as(cast.orleans_user).cookies["sessionid"].value

    async def status(headers: list[tuple[bytes, bytes]]) -> int:
        stream = HttpCommunicator(application, "GET", "/live/", headers=headers)
        await stream.send_input({"type": "http.request", "body": b""})
        found: int = (await stream.receive_output(timeout=5))["status"]
        await stream.send_input({"type": "http.disconnect"})
        await stream.wait(timeout=5)
        return found

    assert async_to_sync(status)([(b"cookie", f"sessionid={cookie}".encode())]) == 200
    assert async_to_sync(status)([(b"cookie", b"sessionid=nonsense")]) == 403
    assert async_to_sync(status)([]) == 403
