"""An engine runs jobs to their end, tells each token once, and stops for who leaves."""

import asyncio

import pytest

from routing.simulator.config import ServerConfig
from routing.simulator.engine import Engine, Full, Job
from routing.simulator.text import Script


def engine(**more: object) -> Engine:
    usual: dict[str, object] = {"name": "rennes", "engine": "vllm", "model": "m"}
    return Engine(ServerConfig(**{**usual, **more}), speed=0)  # type: ignore[arg-type]


def job(*lengths: int, prompt: int = 3) -> Job:
    scripts = [Script(("mot",) * length, "stop") for length in lengths]
    return Job("id", "m", (prompt,), scripts)


async def follow(running: Engine, followed: Job) -> list[tuple[int, int, int]]:
    return [step async for step in running.follow(followed)]


async def test_each_token_of_each_sequence_is_told_once_and_in_order() -> None:
    running, followed = engine(), job(5, 3)

    steps = await follow(running, followed)

    for index, length in ((0, 5), (1, 3)):
        told = [place for i, start, end in steps for place in range(start, end) if i == index]
        assert told == list(range(length))


async def test_a_completed_job_has_all_its_tokens_and_leaves_nothing_behind() -> None:
    running, done = engine(), job(4, 2)

    await running.complete(done)

    assert done.completion_tokens == 6
    assert not running.batch.running
    assert running.metrics.generation_tokens == 6
    assert running.metrics.successes["stop"] == 2


async def test_jobs_run_side_by_side() -> None:
    running = engine(max_num_seqs=4)
    order: list[str] = []

    async def run(name: str, length: int) -> None:
        await running.complete(job(length))
        order.append(name)

    await asyncio.gather(run("long", 50), run("short", 2))

    assert order == ["short", "long"]


async def test_who_stops_listening_frees_its_place_in_the_batch() -> None:
    running = engine(max_num_seqs=1)
    leaving = running.follow(job(1000))
    await anext(leaving)

    await leaving.aclose()

    assert not running.batch.running
    assert running.metrics.successes["abort"] == 1


async def test_a_cancelled_request_frees_its_place_whether_it_runs_or_waits() -> None:
    running = engine(max_num_seqs=1)
    tasks = [asyncio.create_task(running.complete(job(10**6))) for _ in range(2)]
    while not (running.batch.running and running.batch.waiting):
        await asyncio.sleep(0)

    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert not running.batch.running
    assert not running.batch.waiting


async def test_a_refused_job_is_counted_and_leaves_the_others_alone() -> None:
    running = engine(max_num_seqs=1, max_queued=0)
    held = running.follow(job(1000))
    await anext(held)

    with pytest.raises(Full):
        await running.complete(job(1))

    assert running.metrics.rejections == 1
    assert len(running.batch.running) == 1
    await held.aclose()


async def test_an_idle_engine_runs_no_task() -> None:
    running = engine()
    before = asyncio.all_tasks()

    await running.complete(job(3))
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


async def test_an_engine_works_again_after_it_was_idle() -> None:
    running = engine()
    await running.complete(job(3))

    assert await follow(running, job(1)) == [(0, 0, 1)]
