"""Who asks when: users who ask anew after each answer, or arrivals at a multiple of what the servers can do.

The same in both arms: every user, and every stream of arrivals, draws from a generator of its own.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.ramp.asking import Answer, Client, Status
from bench.ramp.stage import GUESTS, OWNER, Arm, Who, capacity, lengths

UP, DOWN = 0.2, 0.8
"""Shares of the time at which the last user has come, and the first leaves: one minute and four of five."""
CALM_SHARE = 0.25
"""Share of an overload's time that is not measured: the queues are still short."""
PAUSE_SECONDS = (2.0, 6.0)
"""How long a user pauses whose request brought nothing."""
_TEN = (5, 1, 5, 1, 5, 1, 5, 1)
"""Of ten users, the classes of the guests; one owner of each class comes with them."""


@dataclass(frozen=True, kw_only=True)
class Load(ABC):
    """`seconds` is the time in which something is asked; requests of `window` are measured."""

    seconds: float
    seed: int

    @property
    @abstractmethod
    def summary(self) -> str: ...

    @property
    @abstractmethod
    def window(self) -> tuple[float, float]: ...

    @abstractmethod
    def clients(
        self, arm: Arm, client: Client, into: list[Answer]
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield all that asks something of an arm; answers go into the list."""


@dataclass(frozen=True, kw_only=True)
class Ramp(Load):
    """The predecessor's test: `users` come one after the other, stay, and leave."""

    users: int

    @property
    def summary(self) -> str:
        return (
            f"0 to {self.users} users in {UP * self.seconds:.0f} s, all of them for "
            f"{(DOWN - UP) * self.seconds:.0f} s, then down again; each asks anew as soon as it is answered. "
            f"Of ten users eight are guests and two owners of a server, half in class P5 and half in P1. "
            f"Measured while all are there."
        )

    @property
    def window(self) -> tuple[float, float]:
        return UP * self.seconds, DOWN * self.seconds

    def clients(
        self, arm: Arm, client: Client, into: list[Answer]
    ) -> Iterator[Coroutine[Any, Any, None]]:
        for number in range(self.users):
            yield self._user(number, arm, client, into)

    async def _user(self, number: int, arm: Arm, client: Client, into: list[Answer]) -> None:
        chance, who = random.Random(f"{self.seed}.{number}"), _user_number(number)
        share = number / self.users
        stops_at = self.seconds * (DOWN + (1 - DOWN) * share)
        await asyncio.sleep(self.seconds * UP * share)
        while client.now() < stops_at:
            answer = await client.ask(arm, who, *lengths(chance))
            into.append(answer)
            if answer.status is not Status.OK:
                await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))


def _user_number(number: int) -> Who:
    place = number % 10
    if place >= len(_TEN):
        return Who(OWNER, 5 if place == len(_TEN) else 1)
    return Who(GUESTS[number % len(GUESTS)], _TEN[place])


@dataclass(frozen=True, kw_only=True)
class Overload(Load):
    """Requests arrive whatever becomes of them, `factor` times as many as the servers can do."""

    factor: float

    SHARES = (
        (5, GUESTS, 0.2),
        (1, GUESTS, 0.7),
        (1, (OWNER,), 0.1),
    )
    """Class, institutions, and their share of all requests."""

    @property
    def summary(self) -> str:
        return (
            f"Arrivals for {self.seconds:.0f} s at {self.factor:g} times the {capacity():.1f} requests per second "
            f"that the servers can do: a fifth from guests in class P5, a tenth from an owner of a server in P1, "
            f"the rest from guests in P1. Measured from {self.window[0]:.0f} s on."
        )

    @property
    def window(self) -> tuple[float, float]:
        return CALM_SHARE * self.seconds, self.seconds

    def clients(
        self, arm: Arm, client: Client, into: list[Answer]
    ) -> Iterator[Coroutine[Any, Any, None]]:
        for number, (priority, institutions, share) in enumerate(self.SHARES):
            who = [Who(each, priority) for each in institutions]
            rate = share * self.factor * capacity()
            yield self._arrivals(
                random.Random(f"{self.seed}.{number}"), rate, who, arm, client, into
            )

    async def _arrivals(
        self,
        chance: random.Random,
        rate: float,
        who: Sequence[Who],
        arm: Arm,
        client: Client,
        into: list[Answer],
    ) -> None:
        at = 0.0
        async with asyncio.TaskGroup() as requests:
            while (at := at + chance.expovariate(rate)) < self.seconds:
                asker, tokens = chance.choice(who), lengths(chance)
                await asyncio.sleep(max(0.0, at - client.now()))
                requests.create_task(_ask(client, arm, asker, tokens, into))


async def _ask(
    client: Client, arm: Arm, who: Who, tokens: tuple[int, int], into: list[Answer]
) -> None:
    into.append(await client.ask(arm, who, *tokens))
