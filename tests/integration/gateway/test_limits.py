"""Limits as clients meet them: what is refused, in which words, and what the headers say."""

import asyncio
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from routing.core.enums import LimitScope, Measure, RequestStatus
from routing.core.keys import digest
from routing.core.table import HOURS_OF_A_WEEK, GuestRules
from routing.gateway import counts, rounds
from routing.gateway.counts import keep_counts, load_counts
from routing.gateway.rounds import PARIS
from routing.gateway.settings import Limits
from routing.simulator import Simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN, asked
from tests.support.router import (
    KEY,
    PEPPER,
    RENNES_KEY,
    Router,
    a_limit,
    a_model,
    a_principal,
    a_server,
    an_id,
    chat,
    names,
    principals,
    running_router,
    servers,
    until,
)
from tests.support.wire import Peer, serving


async def test_who_is_over_a_limit_hears_which_whose_and_until_when(
    router: Router, upstream: Simulated
) -> None:
    limit = a_limit(Measure.REQUESTS_PER_MINUTE, 2, LimitScope.APPLICATION)
    router.gateway.apply(principals(limit))
    answers = [await router.post(json=chat()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    error = answers[2].json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert error["message"].startswith(
        "Limit of 2 requests per minute of application ‘Orléans’ reached; free again in "
    )
    assert 1 <= int(answers[2].headers["retry-after"]) <= 61
    assert len(asked(upstream)) == 2
    assert (await router.post(key=RENNES_KEY, json=chat())).status_code == 200
    assert [closed.status for closed in router.closed()].count(RequestStatus.REFUSED) == 1


async def test_every_answer_says_what_is_left(router: Router) -> None:
    router.gateway.apply(
        principals(a_limit(Measure.REQUESTS_PER_MINUTE, 9), a_limit(Measure.TOKENS_PER_DAY, 5000))
    )

    whole = await router.post(json=chat())
    streamed = await router.post(json=chat(stream=True))
    refused = await router.post(json=chat(model="gpt-oss-120b", max_tokens=-1))

    left = [int(each.headers["x-ratelimit-remaining-requests"]) for each in (whole, streamed)]
    assert left == [8, 7]
    assert whole.headers["x-ratelimit-limit-requests"] == "9"
    assert whole.headers["x-ratelimit-reset-requests"] in ("1m0s", "1m1s")
    assert whole.headers["x-ratelimit-limit-tokens"] == "5000"
    assert 4000 < int(whole.headers["x-ratelimit-remaining-tokens"]) < 5000
    assert whole.headers["x-ratelimit-reset-tokens"].startswith("24h")
    assert int(refused.headers["x-ratelimit-remaining-requests"]) == 6


async def test_tokens_are_settled_on_what_the_server_told(router: Router) -> None:
    router.gateway.apply(principals(a_limit(Measure.TOKENS_PER_DAY, 5000)))
    used = (await router.post(json=chat())).json()["usage"]["total_tokens"]

    quotas = router.gateway.dispatcher.quotas(an_id("key of orleans"))

    assert quotas[Measure.TOKENS_PER_DAY].remaining == 5000 - used


async def test_a_prompt_larger_than_its_limit_is_told_so_once_and_for_all(router: Router) -> None:
    router.gateway.apply(principals(a_limit(Measure.TOKENS_PER_MINUTE, 10)))

    answer = await router.post(json=chat())

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_over_limit"
    assert "limit of 10 tokens per minute of this key" in answer.json()["error"]["message"]
    assert "retry-after" not in answer.headers


async def test_a_key_without_limits_hears_of_none(router: Router) -> None:
    answer = await router.post(json=chat())

    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


class Held:
    """A server that answers when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = 0

    async def script(self, peer: Peer) -> None:
        while await peer.request() is not None:
            self.asked += 1
            await self.may_answer.wait()
            body = b'{"model":"gpt-oss-120b","choices":[]}'
            await peer.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )


async def test_requests_at_once_are_free_again_when_one_ends_or_its_client_leaves(
    tmp_path: Path,
) -> None:
    held = Held()
    limit = a_limit(Measure.AT_ONCE, 2, LimitScope.INSTITUTION)
    async with (
        serving(held.script) as wire,
        running_router(
            tmp_path,
            principals(limit),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{wire.port}", max_parallel=1)),
        ) as router,
    ):
        runs = asyncio.create_task(router.post(json=chat()))
        await until(lambda: held.asked)
        waits = asyncio.create_task(router.post(json=chat()))
        await until(lambda: router.gateway.waiting(an_id("gpt-oss-120b")))

        refused = await router.post(json=chat())
        assert refused.status_code == 429
        message = refused.json()["error"]["message"]
        assert message == (
            "Limit of 2 requests at once of institution ‘Orléans’ reached; "
            "free again as soon as one of them ends"
        )

        waits.cancel()
        await until(lambda: not router.gateway.waiting(an_id("gpt-oss-120b")))
        again = asyncio.create_task(router.post(json=chat()))
        await until(lambda: router.gateway.waiting(an_id("gpt-oss-120b")))
        held.may_answer.set()
        assert [(await each).status_code for each in (runs, again)] == [200, 200]
        await router.idle()
        left = router.gateway.dispatcher.quotas(an_id("orleans"))[Measure.AT_ONCE]
        assert left.remaining == 2


@pytest.mark.parametrize("says_200", [False, True])
async def test_a_key_that_will_not_wait_behind_so_many_is_refused_at_once(
    tmp_path: Path, says_200: bool
) -> None:
    held = Held()
    key = a_principal(threshold=1, answers_200_when_full=says_200)
    async with (
        serving(held.script) as wire,
        running_router(
            tmp_path,
            principals(**{KEY: key, RENNES_KEY: a_principal("rennes")}),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{wire.port}", max_parallel=1)),
        ) as router,
    ):
        tasks = [asyncio.create_task(router.post(key=RENNES_KEY, json=chat())) for _ in range(2)]
        await until(lambda: router.gateway.waiting(an_id("gpt-oss-120b")) == 1)
        tasks.append(asyncio.create_task(router.post(json=chat())))  # behind one, as it may
        await until(lambda: router.gateway.waiting(an_id("gpt-oss-120b")) == 2)

        refused = await router.post(json=chat())

        assert refused.status_code == (200 if says_200 else 503)
        assert refused.json()["error"]["code"] == "too_many_people"
        held.may_answer.set()
        assert {(await task).status_code for task in tasks} == {200}


async def test_a_router_that_starts_again_goes_on_counting(
    tmp_path: Path, upstream: Simulated
) -> None:
    table = (
        principals(a_limit(Measure.REQUESTS_PER_DAY, 2)),
        names(a_model(*NAMES, served_name=SERVED)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
    )
    async with running_router(tmp_path, *table) as router:
        assert (await router.post(json=chat())).status_code == 200

    async with running_router(tmp_path, *table) as router:
        answers = [await router.post(json=chat()) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert (tmp_path / "limits.msgpack").stat().st_mode & 0o777 == 0o600


async def test_a_router_that_is_killed_forgets_little(
    tmp_path: Path, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.gateway.apply(principals(a_limit(Measure.REQUESTS_PER_DAY, 9)))
    await router.post(json=chat())
    monkeypatch.setattr(counts, "SAVE_SECONDS", 0.01)

    saving = asyncio.create_task(keep_counts(router.gateway.dispatcher, tmp_path))
    await until((tmp_path / "limits.msgpack").exists)
    saving.cancel()

    kept = load_counts(tmp_path)[an_id("key of orleans")][Measure.REQUESTS_PER_DAY]
    assert [size for _age, size in kept] == [1]


async def test_guests_go_by_the_hour_in_paris(
    tmp_path: Path, upstream: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon, evening = (datetime(2026, 11, 24, hour, 30, tzinfo=PARIS) for hour in (12, 19))
    clock = [noon]
    monkeypatch.setattr(rounds, "datetime", SimpleNamespace(now=lambda _zone: clock[0]))
    closed_at_noon = tuple(0 if hour == 24 + 12 else None for hour in range(HOURS_OF_A_WEEK))
    rules = GuestRules(ceilings=closed_at_noon)
    async with running_router(
        tmp_path,
        principals(),
        names(a_model("rennes-1", served_name=SERVED)),
        servers(a_server("rennes-1", upstream.url("rennes-1"), TOKEN, guests=rules)),
    ) as router:
        await until(lambda: router.gateway.hour == 24 + 12)
        assert (await router.post(json=chat())).json()["error"]["code"] == "guests_refused"
        assert (await router.post(key=RENNES_KEY, json=chat())).status_code == 200

        clock[0] = evening
        await until(lambda: router.gateway.hour == 24 + 19)
        assert (await router.post(json=chat())).status_code == 200


async def test_counts_that_cannot_be_read_begin_anew(tmp_path: Path, upstream: Simulated) -> None:
    (tmp_path / "limits.msgpack").write_bytes(b"no counts")
    async with running_router(
        tmp_path,
        principals(a_limit(Measure.REQUESTS_PER_DAY, 1)),
        names(a_model(*NAMES, served_name=SERVED)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
    ) as router:
        assert (await router.post(json=chat())).status_code == 200


async def test_wrong_keys_from_an_address_are_soon_not_looked_at(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name=SERVED)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
        limits=Limits(wrong_keys_per_minute=3),
    ) as router:
        assert (await router.post(json=chat())).status_code == 200
        wrong = [await router.get("/v1/models", key=f"guess-{number}") for number in range(5)]

        assert [answer.status_code for answer in wrong] == [401, 401, 401, 429, 429]
        assert wrong[3].json()["error"]["code"] == "too_many_wrong_keys"
        assert 1 <= int(wrong[3].headers["retry-after"]) <= 66
        known = await router.get("/v1/models", key=KEY)
        new = await router.get("/v1/models", key=RENNES_KEY)
        assert known.status_code == 200, "who was right here lately still is"
        assert new.status_code == 429, "a good key looks like any guess"


async def test_a_key_of_a_suspended_institution_is_told_why_and_is_no_guess(
    tmp_path: Path, upstream: Simulated
) -> None:
    known = principals()
    suspended = frozenset({digest(PEPPER.encode(), "of-a-suspended-one")})
    async with running_router(
        tmp_path,
        msgspec.structs.replace(known, suspended=suspended),
        names(a_model(*NAMES, served_name=SERVED)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
        limits=Limits(wrong_keys_per_minute=3),
    ) as router:
        answers = [await router.get("/v1/models", key="of-a-suspended-one") for _ in range(5)]

        assert [answer.status_code for answer in answers] == [401] * 5
        error = answers[-1].json()["error"]
        assert error["code"] == "invalid_api_key"
        assert "suspended" in error["message"]
        assert "suspended" not in (await router.get("/v1/models", key="a-guess")).text


async def test_heads_that_do_not_come_are_refused_beyond_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routing.gateway.connection.SLOW_HEAD_SECONDS", 0.0)
    head = b"GET / HTTP/1.1\r\n"
    async with (
        running_router(tmp_path, limits=Limits(slow_heads_per_address=2)) as router,
        router.bare(head) as first,
        router.bare(head) as second,
        router.bare(head) as third,
    ):
        ends = [asyncio.create_task(each.rest()) for each in (first, second, third)]
        done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

        (refused,) = (each.result() for each in done)
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b"too_many_slow_heads" in refused
        await until(lambda: len(router.gateway.connections) == 2)
        for each in waiting:
            each.cancel()
