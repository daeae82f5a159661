"""The scenarios: what is asked of the federation, when something breaks, and in which time it is measured."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.simulation.fleet import NEWCOMER
from bench.simulation.workload import (
    USUAL,
    Batches,
    ClosedUser,
    Conversations,
    Manners,
    Weighted,
)
from bench.simulation.world import World

INSTITUTIONS = ["rennes", "reims", "paris1", "uca", "lille"]
EVEN: Weighted = (INSTITUTIONS, [1] * 5)
GREEDY: Weighted = (INSTITUTIONS, [1, 1, 1, 1, 6])
FLOODED: Weighted = (INSTITUTIONS, [1, 1, 1, 1, 10])
"""Lille sends six or ten times what each other sends."""
WITHOUT_PARIS: Weighted = ([each for each in INSTITUTIONS if each != "paris1"], [1, 1, 1, 3])
CHAT_MIX, BATCH_MIX = (1, 3, 6), (3, 7)
"""Shares of classes 5, 4, 3 among chats and of 2, 1 among batches."""
FAULT_AT = 100.0
BUSY_UNTIL, QUIET_UNTIL = 720.0, 960.0

Prepare = Callable[[World], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`prepare` plans what happens; the world runs `until`, requests of `[since, before)` are measured."""

    summary: str
    prepare: Prepare
    until: float = 420.0
    since: float = 60.0
    before: float = 300.0


def ramp(users: int) -> Prepare:
    """The predecessor's own test: users come within a minute, each stays for four, all classes mixed."""

    def prepare(world: World) -> None:
        for number in range(users):
            institution, priority = INSTITUTIONS[number % 5], 5 - (number // 5) % 5
            stops_at = 240.0 + 60.0 * number / users
            user = ClosedUser(world, number, institution, priority, stops_at)
            world.timeline.at(60.0 * number / users, user.start)

    return prepare


def mix(
    load: float,
    *,
    chats_of: Weighted = EVEN,
    batches_of: Weighted = GREEDY,
    manners: Manners = USUAL,
) -> Prepare:
    """Chats and batches in all classes, at `load` times the knee."""

    def prepare(world: World) -> None:
        Conversations(
            world=world, load=load, classes=CHAT_MIX, institutions=chats_of, manners=manners
        ).start()
        Batches(
            world=world, load=load, classes=BATCH_MIX, institutions=batches_of, manners=manners
        ).start()

    return prepare


def crash(world: World) -> None:
    """A server dies, and is back after 100 s."""
    mix(0.8, batches_of=EVEN)(world)
    server = world.servers[1]
    world.note_fault(server, FAULT_AT)
    world.timeline.at(FAULT_AT, server.crash)
    world.timeline.at(200.0, server.recover)


def hang(world: World) -> None:
    """A server accepts everything and writes nothing for 120 s, then restarts."""
    mix(0.8, batches_of=EVEN)(world)
    server = world.servers[1]
    world.note_fault(server, FAULT_AT)
    world.timeline.at(FAULT_AT, server.hang)
    world.timeline.at(220.0, server.crash)
    world.timeline.at(225.0, server.recover)


def owner(world: World) -> None:
    """Thirty users of an institution come to its own server while the others fill the federation."""
    mix(1.2, chats_of=WITHOUT_PARIS, batches_of=WITHOUT_PARIS)(world)
    _bring_owners(world, priority=3)


def owner_in_low_class(world: World) -> None:
    """The same, in a low class against a crowd of the two highest at 1.6 times what chats alone may be."""
    Conversations(world=world, load=3.2, classes=(1, 1, 0), institutions=WITHOUT_PARIS).start()
    Batches(world=world, load=0.3, classes=(0, 1), institutions=WITHOUT_PARIS).start()
    _bring_owners(world, priority=2)


def _bring_owners(world: World, priority: int) -> None:
    for number in range(30):
        user = ClosedUser(
            world, 9000 + number, "paris1", priority, 200.0, think=2.0, is_owners=True
        )
        world.timeline.at(120.0 + number / 6.0, user.start)


def flood(world: World) -> None:
    """A member floods the highest class; chats of class 3 and batches of class 1 must survive."""
    Conversations(world=world, load=2.9, classes=(1, 0, 0), institutions=FLOODED).start()
    Conversations(world=world, load=0.35, classes=(0, 0, 1), institutions=EVEN, stream=1).start()
    Batches(world=world, load=0.3, classes=(0, 1), institutions=EVEN, stream=1).start()


def shares(world: World) -> None:
    """The highest class alone asks for more than there is, and every other for more than its minimum."""
    Conversations(world=world, load=4.5, classes=(1, 0, 0), institutions=FLOODED).start()
    Conversations(world=world, load=1.6, classes=(0, 1, 1), institutions=EVEN, stream=1).start()
    Batches(world=world, load=0.5, classes=(1, 1), institutions=EVEN).start()


def deadlines(world: World) -> None:
    """Twelve minutes of far too much, then four of little; deadlines come before clients give up."""
    chats, batches = Manners(patience=60.0, deadline=45.0), Manners(patience=630.0)
    Conversations(
        world=world, load=4.5, classes=CHAT_MIX, institutions=EVEN, until=BUSY_UNTIL, manners=chats
    ).start()
    Conversations(
        world=world,
        load=0.5,
        classes=CHAT_MIX,
        institutions=EVEN,
        since=BUSY_UNTIL,
        until=QUIET_UNTIL,
        stream=1,
        manners=chats,
    ).start()
    Batches(
        world=world,
        load=0.4,
        classes=BATCH_MIX,
        institutions=EVEN,
        until=QUIET_UNTIL,
        manners=batches,
    ).start()


def join(world: World) -> None:
    """A second H100 joins a full federation; nothing is known of it."""
    mix(1.3)(world)
    world.timeline.at(FAULT_AT, world.add_server, NEWCOMER)


LEAVING = Manners(hang_up_share=0.3)

SCENARIOS = {
    "ramp50": Scenario(
        summary="The predecessor's test: 0 to 50 users in a minute, plateau, ramp down.",
        prepare=ramp(50),
        until=360.0,
        since=0.0,
    ),
    "ramp250": Scenario(
        summary="The same with 250 users.", prepare=ramp(250), until=360.0, since=0.0
    ),
    "mix0.8": Scenario(
        summary="Chats and batches at 0.8 times the knee.", prepare=mix(0.8), until=480.0
    ),
    "mix1.0": Scenario(summary="Chats and batches at the knee.", prepare=mix(1.0), until=480.0),
    "mix1.5": Scenario(
        summary="Chats and batches at 1.5 times the knee.", prepare=mix(1.5), until=480.0
    ),
    "mix2.0": Scenario(
        summary="Chats and batches at twice the knee.", prepare=mix(2.0), until=480.0
    ),
    "fail": Scenario(summary="A server crashes at 100 s.", prepare=crash, since=95.0, before=200.0),
    "hang": Scenario(
        summary="A server hangs silently at 100 s.", prepare=hang, since=95.0, before=225.0
    ),
    "owner": Scenario(summary="An owner's burst against a crowd.", prepare=owner),
    "ownerhard": Scenario(
        summary="An owner of class 2 against a crowd of classes 5 and 4.",
        prepare=owner_in_low_class,
    ),
    "flood": Scenario(summary="A member floods class 5.", prepare=flood),
    "shares": Scenario(
        summary="Class 5 is flooded while every lower class wants more than its minimum.",
        prepare=shares,
        since=110.0,
    ),
    "deadlines": Scenario(
        summary="Overload with deadlines: refusals say when to come back.",
        prepare=deadlines,
        until=1020.0,
        since=0.0,
        before=900.0,
    ),
    "hangups": Scenario(
        summary="1.5 times the knee; three clients in ten leave, queued or running.",
        prepare=mix(1.5, manners=LEAVING),
        until=480.0,
    ),
    "join": Scenario(
        summary="A new server joins at 100 s.", prepare=join, since=FAULT_AT, before=300.0
    ),
}
