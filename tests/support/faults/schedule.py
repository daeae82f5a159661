"""A fault schedule from a seed: the servers, what strikes them, and what clients ask. Pure; times in seconds."""

import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from routing.core.enums import Strategy
from routing.simulator import Fault
from routing.simulator.faults import Kind

SECONDS = 20.0
"""In which faults begin; clients ask until a little later."""
NAMES = ("rennes-1", "reims-1", "rennes-2", "reims-2")
MODELS = ("model-of-all", "model-of-some")
ANSWER_BYTES = 4000
"""A fault after so many bytes strikes near any byte of an answer, or leaves a short one alone."""
METRICS = "/metrics"
KINDS: tuple[Kind | Literal["metrics"], ...] = (
    *(
        "refuse",
        "restart",
        "restart",
        "hang",
        "hang",
        "reset",
        "reset",
        "close",
        "garbage",
        "half_chunk",
    ),
    *("status", "status", "slow", "html", "redirect", "empty", "gzip", "metrics"),
)
"""What may go wrong, the likelier ones twice; `metrics` stands for a server whose own metrics do."""
BROKEN_METRICS: tuple[Kind, ...] = ("garbage", "hang", "status", "html", "empty", "reset")
PROMPT_WORDS = (1, 20, 400)


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`max_parallel` is what its owner allows, the others are the simulator's settings."""

    name: str
    max_parallel: int | None
    max_num_seqs: int
    max_queued: int | None
    seconds_per_token: float


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """`fault` is in force at `server` from `at` until `until`, None for good health at once."""

    server: str
    at: float
    until: float
    fault: Fault

    @property
    def spares_answers(self) -> bool:
        """Whether no answer is touched: only the server's own metrics are, or nothing but its speed."""
        return self.fault.path == METRICS or self.fault.kind == "slow"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request for exactly `tokens`; it leaves after `patience` if that is not None."""

    at: float
    model: str
    institution: str
    stream: bool
    tokens: int
    words: int
    patience: float | None


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    strategy: Strategy
    servers: tuple[Server, ...]
    models: dict[str, tuple[str, ...]]
    """Which servers serve a model."""
    strikes: tuple[Strike, ...]
    """Those of one server do not overlap."""
    asks: tuple[Ask, ...]


def schedule(seed: int) -> Schedule:
    """Return the schedule of a seed, the same each time."""
    chance = random.Random(seed)
    strategy = chance.choice(tuple(Strategy))
    servers = tuple(_server(chance, name, strategy) for name in NAMES[: chance.choice((3, 4))])
    names = [server.name for server in servers]
    models = {MODELS[0]: tuple(names)}
    if chance.random() < 0.6:
        models[MODELS[1]] = tuple(sorted(chance.sample(names, chance.choice((1, 2)))))
    return Schedule(
        seed=seed,
        strategy=strategy,
        servers=servers,
        models=models,
        strikes=tuple(sorted(_strikes(chance, names), key=lambda strike: strike.at)),
        asks=tuple(_asks(chance, tuple(models))),
    )


def _server(chance: random.Random, name: str, strategy: Strategy) -> Server:
    """Return a server; only `affinity` learns what one takes that does not say it."""
    learns = strategy is Strategy.AFFINITY
    return Server(
        name=name,
        max_parallel=chance.choice((None, None, 2, 6) if learns else (2, 6, 10)),
        max_num_seqs=chance.choice((2, 4, 8)),
        max_queued=chance.choice((None, 0, 4)),
        seconds_per_token=chance.choice((0.01, 0.02, 0.04)),
    )


def _strikes(chance: random.Random, names: list[str]) -> Iterator[Strike]:
    """Yield faults one after another for each server, but often none for one, and at times a hush over all."""
    spared = chance.choice(names) if chance.random() < 0.6 else ""
    blackout = chance.uniform(4, SECONDS - 6) if not spared and chance.random() < 0.5 else SECONDS
    darkness = chance.uniform(1, 4)
    for name in names:
        at = chance.uniform(0, SECONDS / 3)
        while name != spared and at < SECONDS:
            until = at + chance.choice((0.2, 1, 3, 6))
            if at < blackout + darkness and blackout < until:
                break
            yield Strike(server=name, at=at, until=until, fault=_fault(chance))
            at = until + chance.expovariate(1 / chance.choice((1, 4, 8))) + 0.1
        if blackout < SECONDS:
            down = Fault(kind="refuse")
            yield Strike(server=name, at=blackout, until=blackout + darkness, fault=down)


def _fault(chance: random.Random) -> Fault:
    kind = chance.choice(KINDS)
    byte = chance.randrange(ANSWER_BYTES) if chance.random() < 0.7 else 0
    match kind:
        case "hang" | "reset" | "close" | "garbage":
            return Fault(kind=kind, after_bytes=byte)
        case "status":
            return Fault(kind=kind, status=chance.choice((429, 503, 500, 502, 504)))
        case "slow":
            return Fault(kind=kind, seconds=chance.uniform(0.02, 1.0))
        case "metrics":
            return Fault(kind=chance.choice(BROKEN_METRICS), path=METRICS)
        case _:
            return Fault(kind=kind)


def _asks(chance: random.Random, models: tuple[str, ...]) -> Iterator[Ask]:
    at, rate = 0.0, chance.choice((2.0, 4.0, 7.0))
    while (at := at + chance.expovariate(rate)) < SECONDS + 2:
        yield Ask(
            at=at,
            model=chance.choice(models),
            institution=chance.choice(("orleans", "rennes", "tours")),
            stream=chance.random() < 0.6,
            tokens=chance.choice((1, 5, 20, 60)),
            words=chance.choice(PROMPT_WORDS),
            patience=chance.choice((0.0, 0.3, 2.0)) if chance.random() < 0.15 else None,
        )
