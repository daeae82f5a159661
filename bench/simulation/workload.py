"""Who asks for what: people who chat, programs that send batches. The same for every policy, by the seed alone.

Prompts and answers are lognormal: chats have prompts of 900 tokens (median) that grow with each turn and answers of
230; batches read 2400 and write 400. Each user draws from a generator of its own.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.simulation.requests import DEADLINE_SECONDS, Kind, Request, Status
from bench.simulation.world import World

TURN_SECONDS = 8.0
"""Mean time until a reader asks again."""
NEW_TEXT = 0.35
"""A later turn adds so much of what a first turn would hold."""
MOST_CONTEXT = 14_000
CLOSED_TURNS, CLOSED_CONTEXT = 4, 12_000
"""A user of the closed loop begins a new conversation after so many turns or tokens."""
FAILED = frozenset({Status.ERROR, Status.REFUSED, Status.GAVE_UP, Status.HUNG_UP})

Weighted = tuple[Sequence[str], Sequence[float]]
"""Institutions, and the share of each."""
KNEE_CHATS, KNEE_BATCHES = 3.375, 2.53
"""Requests per second at which the mixed fleet is just full, together."""
TURNS = 3.6
"""Turns of a conversation, on average."""


def lengths(kind: Kind, chance: random.Random) -> tuple[float, float]:
    """Return the tokens of a prompt and of its answer."""
    if kind is Kind.CHAT:
        prompt = min(8000, chance.lognormvariate(math.log(700), 0.8)) + 200
        return prompt, min(2000, chance.lognormvariate(math.log(230), 0.8))
    prompt = min(12_000, chance.lognormvariate(math.log(2200), 0.6)) + 200
    return prompt, min(3000, chance.lognormvariate(math.log(400), 0.7))


@dataclass
class ClosedUser:
    """Asks anew as soon as an answer is complete (after `think` seconds on average), until `stops_at`."""

    world: World
    number: int
    institution: str
    priority: int
    stops_at: float
    think: float = 0.0
    is_owners: bool = False
    _turn: int = 0
    _context: float = 0.0
    _conversation: int = 0
    _chance: random.Random = field(init=False)

    def start(self) -> None:
        self._chance = random.Random(f"u{self.world.seed}.{self.number}")
        self._next(None)

    def _next(self, last: Request | None) -> None:
        timeline = self.world.timeline
        if timeline.now >= self.stops_at:
            return
        if last is not None and last.status in FAILED:
            timeline.after(self._chance.uniform(2, 6), self._ask)
        elif last is not None and self.think:
            timeline.after(self._chance.expovariate(1 / self.think), self._ask)
        else:
            self._ask()

    def _ask(self) -> None:
        if self.world.timeline.now >= self.stops_at:
            return
        text, output = lengths(Kind.CHAT, self._chance)
        self._turn += 1
        if self._turn > CLOSED_TURNS or self._context > CLOSED_CONTEXT:
            self._turn, self._context = 1, 0.0
            self._conversation += 1
        prompt = text if self._turn == 1 else self._context + NEW_TEXT * text
        self._context = prompt + output
        session = f"u{self.number}.{self._conversation}"
        self.world.ask(
            Kind.CHAT,
            self.institution,
            self.priority,
            session,
            prompt,
            output,
            self._next,
            is_owners=self.is_owners,
        )


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How clients behave that are not simply patient."""

    patience: float | None = None
    deadline: float = DEADLINE_SECONDS
    hang_up_share: float = 0.0
    """Share of the requests whose client leaves, after a time of up to `hang_up_within` seconds."""
    hang_up_within: float = 20.0


USUAL = Manners()


@dataclass(frozen=True, kw_only=True)
class Conversations:
    """Open loop: conversations of 1 to 9 turns begin whatever happens, at `load` times the rate of the knee.

    `classes` are the shares of classes 5, 4 and 3. `stream` tells apart several of one scenario.
    """

    world: World
    load: float
    classes: Sequence[float]
    institutions: Weighted
    since: float = 0.0
    until: float = 300.0
    stream: int = 0
    manners: Manners = USUAL

    def start(self) -> None:
        seed = self.world.seed + 1000 * self.stream
        rate = KNEE_CHATS * self.world.load * self.load / TURNS
        arrivals = random.Random(f"A{seed}")
        at, number = self.since + arrivals.expovariate(rate), 0
        while at < self.until:
            chance = random.Random(f"c{seed}.{number}")
            number += 1
            institution = chance.choices(*self.institutions)[0]
            priority = chance.choices([5, 4, 3], self.classes)[0]
            turns = 1 + min(8, int(chance.expovariate(1 / 3.0)))
            name = f"c{number}" if not self.stream else f"c{self.stream}.{number}"
            conversation = _Conversation(self, chance, name, institution, priority)
            self.world.timeline.at(at, conversation.ask, turns, 0.0)
            at += arrivals.expovariate(rate)


@dataclass(frozen=True)
class _Conversation:
    of: Conversations
    chance: random.Random
    session: str
    institution: str
    priority: int

    def ask(self, turns_left: int, context: float) -> None:
        world, manners = self.of.world, self.of.manners
        if world.timeline.now > self.of.until:
            return
        text, output = lengths(Kind.CHAT, self.chance)
        prompt = text if context == 0 else min(MOST_CONTEXT, context + NEW_TEXT * text)
        pause = self.chance.expovariate(1 / TURN_SECONDS)

        def reply(request: Request) -> None:
            if request.status is Status.DONE and turns_left > 1:
                world.timeline.after(pause, self.ask, turns_left - 1, prompt + output)

        request = world.ask(
            Kind.CHAT,
            self.institution,
            self.priority,
            self.session,
            prompt,
            output,
            reply,
            patience=manners.patience,
            deadline=manners.deadline,
        )
        _may_hang_up(world, request, manners)


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Open loop: programs ask for whole answers, at `load` times the rate of the knee; `classes` are 2 and 1."""

    world: World
    load: float
    classes: Sequence[float]
    institutions: Weighted
    since: float = 0.0
    until: float = 300.0
    stream: int = 0
    manners: Manners = USUAL

    def start(self) -> None:
        chance = random.Random(f"B{self.world.seed + 1000 * self.stream}")
        rate = KNEE_BATCHES * self.world.load * self.load
        at = self.since
        while at < self.until:
            prompt, output = lengths(Kind.BATCH, chance)
            institution = chance.choices(*self.institutions)[0]
            priority = chance.choices([2, 1], self.classes)[0]
            self.world.timeline.at(at, self._ask, institution, priority, prompt, output)
            at += chance.expovariate(rate)

    def _ask(self, institution: str, priority: int, prompt: float, output: float) -> None:
        request = self.world.ask(
            Kind.BATCH,
            institution,
            priority,
            None,
            prompt,
            output,
            patience=self.manners.patience,
            deadline=self.manners.deadline,
        )
        _may_hang_up(self.world, request, self.manners)


def _may_hang_up(world: World, request: Request, manners: Manners) -> None:
    """Have some clients leave; who does is decided by the request, not by what the policy makes of it."""
    if not manners.hang_up_share:
        return
    chance = random.Random(f"h{world.seed}.{request.institution}.{request.prompt}.{request.output}")
    if chance.random() < manners.hang_up_share:
        world.timeline.after(chance.uniform(0.1, manners.hang_up_within), world.hang_up, request)
