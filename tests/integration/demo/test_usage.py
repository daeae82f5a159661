"""The demonstration's past requests: their number, their rhythm, and that they could have happened."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from uuid import UUID

import pytest

from config.demo.attempts import Offered, Runner
from config.demo.catalogue import MODELS
from config.demo.fleet import SERVERS
from config.demo.members import APPLICATIONS
from config.demo.rhythm import PARIS, busyness, day_weight, weight
from config.demo.usage import LONGEST_MS, PERIOD, REQUESTS, Asker, requests_between
from federation.catalogue.enums import Capability
from routing.core.accounting import Closed
from routing.core.enums import Endpoint, RequestStatus, RoutingSetting, UsageSource
from routing.core.ids import uuid7_time
from routing.core.table import Machine

END = datetime(2026, 6, 5, 16, 20, tzinfo=UTC)
"""A Friday in term."""
_ids = count(1)


def new_id() -> str:
    return str(UUID(int=next(_ids)))


OFFERED = {
    model.slug: Offered(
        id=new_id(),
        slug=model.slug,
        context_length=model.context_length,
        reasons=Capability.REASONING in model.facts["capabilities"],
        hears=Capability.TRANSCRIPTION in model.facts["capabilities"],
        takes_turns=model.setting is RoutingSetting.ROUND_ROBIN_REQUEUE,
        runners=tuple(
            Runner(
                server_id=new_id(),
                deployment_id=new_id(),
                served_name=server.serves[model.slug],
                institution=server.institution,
                speed=server.speed,
                tells_usage=server.simulated != "llamacpp",
                machine=Machine(gpu="H100", factors="FRA-1"),
            )
            for server in SERVERS
            if model.slug in server.serves
        ),
    )
    for model in MODELS
}
ASKERS = [Asker(plan, new_id(), new_id(), new_id()) for plan in APPLICATIONS]


def drawn(since: datetime, until: datetime = END) -> Iterator[Closed]:
    return requests_between(since, until, ASKERS, OFFERED)


@pytest.fixture(scope="module")
def requests() -> Sequence[Closed]:
    return list(drawn(END - PERIOD))


def day_of(request: Closed) -> date:
    return datetime.fromtimestamp(request.opened.received_at, PARIS).date()


def test_sixty_days_hold_as_many_requests_as_the_federation_counted(
    requests: Sequence[Closed],
) -> None:
    assert abs(len(requests) - REQUESTS) < REQUESTS / 100


def test_every_id_is_new_in_order_and_of_the_moment_at_which_the_request_came(
    requests: Sequence[Closed],
) -> None:
    ids = [UUID(request.opened.id) for request in requests]

    assert all(before < after for before, after in pairwise(ids))
    for request, request_id in zip(requests[:1000], ids, strict=False):
        assert request_id.version == 7
        moment = datetime.fromtimestamp(request.opened.received_at, UTC)
        assert timedelta() <= moment - uuid7_time(request_id) < timedelta(milliseconds=1)


def test_what_happens_in_a_request_happens_in_order(requests: Sequence[Closed]) -> None:
    for request in requests:
        moments = [
            request.opened.received_at,
            *(attempt.started_at for attempt in request.attempts),
            *([request.first_token_at] if request.first_token_at else []),
            request.finished_at,
        ]
        assert moments == sorted(moments)
        assert request.finished_at <= END.timestamp()


def test_tokens_are_those_of_the_outcome(requests: Sequence[Closed]) -> None:
    for request in requests:
        assert request.prompt_tokens >= request.cached_tokens >= 0
        assert request.completion_tokens >= request.reasoning_tokens >= 0
        if request.status is RequestStatus.OK:
            assert bool(request.prompt_tokens) != bool(request.audio_ms)
            assert bool(request.completion_tokens) != bool(request.audio_ms)
            assert request.usage_source is not UsageSource.NONE
        if request.usage_source is UsageSource.NONE:
            assert not request.prompt_tokens
            assert request.error_code


def test_few_requests_go_wrong_and_some_are_saved_by_another_server(
    requests: Sequence[Closed],
) -> None:
    statuses = Counter(request.status for request in requests)
    saved = [
        request
        for request in requests
        if request.status is RequestStatus.OK and len(request.attempts) > 1
    ]

    assert statuses[RequestStatus.OK] / len(requests) > 0.97
    assert set(statuses) == set(RequestStatus) - {RequestStatus.INTERRUPTED}
    assert saved
    for request in saved:
        first, second = request.attempts
        assert first.server_id != second.server_id == request.server_id


def test_every_model_and_every_server_has_its_part(requests: Sequence[Closed]) -> None:
    models = Counter(request.opened.model_asked for request in requests)
    servers = Counter(request.server_id for request in requests)

    assert set(models) == set(OFFERED)
    assert min(models.values()) > len(requests) / 50
    assert {each.server_id for model in OFFERED.values() for each in model.runners} <= set(servers)


def test_recordings_are_heard_by_the_model_that_can(requests: Sequence[Closed]) -> None:
    heard = [request for request in requests if request.audio_ms]

    assert heard
    assert {request.opened.model_asked for request in heard} == {"whisper-large-v3"}
    assert {request.opened.endpoint for request in heard} == {Endpoint.TRANSCRIPTIONS}
    for request in heard:
        assert 0 < request.audio_ms <= LONGEST_MS
        assert request.finished_at - request.opened.received_at < request.audio_ms / 1000


def test_ones_own_server_serves_most_of_ones_requests(requests: Sequence[Closed]) -> None:
    ragarenn = next(asker for asker in ASKERS if asker.plan.reference == "rennes")
    runners = OFFERED["mistral-small-3.2-24b"].runners
    own = next(each.server_id for each in runners if each.institution == "rennes")

    asked = [
        request
        for request in requests
        if request.opened.key_id == ragarenn.key_id
        and request.opened.model_asked == "mistral-small-3.2-24b"
        and request.server_id
    ]

    assert 0.9 < sum(request.server_id == own for request in asked) / len(asked) < 1


def test_a_larger_model_takes_longer_for_a_token(requests: Sequence[Closed]) -> None:
    def pace(model: str) -> float:
        timed = [
            request
            for request in requests
            if request.opened.model_asked == model and request.first_token_at
        ]
        seconds = sum(each.finished_at - (each.first_token_at or 0) for each in timed)
        return seconds / sum(each.completion_tokens for each in timed)

    assert pace("llama-3.3-70b") > pace("mistral-small-3.2-24b") > pace("qwen-3-30b")


def test_weekends_are_quiet_and_use_grows(requests: Sequence[Closed]) -> None:
    days = Counter(map(day_of, requests))
    weekdays = [days[day] for day in days if day.weekday() < 4]
    sundays = [days[day] for day in days if day.weekday() == 6]
    ordered = [days[day] for day in sorted(days)]

    assert sum(sundays) / len(sundays) < sum(weekdays) / len(weekdays) / 2
    assert sum(ordered[-15:]) > sum(ordered[:15])


def test_the_same_days_draw_the_same_requests() -> None:
    since = END - timedelta(days=1)

    assert list(drawn(since)) == list(drawn(since))


def test_going_on_brings_exactly_what_came_after(requests: Sequence[Closed]) -> None:
    middle = requests[-700]
    since = datetime.fromtimestamp(middle.opened.received_at, UTC)

    assert list(drawn(since)) == list(requests[-699:])


def test_nothing_is_left_to_bring_when_all_is_there(requests: Sequence[Closed]) -> None:
    assert list(drawn(END)) == []


BEGIN = datetime(2026, 4, 6, tzinfo=UTC)


def hour(day: date, at: int) -> datetime:
    return datetime(day.year, day.month, day.day, at, tzinfo=PARIS)


def test_people_ask_by_day_and_batches_by_night() -> None:
    tuesday = date(2026, 6, 2)

    def asked(at: int, *, is_batch: bool) -> float:
        return weight(hour(tuesday, at), BEGIN, END, is_batch=is_batch)

    assert asked(15, is_batch=False) > 20 * asked(3, is_batch=False)
    assert asked(3, is_batch=True) > 5 * asked(15, is_batch=True)


@pytest.mark.parametrize(
    "quiet",
    [date(2026, 5, 1), date(2026, 7, 14), date(2026, 8, 4), date(2026, 12, 29), date(2027, 1, 1)],
)
def test_holidays_are_quieter_than_the_same_weekday_in_term(quiet: date) -> None:
    in_term = next(
        day
        for day in (date(2026, 6, 1) + timedelta(days=n) for n in range(7))
        if day.weekday() == quiet.weekday()
    )

    assert day_weight(quiet) < day_weight(in_term) / 2


def test_the_clock_is_that_of_paris_in_summer_and_in_winter() -> None:
    for day in (date(2026, 1, 13), date(2026, 6, 9)):
        assert busyness(hour(day, 15)) == pytest.approx(day_weight(day))


def test_an_hour_that_the_clock_skips_or_repeats_does_no_harm() -> None:
    for until in (
        datetime(2026, 3, 29, 6, tzinfo=UTC),
        datetime(2026, 10, 25, 6, tzinfo=UTC),
    ):
        assert list(drawn(until - timedelta(hours=8), until))


def test_the_shares_of_the_applications_and_of_their_models_make_a_whole() -> None:
    assert sum(plan.share for plan in APPLICATIONS) == pytest.approx(1)
    for plan in APPLICATIONS:
        assert sum(plan.models.values()) == pytest.approx(1), plan.name
        assert set(plan.models) <= set(OFFERED)


def test_every_attempt_says_until_when_it_ran_and_why_it_went_there() -> None:
    requests = drawn(END - timedelta(days=1), END)

    for request in requests:
        for tried in request.attempts:
            assert tried.ended_at is not None
            assert tried.explanation is not None
            assert tried.started_at <= tried.ended_at
            assert 1 <= tried.explanation.free <= tried.explanation.candidates
