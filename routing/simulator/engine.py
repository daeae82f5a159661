"""A server's time: continuous batching, prefill, the KV limit, and the one task that makes it pass.

`Batch` decides and counts, without a clock; `Engine` sleeps through its steps and wakes the requests.
Not responsible for what is said (text) or how it is written (shapes).
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from collections.abc import Sequence as ManyOf

from routing.simulator.config import ServerConfig
from routing.simulator.metrics import Metrics
from routing.simulator.text import Script

# Prompt tokens that one step may take in: vLLM's default for chunked prefill.
PREFILL_BUDGET = 2048


class Full(Exception):
    """More requests wait than the server accepts."""


class Sequence:
    """One answer being generated. Counts in tokens; times on the monotonic clock."""

    __slots__ = (
        "arrived_at",
        "first_at",
        "job",
        "last_at",
        "produced",
        "prompt",
        "resident",
        "to_prefill",
        "wanted",
    )

    def __init__(self, job: "Job", prompt: int, wanted: int) -> None:
        self.job = job
        self.prompt = prompt
        self.wanted = wanted
        self.produced = 0
        self.to_prefill = prompt
        self.resident = 0
        self.arrived_at = self.first_at = self.last_at = 0.0

    @property
    def done(self) -> bool:
        return not self.to_prefill and self.produced >= self.wanted


class Job:
    """One request inside a server: what it will say and how far it is."""

    def __init__(
        self, ident: str, model: str, prompts: ManyOf[int], scripts: ManyOf[Script]
    ) -> None:
        """`prompts` are lengths; each is answered by `len(scripts) / len(prompts)` scripts in turn."""
        self.id = ident
        self.model = model
        self.created = int(time.time())
        self.prompt_tokens = sum(prompts)
        self.scripts = tuple(scripts)
        per_prompt = len(scripts) // len(prompts)
        self.sequences = tuple(
            Sequence(self, prompts[index // per_prompt], len(script.tokens))
            for index, script in enumerate(scripts)
        )
        self.progressed = asyncio.Event()
        self.finished = asyncio.Event()

    @property
    def completion_tokens(self) -> int:
        return sum(sequence.produced for sequence in self.sequences)


class Batch:
    """Who runs, who waits, and how long the next step takes."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.preemptions = 0
        self._step: list[Sequence] = []

    @property
    def kv_used(self) -> int:
        return sum(sequence.resident for sequence in self.running)

    @property
    def kv_usage(self) -> float:
        return self.kv_used / self._config.kv_tokens

    def _check_room(self, count: int) -> None:
        """Raise `Full` if `count` more sequences would make too many wait."""
        limit = self._config.max_queued
        free = self._config.max_num_seqs - len(self.running)
        if limit is not None and len(self.waiting) + count - free > limit:
            raise Full

    def add(self, sequences: ManyOf[Sequence]) -> None:
        """Let sequences wait for their turn. Raises `Full`."""
        self._check_room(len(sequences))
        self.waiting.extend(sequences)

    def remove(self, sequence: Sequence) -> bool:
        """Forget a sequence whose client has left; False if it was not here any more."""
        for place in (self.running, self.waiting):
            if sequence in place:
                place.remove(sequence)
                return True
        return False

    def begin(self) -> float | None:
        """Plan a step; its length in seconds, or None when there is nothing to do."""
        budget = PREFILL_BUDGET
        for sequence in self.running:
            budget -= self._prefill(sequence, budget)
        while budget > 0 and self._next_fits():
            sequence = self.waiting.popleft()
            sequence.resident = sequence.to_prefill
            self.running.append(sequence)
            budget -= self._prefill(sequence, budget)
        if not self.running:
            return None
        self._step = [sequence for sequence in self.running if not sequence.to_prefill]
        speaking = sum(1 for sequence in self._step if sequence.wanted)
        return (PREFILL_BUDGET - budget) / self._config.prefill_tokens_per_s + self._decode(
            speaking
        )

    def end(self) -> list[Sequence]:
        """Finish the step; the sequences that got a token or ended."""
        here = set(self.running)
        moved = [sequence for sequence in self._step if sequence in here]
        for sequence in moved:
            if sequence.produced < sequence.wanted:
                sequence.produced += 1
                sequence.resident += 1
            if sequence.done:
                self.running.remove(sequence)
        self._preempt()
        return moved

    def _prefill(self, sequence: Sequence, budget: int) -> int:
        taken = min(sequence.to_prefill, budget)
        sequence.to_prefill -= taken
        return taken

    def _decode(self, speaking: int) -> float:
        if not speaking:
            return 0.0
        return self._config.seconds_per_token * (1 + self._config.batch_slowdown * (speaking - 1))

    def _next_fits(self) -> bool:
        if not self.waiting or len(self.running) >= self._config.max_num_seqs:
            return False
        room = self._config.kv_tokens - self.kv_used
        return not self.running or self.waiting[0].to_prefill < room

    def _preempt(self) -> None:
        """Too little cache for the new tokens: the last admitted gives its place up and is computed again."""
        while len(self.running) > 1 and self.kv_used > self._config.kv_tokens:
            sequence = self.running.pop()
            sequence.to_prefill = sequence.prompt + sequence.produced
            sequence.resident = 0
            self.waiting.appendleft(sequence)
            self.preemptions += 1


class Engine:
    """Runs a batch in real time: one task per busy server, none when it is idle."""

    def __init__(self, config: ServerConfig, speed: float) -> None:
        self.batch = Batch(config)
        self.metrics = Metrics(config.model)
        self._speed = speed
        self._task: asyncio.Task[None] | None = None

    async def complete(self, job: Job) -> None:
        """Run a job to its end. Raises `Full`; a cancelled caller stops the generation."""
        self._submit(job)
        try:
            await job.finished.wait()
        finally:
            self._withdraw(job)

    async def follow(self, job: Job) -> AsyncGenerator[tuple[int, int, int]]:
        """Run a job: (index of the sequence, its first new token, one past its last new one), as they come."""
        self._submit(job)
        told = [0] * len(job.sequences)
        try:
            while not job.finished.is_set() or job.progressed.is_set():
                await job.progressed.wait()
                job.progressed.clear()
                for index, sequence in enumerate(job.sequences):
                    start, told[index] = told[index], sequence.produced
                    if start < sequence.produced:
                        yield index, start, told[index]
        finally:
            self._withdraw(job)

    async def stop(self) -> None:
        """Compute no further."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def _submit(self, job: Job) -> None:
        try:
            self.batch.add(job.sequences)
        except Full:
            self.metrics.rejections += 1
            raise
        now = time.monotonic()
        for sequence in job.sequences:
            sequence.arrived_at = now
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def _withdraw(self, job: Job) -> None:
        for sequence in job.sequences:
            if self.batch.remove(sequence):
                self.metrics.ended("abort")

    async def _run(self) -> None:
        due = time.monotonic()
        while (seconds := self.batch.begin()) is not None:
            if self._speed:
                # Steps follow a schedule, so that late wake-ups do not add up; a lost second is not made good.
                due = max(due + seconds / self._speed, time.monotonic())
                await asyncio.sleep(due - time.monotonic())
            else:
                await asyncio.sleep(0)
            self._tell(self.batch.end())
        self._task = None

    def _tell(self, moved: list[Sequence]) -> None:
        now = time.monotonic()
        for sequence in moved:
            self._measure(sequence, now)
            job = sequence.job
            job.progressed.set()
            if sequence.done and all(each.done for each in job.sequences):
                job.finished.set()

    def _measure(self, sequence: Sequence, now: float) -> None:
        if not sequence.first_at:
            sequence.first_at = now
            self.metrics.first(now - sequence.arrived_at, sequence.prompt)
        else:
            self.metrics.inter_token.observe(now - sequence.last_at)
        if sequence.wanted:
            self.metrics.generation_tokens += 1
        sequence.last_at = now
        if sequence.done:
            index = sequence.job.sequences.index(sequence)
            self.metrics.end_to_end.observe(now - sequence.arrived_at)
            self.metrics.ended(sequence.job.scripts[index].finish)
