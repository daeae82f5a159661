"""Who goes first when not everybody can: classes and their minimum, institutions, owners, and what is learnt."""

from collections import Counter
from typing import Any

import pytest

from routing.core.enums import Health, Limiting, RoutingMode, Strategy
from routing.core.fairness import HEAD_START, SHARES
from routing.core.health import BACKOFF_SECONDS
from routing.core.host import LATE_SECONDS, QUEUE_STANDS, SILENT_SECONDS
from routing.core.learning import READABLE
from routing.core.request import (
    Decision,
    Ended,
    FirstToken,
    Gauges,
    Grant,
    Progress,
    Recall,
    Refusal,
    RefusalCode,
)
from routing.core.retry import Failure
from routing.core.serving import LOOKED_AT
from tests.support.decisions import House, a_model, a_server, an_explanation, granted

ONE = a_server("rennes-1", max_parallel=1)


def learning(*servers: str) -> House:
    """Return a house that learns how much its servers take."""
    model = a_model(*servers, strategy=Strategy.AFFINITY, limiting=Limiting.LEARNT)
    return House(*(a_server(server) for server in servers), models=(model,))


def served(house: House, running: Grant, count: int, tokens: int = 100) -> list[str]:
    """End what runs and what follows, one by one; return the ids in the order in which they were let in."""
    order = []
    for _ in range(count):
        (decision,) = end(house, running, tokens)
        running = granted(decision)
        order.append(running.id)
    return order


def end(house: House, grant: Grant, tokens: int) -> list[Decision]:
    event = Ended(
        id=grant.id,
        attempt=grant.attempt,
        outcome="ok",
        prompt_tokens=100,
        completion_tokens=tokens,
    )
    return house.decider.report(event, house.clock())


# Classes


def test_the_highest_class_goes_first_and_within_one_who_came_first() -> None:
    house = House(ONE)
    running = house.grant("running")
    for number, priority in enumerate((1, 5, 3, 5)):
        assert house.offer(f"p{priority} {number}", priority=priority) is None

    assert served(house, running, 4) == ["p5 1", "p5 3", "p3 2", "p1 0"]


@pytest.mark.parametrize("level", sorted(SHARES))
def test_each_lower_class_gets_its_share_of_an_endless_flood(level: int) -> None:
    house = House(ONE)
    running = house.grant("running", priority=5)
    for number in range(900):
        house.offer(f"flood {number}", priority=5)
    for number in range(90):
        house.offer(f"low {number}", priority=level)

    order = served(house, running, 800)

    share = sum(name.startswith("low") for name in order) / len(order)
    assert SHARES[level] * 0.9 <= share <= SHARES[level] * 1.5


def sharing(**changes: Any) -> tuple[House, Grant]:
    """Return a house in which two models share a server, and what runs there."""
    models = a_model("rennes-1", name="small"), a_model("rennes-1", name="large")
    house = House(ONE, models=models)
    return house, house.grant("running", model_id="small", **changes)


def test_the_highest_class_goes_first_whichever_model_of_a_server_is_asked() -> None:
    house, running = sharing()
    for number in range(5):
        house.offer(f"low {number}", model_id="small", priority=1)
    house.clock.advance(60)
    house.offer("middle", model_id="small", priority=3)
    house.offer("high", model_id="large", priority=5)
    own: dict[str, Any] = {"institution_id": "rennes", "mode": RoutingMode.PRIVATE_FIRST}
    house.offer("owner", model_id="large", priority=1, **own)

    assert served(house, running, 4) == ["owner", "high", "middle", "low 0"]


def test_a_class_gets_its_share_of_what_a_server_gives_other_models() -> None:
    house, running = sharing(priority=5)
    for number in range(900):
        house.offer(f"flood {number}", model_id="small", priority=5)
    for number in range(90):
        house.offer(f"low {number}", model_id="large", priority=1)

    order = served(house, running, 800)

    share = sum(name.startswith("low") for name in order) / len(order)
    assert SHARES[1] * 0.9 <= share <= SHARES[1] * 1.5


# Institutions


def test_institutions_of_a_class_are_served_alike_whoever_asks_more() -> None:
    house = House(ONE)
    running = house.grant("running", institution_id="strasbourg")
    for number in range(400):
        house.offer(f"reims {number}", institution_id="reims", application_id="r")
    for number in range(60):
        house.offer(f"orleans {number}", institution_id="orleans", application_id="o")

    order = Counter(name.split()[0] for name in served(house, running, 80))

    assert abs(order["reims"] - order["orleans"]) <= 2


def test_what_is_counted_is_what_was_used() -> None:
    house = House(ONE)
    running = house.grant("running", institution_id="strasbourg")
    for number in range(100):
        house.offer(f"reims {number}", institution_id="reims", application_id="r")
        house.offer(f"orleans {number}", institution_id="orleans", application_id="o")
    order: Counter[str] = Counter()
    for _ in range(90):
        long = running.id.startswith("reims")
        (decision,) = end(house, running, 900 if long else 100)
        running = granted(decision)
        order[running.id.split()[0]] += 1

    assert 5 <= order["orleans"] / order["reims"] <= 9  # (100 + 4 · 900) / (100 + 4 · 100) = 7.4


def test_what_writes_nothing_is_charged_for_what_it_reads() -> None:
    house = House(ONE)
    running = house.grant("running", institution_id="strasbourg")
    for number in range(200):
        house.offer(f"embeds {number}", institution_id="reims", application_id="r")
        house.offer(f"chats {number}", institution_id="orleans", application_id="o")
    order: Counter[str] = Counter()
    for _ in range(160):
        (decision,) = end(house, running, 0 if running.id.startswith("embeds") else 100)
        running = granted(decision)
        order[running.id.split()[0]] += 1

    assert order["embeds"] / order["chats"] == pytest.approx(5, rel=0.3)  # 100 to 100 + 4 · 100


def test_what_brought_nothing_costs_no_turn() -> None:
    house = House(ONE)
    running = house.grant("running", institution_id="reims")
    house.offer("reims", institution_id="reims", application_id="r")
    for number in range(4):
        house.offer(f"orleans {number}", institution_id="orleans", application_id="o")
    decisions = end(house, running, 100)
    order = []

    for _ in range(4):
        (decision,) = decisions
        order.append(decision.id)
        decisions = house.decider.withdraw(decision.id, house.clock())

    assert order == [f"orleans {number}" for number in range(4)]


def test_a_weight_gives_more_of_the_turns() -> None:
    house = House(ONE)
    running = house.grant("running", institution_id="strasbourg")
    for number in range(200):
        house.offer(f"reims {number}", institution_id="reims", application_id="r", weight=3.0)
        house.offer(f"orleans {number}", institution_id="orleans", application_id="o")

    order = Counter(name.split()[0] for name in served(house, running, 120))

    assert order["reims"] / order["orleans"] == pytest.approx(3, rel=0.15)


def test_nobody_saves_up_more_than_a_head_start() -> None:
    house = House(ONE)
    running = house.grant("running", institution_id="reims")
    for number in range(600):
        house.offer(f"reims {number}", institution_id="reims", application_id="r")
    served_before = served(house, running, 300)
    running = Grant(
        id=served_before[-1],
        attempt=1,
        server_id="rennes-1",
        deployment_id="",
        epoch=1,
        explain=an_explanation(),
    )
    for number in range(300):
        house.offer(f"orleans {number}", institution_id="orleans", application_id="o")

    order = served(house, running, 250)

    alone = next(n for n, name in enumerate(order) if name.startswith("reims"))
    assert alone * 500 <= HEAD_START + 5000  # (100 + 4 · 100) a request
    later = Counter(name.split()[0] for name in order[alone:])
    assert abs(later["reims"] - later["orleans"]) <= 3


def test_a_newcomer_does_not_keep_those_waiting_who_used_much_while_there_was_enough() -> None:
    house = House(ONE)
    for number in range(400):
        end(house, house.grant(f"reims {number}", institution_id="reims"), 100)
    running = house.grant("running", institution_id="strasbourg")
    for number in range(300):
        house.offer(f"orleans {number}", institution_id="orleans", application_id="o")
    for number in range(100):
        house.offer(f"reims {400 + number}", institution_id="reims", application_id="r")

    order = served(house, running, 200)

    first = next(n for n, name in enumerate(order) if name.startswith("reims"))
    assert first * 500 <= HEAD_START + 5000  # (100 + 4 · 100) a request


def test_many_who_wait_for_their_own_servers_keep_nobody_from_an_open_one() -> None:
    own = [f"own{number}-1" for number in range(LOOKED_AT + 1)]
    house = House(a_server("rennes-1"), *(a_server(each, max_parallel=1) for each in own))
    used = house.grant("used", institution_id="orleans")
    end(house, used, 1000)  # Orléans' turn comes after those of all who have had less.
    for each in own:
        private: dict[str, Any] = {
            "institution_id": each.split("-")[0],
            "mode": RoutingMode.PRIVATE_ONLY,
        }
        house.grant(f"{each} runs", **private)
        assert house.offer(f"{each} waits", **private) is None

    assert house.grant("anywhere", institution_id="orleans").server_id == "rennes-1"


# Owners


def test_an_owner_goes_before_every_guest_on_its_own_server() -> None:
    house = House(ONE)
    running = house.grant("running")
    house.offer("guest", priority=5)
    house.offer("owner", priority=1, institution_id="rennes", mode=RoutingMode.PRIVATE_FIRST)

    assert served(house, running, 2) == ["owner", "guest"]


def test_an_owner_starts_above_the_guests_ceiling_and_guests_come_back_below_it() -> None:
    house = learning("rennes-1")
    guests = [house.grant("guest 0", priority=1)]
    while isinstance(decision := house.offer(f"guest {len(guests)}", priority=1), Grant):
        guests.append(decision)

    owner = house.grant("owner", institution_id="rennes", mode=RoutingMode.PRIVATE_FIRST)
    assert end(house, guests[0], 10) == []
    (decision,) = end(house, owner, 10)

    assert granted(decision).id == f"guest {len(guests)}"


def test_nobody_is_an_owner_elsewhere_or_without_asking_for_it() -> None:
    house = House(ONE)
    running = house.grant("running")
    house.offer("guest", priority=3)
    house.offer("at home", priority=1, institution_id="rennes")
    house.offer("stranger", priority=1, institution_id="reims", mode=RoutingMode.PRIVATE_FIRST)

    assert served(house, running, 1) == ["guest"]


def test_a_private_request_that_waits_holds_nobody_behind_it() -> None:
    house = House(ONE, a_server("reims-1", max_parallel=1))
    own = {"institution_id": "rennes", "mode": RoutingMode.PRIVATE_ONLY}
    house.grant("own", **own)
    running = house.grant("elsewhere", institution_id="rennes")
    assert house.offer("waits", **own) is None
    assert house.offer("behind", institution_id="rennes") is None

    assert served(house, running, 1) == ["behind"]


# What is learnt


def progress(house: House, tokens: int, seconds: float, silent: float = 0.0) -> list[Decision]:
    event = Progress(
        server_id="rennes-1",
        tokens=tokens,
        stream_ms=round(seconds * 1000),
        silent_ms=round(silent * 1000),
    )
    return house.decider.report(event, house.clock())


def first_token(house: House, grant: Grant) -> None:
    event = FirstToken(id=grant.id, attempt=grant.attempt, after_ms=100)
    house.decider.report(event, house.clock())


def crowd(house: House, seconds: float, alone: float, each: float) -> int:
    """Press on a server whose streams get a token each `alone + each · n` seconds; return how many run at last."""
    running = 0
    for look in range(round(seconds / 0.5)):
        for number in range(20):
            grant = house.offer(f"t{look} {number}", deadline_in_ms=200)
            if isinstance(grant, Grant):
                running += 1
                first_token(house, grant)
        house.pass_time(0.5)
        between = alone + each * running
        progress(house, tokens=round(running * 0.5 / between), seconds=running * 0.5)
    return running


def test_a_server_that_writes_fast_is_given_more_and_more() -> None:
    assert crowd(learning("rennes-1"), 20, alone=0.01, each=0.0) > 100


def test_a_server_is_given_as_much_as_it_writes_at_the_speed_of_reading() -> None:
    knee = (READABLE - 0.02) / 0.002
    assert 0.7 * knee <= crowd(learning("rennes-1"), 60, alone=0.02, each=0.002) <= 1.6 * knee


def test_a_given_number_is_a_ceiling_above_what_is_learnt() -> None:
    model = a_model("rennes-1", strategy=Strategy.AFFINITY, limiting=Limiting.LEARNT)
    house = House(a_server("rennes-1", max_parallel=5), models=(model,))
    assert crowd(house, 10, alone=0.01, each=0.0) == 5


def gauges(house: House, **changes: float) -> list[Decision]:
    values = {"running": 0, "waiting": 0, "memory_use": 0.0, "memory": 0} | changes
    event = Gauges(server_id="rennes-1", **values)  # type: ignore[arg-type]
    return house.decider.report(event, house.clock())


def test_what_others_run_there_counts_too_until_it_is_stale() -> None:
    house = learning("rennes-1")
    gauges(house, running=400)
    house.grant("t1")
    assert house.offer("t2") is None

    assert [granted(decision).id for decision in house.pass_time(6)] == ["t2"]


def test_a_full_memory_lets_only_the_higher_classes_in() -> None:
    house = learning("rennes-1")
    house.grant("running", prompt_estimate=1)
    gauges(house, running=1, memory_use=0.92, memory=100_000, ours=1)
    assert house.offer("low", priority=2, prompt_estimate=10) is None
    house.grant("high", priority=5, prompt_estimate=10)
    assert house.offer("too large", priority=5, prompt_estimate=10_000) is None


def test_prompts_that_wait_to_be_read_hold_back_the_lower_classes_first() -> None:
    house = learning("rennes-1")
    house.grant("long", prompt_estimate=2500)  # a second of reading, as far as anybody knows
    assert house.offer("low", priority=1, stream=False) is None
    house.grant("high", priority=5)


def test_a_full_servers_second_try_is_read_once_not_for_ever() -> None:
    house = learning("rennes-1")
    host = house.decider._fleet.hosts["rennes-1"]
    host.limit.value = 64
    streams = [house.grant(f"stream {number}") for number in range(3)]
    for each in streams:
        house.decider.report(FirstToken(id=each.id, attempt=1, after_ms=5), house.clock())
    whole = house.grant("whole", stream=False, prompt_estimate=1500, priority=5)
    assert house.fail(whole, Failure.FULL, retry_after_ms=100) is None
    house.clock.advance(0.2)
    (decision,) = end(house, streams[0], 10)
    assert granted(decision).attempt == 2

    house.pass_time(0.5)  # the first try's token would have come by now, the second one's soon
    host.look(house.clock.advance(5.0))

    assert host.backlog == 0


def test_one_huge_prompt_says_nothing_of_when_later_ones_are_read() -> None:
    house = learning("rennes-1")
    host = house.decider._fleet.hosts["rennes-1"]
    end(house, house.grant("huge", stream=False, prompt_estimate=7_000_000), 0)
    house.grant("usual", stream=False, prompt_estimate=100)

    host.look(house.clock.advance(5.0))

    assert host.backlog == 0


def test_behind_another_address_nothing_is_believed_of_the_memory_there() -> None:
    house = learning("rennes-1")
    gauges = Gauges(server_id="rennes-1", running=0, waiting=0, memory_use=0.0, memory=4000)
    house.decider.report(gauges, house.clock())
    model = a_model("rennes-1", strategy=Strategy.AFFINITY, limiting=Limiting.LEARNT)
    house.show(a_server("rennes-1", base_url="http://new.example"), models=(model,))
    house.grant("small")

    assert house.grant("large", prompt_estimate=5000).server_id == "rennes-1"


def test_an_engine_that_has_stopped_is_set_aside_and_its_requests_are_called_back() -> None:
    house = learning("rennes-1", "reims-1")
    grant = house.grant("t1", institution_id="rennes", mode=RoutingMode.PRIVATE_ONLY)
    first_token(house, grant)
    house.clock.advance(SILENT_SECONDS + 1)

    told = progress(house, 0, 0.5, silent=SILENT_SECONDS + 1)

    assert told == [Recall(id="t1", attempt=1, why=Failure.TIMEOUT)]
    assert house.health("rennes-1") == Health.EJECTED
    assert house.fail(grant, Failure.TIMEOUT) is not None  # its only server: there is no other


def let_in_while_it_writes(house: House) -> list[str]:
    """Let one stream write on; return who is let in first, within 20 seconds."""
    for _ in range(40):
        house.clock.advance(0.5)
        if decisions := progress(house, 25, 0.5):
            return [granted(decision).id for decision in decisions]
    return []


def test_what_waits_in_a_queue_inside_a_server_is_taken_back_and_tried_no_more() -> None:
    house = learning("rennes-1")
    first_token(house, house.grant("writes"))
    queued = house.grant("queued")
    house.clock.advance(LATE_SECONDS + 1)

    told = progress(house, 50, 1.0)

    assert told == [Recall(id="queued", attempt=1, why=Failure.QUEUED)]
    assert (
        house.fail(queued, Failure.QUEUED) is None
    )  # it waits: one runs, and one is what is served at once
    assert house.offer("new", priority=5) is None
    assert house.health("rennes-1") == Health.HEALTHY
    assert let_in_while_it_writes(house) == ["new"]  # it looks again whether more are


def test_a_request_is_taken_back_from_a_queue_once_only() -> None:
    house = learning("rennes-1")
    first_token(house, house.grant("writes"))
    queued = house.grant("queued")
    house.clock.advance(LATE_SECONDS + 1)
    progress(house, 50, 1.0)
    house.fail(queued, Failure.QUEUED)
    assert let_in_while_it_writes(house) == ["queued"]

    house.clock.advance(LATE_SECONDS + 1)
    assert progress(house, 50, 1.0) == []


def test_the_highest_class_does_not_find_out_how_much_a_server_can_do() -> None:
    house = learning("reims-1", "rennes-1")
    for number in range(9):
        fast = at(house, "reims", f"t{number}")
        first_token(house, fast)
        house.end(fast)
    first_token(house, at(house, "reims", "one"))
    first_token(house, at(house, "rennes", "also one"))
    second = at(house, "rennes", "second")
    first_token(house, second)  # two at once are served at Rennes; nobody knows of Reims
    house.end(second)

    assert house.grant("low", priority=4).server_id == "reims-1"
    house.decider.withdraw("low", house.clock())
    assert house.grant("high", priority=5).server_id == "rennes-1"


def test_where_there_is_no_choice_the_highest_class_finds_out_itself() -> None:
    house = learning("rennes-1")
    first_token(house, house.grant("one", priority=5))
    house.grant("two", priority=5)


def at(house: House, institution: str, ticket_id: str) -> Grant:
    return house.grant(ticket_id, institution_id=institution, mode=RoutingMode.PRIVATE_ONLY)


def test_a_queue_that_stands_in_a_server_shows_how_many_it_serves_at_once() -> None:
    house = learning("rennes-1")
    gauges(house)
    for number in range(8):
        house.grant(f"t{number}", priority=5, prompt_estimate=10)
    for _ in range(QUEUE_STANDS):
        gauges(house, running=6, waiting=2, memory_use=0.1, ours=8)
        house.clock.advance(1)
    gauges(house, running=6, waiting=2, memory_use=0.1, ours=8)

    assert house.decider.load(house.clock()).servers["rennes-1"].learnt_limit == 6
    assert house.offer("one more", priority=5) is None


def test_a_passing_queue_in_a_server_is_no_limit() -> None:
    house = learning("rennes-1")
    gauges(house)
    for number in range(8):
        house.grant(f"t{number}", priority=5, prompt_estimate=10)
    for running, waiting in ((6, 2), (7, 1), (8, 0), (6, 2), (5, 3)):
        gauges(house, running=running, waiting=waiting, memory_use=0.1, ours=8)
        house.clock.advance(1)
    house.grant("one more", priority=5)


def test_a_model_that_is_being_loaded_keeps_its_requests() -> None:
    house = learning("rennes-1")
    house.grant("t1")
    house.grant("t2")
    house.clock.advance(60)
    assert progress(house, 0, 0.0) == []


def test_a_server_may_be_silent_before_the_first_token() -> None:
    house = learning("rennes-1")
    house.grant("t1")
    house.clock.advance(60)

    assert progress(house, 0, 0.0, silent=60) == []
    assert house.health("rennes-1") == Health.HEALTHY


def test_a_conversation_goes_on_where_it_was() -> None:
    house = learning("rennes-1", "reims-1")
    text = tuple(range(5))
    first = house.grant("t1", prompt_estimate=5000, prefix=text)
    first_token(house, first)
    end(house, first, 100)
    other = "reims-1" if first.server_id == "rennes-1" else "rennes-1"
    house.grant("elsewhere", prompt_estimate=10)

    next_turn = house.grant("t2", prompt_estimate=5500, prefix=(*text, 6))

    assert next_turn.server_id == first.server_id != other


def test_what_still_runs_at_an_ejected_server_does_not_make_it_come_back_sooner() -> None:
    house = House(a_server("rennes-1"))
    for number in range(50):
        end(house, house.grant(f"before {number}"), 100)
    house.grant("stream")
    house.eject("rennes-1")

    refusal = house.offer("late")

    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.ALL_DOWN
    assert refusal.retry_after_ms == BACKOFF_SECONDS * 1000


def test_a_refusal_for_want_of_time_says_when_to_come_back() -> None:
    house = House(ONE)
    running = house.grant("running")
    for number in range(20):
        house.offer(f"t{number}")
        house.pass_time(1)
        (decision,) = end(house, running, 100)
        running = granted(decision)
    house.offer("ahead")

    refusal = house.offer("late", deadline_in_ms=0)

    assert refusal is not None
    assert not isinstance(refusal, Grant | Recall)
    assert refusal.code is RefusalCode.FULL
    assert 1000 <= refusal.retry_after_ms <= 4000
