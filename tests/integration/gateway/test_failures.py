"""Servers that fail, before and after the first byte: another one is asked, or the client is told once, clearly."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from routing.core.enums import RequestStatus, UsageSource
from routing.gateway.settings import Limits
from routing.simulator import Fault, Simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN, asked
from tests.support.router import (
    MODEL,
    Router,
    a_model,
    a_server,
    chat,
    events,
    names,
    principals,
    running_router,
    servers,
)
from tests.support.wire import answering, serving

BEFORE = (
    (Fault(kind="refuse"), "connect", 502),
    (Fault(kind="reset"), "lost", 502),
    (Fault(kind="close"), "lost", 502),
    (Fault(kind="garbage"), "bad_answer", 502),
    (Fault(kind="half_chunk"), "lost", 502),
    (Fault(kind="status", status=500), "server_error", 500),
    (Fault(kind="status", status=502), "server_error", 502),
    (Fault(kind="status", status=503), "full", 503),
    (Fault(kind="status", status=429), "full", 503),
    (Fault(kind="html"), "bad_answer", 502),
    (Fault(kind="html", status=500), "server_error", 500),
    (Fault(kind="redirect"), "bad_answer", 502),
    (Fault(kind="empty"), "bad_answer", 502),
    (Fault(kind="gzip"), "bad_answer", 502),
    (Fault(kind="wrong_model"), "bad_answer", 502),
    (Fault(kind="wrong_model", model="Org/Another-3B"), "bad_answer", 502),
)
KINDS = [f"{n} {fault.kind}-{fault.status or ''}" for n, (fault, _, _) in enumerate(BEFORE)]


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    """As the usual one, in a federation that also knows the model that the simulator's faults name."""
    another = a_model("reims-2", name="another-model", served_name="org/another-3b")
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name=SERVED), another),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
    ) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("fault", "outcome", "status"), BEFORE, ids=KINDS)
async def test_a_failure_before_the_first_byte_goes_unnoticed(
    router: Router, upstream: Simulated, fault: Fault, outcome: str, status: int, stream: bool
) -> None:
    await upstream.set_fault("rennes-1", fault)

    answers = [await router.post(json=chat(stream=stream)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(MODEL in answer.text and "another-model" not in answer.text for answer in answers)
    closed = router.closed()
    assert [each.status for each in closed] == [RequestStatus.OK] * 2
    tried = [[attempt.outcome for attempt in each.attempts] for each in closed]
    assert [outcome, "ok"] in tried
    assert all(each[-1] == "ok" for each in tried)
    await router.idle()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [case for case in BEFORE if case[1] != "full"],
    ids=[kind for kind, case in zip(KINDS, BEFORE, strict=True) if case[1] != "full"],
)
async def test_when_all_fail_the_client_hears_it_in_its_own_terms(
    router: Router, upstream: Simulated, fault: Fault, outcome: str, status: int, stream: bool
) -> None:
    for name in NAMES:
        await upstream.set_fault(name, fault)

    answer = await router.post(json=chat(stream=stream))

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "server_failed"
    assert "127.0.0.1" not in answer.text
    assert "<" not in answer.text
    closed = await router.only_closed()
    assert closed.status is RequestStatus.SERVER_ERROR
    assert [attempt.outcome for attempt in closed.attempts] == [outcome] * 2
    await router.idle()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_server_that_hangs_is_given_up(
    tmp_path: Path, upstream: Simulated, stream: bool
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="hang"))
    async with running_router(
        tmp_path,
        principals(),
        names(a_model("rennes-1", served_name=SERVED)),
        servers(a_server("rennes-1", upstream.url("rennes-1"), TOKEN)),
        limits=Limits(server_head_seconds=0.2, server_idle_seconds=0.2),
    ) as router:
        answer = await router.post(json=chat(stream=stream))

        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "server_timeout"
        assert [each.outcome for each in (await router.only_closed()).attempts] == ["timeout"]


@pytest.mark.parametrize("kind", ["reset", "close", "garbage"])
async def test_a_whole_answer_can_be_had_elsewhere_up_to_its_last_byte(
    router: Router, upstream: Simulated, kind: Any
) -> None:
    for _ in range(2):
        await upstream.set_fault("rennes-1", Fault(kind=kind, after_bytes=400, times=1))
        answer = await router.post(json=chat())

        assert answer.status_code == 200
        assert answer.json()["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("kind", ["reset", "close", "garbage", "hang"])
async def test_a_stream_that_breaks_ends_with_an_error_and_is_never_had_elsewhere(
    tmp_path: Path, upstream: Simulated, kind: Any
) -> None:
    for name in NAMES:
        await upstream.set_fault(name, Fault(kind=kind, after_bytes=900))
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name=SERVED)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
        limits=Limits(server_idle_seconds=0.3),
    ) as router:
        answer = await router.post(json=chat(stream=True, max_tokens=50, min_tokens=50))

        assert answer.status_code == 200
        *parts, error, end = events(answer.text)
        assert parts
        assert all("choices" in msgspec.json.decode(part) for part in parts)
        assert msgspec.json.decode(error)["error"]["code"] == "answer_interrupted"
        assert end == "[DONE]"
        assert len(asked(upstream)) == 1
        closed = await router.only_closed()
        assert closed.status is RequestStatus.SERVER_ERROR
        assert closed.http_status == 200
        assert closed.usage_source is UsageSource.COUNTED
        assert 0 < closed.completion_tokens < 50
        await router.idle()


async def test_a_full_server_is_passed_over_and_not_blamed(
    router: Router, upstream: Simulated
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="status", status=503, times=1))

    for _ in range(3):
        assert (await router.post(json=chat())).status_code == 200

    load = router.gateway.dispatcher.load()
    assert {server.health for server in load.servers.values()} == {"healthy"}
    assert {server.failures for server in load.servers.values()} == {0}


async def test_a_fault_of_the_routers_own_is_told_accounted_and_holds_nothing(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("routing.gateway.journey.Renaming", broken)

    answer = await router.post(json=chat())

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    closed = await router.only_closed()
    assert (closed.status, closed.error_code) == (RequestStatus.SERVER_ERROR, "internal_error")
    await router.idle()
    monkeypatch.undo()
    assert (await router.post(json=chat())).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"error":{"message":"busy","code":503}}', 503, "too_many_people"),
        (b'{"error":"Internal"}', 500, "server_failed"),
        (b'{"error":{"message":"too long","code":400}}', 400, None),
        (b'{"error":null,"id":"x","choices":[]}', 200, None),
        (b"[1, 2]", 200, None),
        (b'{"error":{"message":"\xff"}}', 500, "server_failed"),
        (b'{"\xff":1}', 502, "server_failed"),
        (b"[1, 2", 502, "server_failed"),
    ],
)
async def test_an_error_inside_a_200_is_an_error(
    tmp_path: Path, body: bytes, status: int, code: str | None
) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    async with (
        serving(answering(answer % (len(body), body))) as server,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{server.port}")),
            limits=Limits(wait_seconds=0.2),
        ) as router,
    ):
        got = await router.post(json=chat())

    assert got.status_code == status
    if status == 200:
        assert got.content == body
    else:
        assert got.json()["error"]["code"] == code


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_under_an_endless_name_is_accounted_as_any_other(
    tmp_path: Path, stream: bool
) -> None:
    body = b'{"model":"%b","choices":[{"delta":{"content":"x"}}]}' % (b"x" * 100_000)
    kind, body = (
        (b"text/event-stream", b"data: " + body + b"\n\ndata: [DONE]\n\n")
        if stream
        else (b"application/json", body)
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    async with (
        serving(answering(head % (kind, len(body)) + body)) as server,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{server.port}")),
        ) as router,
    ):
        answer = await router.post(json=chat(stream=stream))

        assert answer.status_code == 200
        assert f'"model":"{MODEL}"' in answer.text
        closed = await router.only_closed()
        assert closed.status is RequestStatus.OK
        assert closed.model_served == "x" * 200
        await router.idle()
