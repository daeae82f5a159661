"""Continuous batching: who runs, who waits, how long a step takes. Without a clock."""

import pytest

from routing.simulator.config import ServerConfig
from routing.simulator.engine import PREFILL_BUDGET, Batch, Full, Job, Sequence
from routing.simulator.text import Script


def server(**more: object) -> ServerConfig:
    usual: dict[str, object] = {"name": "rennes", "engine": "vllm", "model": "m"}
    return ServerConfig(**{**usual, **more})  # type: ignore[arg-type]


def sequence(prompt: int = 1, wanted: int = 10) -> Sequence:
    script = Script(("mot",) * wanted, "stop")
    return Job("id", "m", (prompt,), (script,)).sequences[0]


def step(batch: Batch) -> float:
    """Run a whole step; its length in seconds."""
    seconds = batch.begin()
    assert seconds is not None
    batch.end()
    return seconds


def steps_to_empty(batch: Batch) -> int:
    steps = 0
    while batch.begin() is not None:
        batch.end()
        steps += 1
    return steps


def test_a_step_takes_longer_for_each_further_sequence() -> None:
    batch = Batch(server(seconds_per_token=0.02, batch_slowdown=0.5, max_num_seqs=4))
    batch.add([sequence(prompt=0)])
    alone = step(batch)
    batch.add([sequence(prompt=0), sequence(prompt=0)])

    together = step(batch)

    assert alone == pytest.approx(0.02)
    assert together == pytest.approx(0.02 * (1 + 0.5 * 2))


def test_a_prompt_costs_its_length() -> None:
    batch = Batch(server(prefill_tokens_per_s=1000, seconds_per_token=0.02))
    batch.add([sequence(prompt=500)])

    assert step(batch) == pytest.approx(0.5 + 0.02)


def test_a_long_prompt_is_taken_in_over_several_steps_while_others_speak() -> None:
    batch = Batch(server(prefill_tokens_per_s=1000, seconds_per_token=0.02, max_num_seqs=4))
    speaking = sequence(prompt=0)
    batch.add([speaking])
    step(batch)
    long = sequence(prompt=PREFILL_BUDGET + 100)
    batch.add([long])

    first, second = step(batch), step(batch)

    assert first == pytest.approx(PREFILL_BUDGET / 1000 + 0.02)
    assert second == pytest.approx(100 / 1000 + 0.02 * 1.03)
    assert (speaking.produced, long.produced) == (3, 1)


def test_no_more_run_than_the_server_takes_and_the_rest_follows_in_order() -> None:
    batch = Batch(server(max_num_seqs=2))
    first, second, third = sequence(wanted=1), sequence(wanted=3), sequence(wanted=1)
    batch.add([first, second, third])

    batch.begin()
    running = list(batch.running)
    batch.end()
    batch.begin()

    assert running == [first, second]
    assert batch.running == [second, third]


def test_a_free_place_is_taken_at_the_next_step() -> None:
    batch = Batch(server(max_num_seqs=1))
    batch.add([sequence(wanted=3), sequence(wanted=2)])

    assert steps_to_empty(batch) == 3 + 2


def test_who_comes_when_too_many_wait_is_refused() -> None:
    batch = Batch(server(max_num_seqs=1, max_queued=1))
    batch.add([sequence()])
    batch.begin()
    batch.add([sequence()])

    with pytest.raises(Full):
        batch.add([sequence()])

    assert len(batch.waiting) == 1


def test_without_a_limit_everybody_waits() -> None:
    batch = Batch(server(max_num_seqs=1))

    batch.add([sequence() for _ in range(500)])

    assert len(batch.waiting) == 500


def test_a_prompt_waits_until_the_cache_has_room_for_it() -> None:
    batch = Batch(server(max_model_len=100, kv_tokens=100, max_num_seqs=8))
    big, next_big = sequence(prompt=60, wanted=2), sequence(prompt=60, wanted=2)
    batch.add([big, next_big])

    step(batch)
    while_big_runs = list(batch.running)
    step(batch)
    batch.begin()

    assert while_big_runs == [big]
    assert batch.running == [next_big]


def test_when_the_cache_is_full_the_last_admitted_is_computed_again_and_still_finishes() -> None:
    batch = Batch(server(max_model_len=100, kv_tokens=100, max_num_seqs=8))
    first, second = sequence(prompt=45, wanted=40), sequence(prompt=45, wanted=40)
    batch.add([first, second])

    highest = 0
    while batch.begin() is not None:
        batch.end()
        highest = max(highest, batch.kv_used)

    assert batch.preemptions == 1
    assert highest <= 100
    assert (first.produced, second.produced) == (40, 40)


def test_the_gauge_is_the_share_of_the_cache_that_is_taken() -> None:
    batch = Batch(server(max_model_len=100, kv_tokens=200))
    batch.add([sequence(prompt=50)])

    batch.begin()

    assert batch.kv_usage == pytest.approx(0.25)


def test_who_leaves_makes_room_at_once_and_gets_nothing_more() -> None:
    batch = Batch(server(max_num_seqs=1))
    leaving, waiting = sequence(), sequence()
    batch.add([leaving, waiting])
    batch.begin()

    removed = batch.remove(leaving)
    moved = batch.end()
    batch.begin()

    assert removed
    assert moved == []
    assert batch.running == [waiting]
    assert not batch.remove(leaving)


def test_an_embedding_ends_when_its_text_is_read() -> None:
    batch = Batch(server(prefill_tokens_per_s=1000))
    reading = sequence(prompt=500, wanted=0)
    batch.add([reading])

    assert batch.begin() == pytest.approx(0.5)
    assert batch.end() == [reading]
    assert batch.begin() is None
