"""Believable requests of the past: who asked which model when, how long it took and what went wrong.

Deterministic: the same hour of the same application draws the same numbers. Pure: the caller says what is in the
register and stores what comes out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from config.demo.attempts import Offered, Runner, attempt, why
from config.demo.members import DemoApplication
from config.demo.rhythm import busyness, weight
from routing.core.accounting import Attempt, Closed, Opened
from routing.core.enums import Endpoint, RequestStatus, UsageSource
from routing.core.ids import uuid7_floor
from routing.core.request import OK
from routing.core.retry import Failure
from routing.core.usage import Usage
from routing.gateway.impact import reckon

PERIOD = timedelta(days=60)
REQUESTS = 128_000
"""In 60 days, as the federation counted at the end of 2025."""
MOST_SECONDS = 600.0
LONGEST_MS = 2 * 3_600_000
"""Of a recording: a lecture of two hours."""
TOKENS_PER_SECOND = 3
"""Of what is said in a recording."""
HOUR = timedelta(hours=1)


class Asker(NamedTuple):
    """An application of the demonstration in the register."""

    plan: DemoApplication
    key_id: str
    application_id: str
    institution_id: str


def requests_between(
    since: datetime, until: datetime, askers: Sequence[Asker], models: Mapping[str, Offered]
) -> Iterator[Closed]:
    """Yield the requests received after `since` and finished by `until` (aware), in the order of their ids.

    They are scaled so that the 60 days that end with `until` hold about `REQUESTS`.
    """
    begin = until - PERIOD
    hours = _hours(begin, until)
    expected = [_expected(asker.plan, hours, begin, until) for asker in askers]
    for hour, *numbers in zip(hours, *expected, strict=True):
        if hour + HOUR <= since:
            continue
        drawn = [
            request
            for asker, number in zip(askers, numbers, strict=True)
            for request in _Draw(hour, asker, models).requests(number)
            if since.timestamp() < request.opened.received_at
            and request.finished_at <= until.timestamp()
        ]
        yield from sorted(drawn, key=lambda request: request.opened.id)


def _hours(begin: datetime, until: datetime) -> list[datetime]:
    first = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return [first + n * HOUR for n in range(math.ceil((until - first) / HOUR))]


def _expected(
    plan: DemoApplication, hours: Sequence[datetime], begin: datetime, until: datetime
) -> list[float]:
    """Return how many requests of an application each hour has on average."""
    weights = [weight(hour, begin, until, is_batch=plan.works_at_night) for hour in hours]
    scale = REQUESTS * plan.share / sum(weights)
    return [scale * relative for relative in weights]


class _Draw:
    """One hour of one application."""

    def __init__(self, hour: datetime, asker: Asker, models: Mapping[str, Offered]) -> None:
        self._hour = hour
        self._asker = asker
        self._models = [models[slug] for slug in asker.plan.models]
        self._shares = list(asker.plan.models.values())
        self._busy = busyness(hour)
        self._random = Random(f"{hour.isoformat()} {asker.plan.institution} {asker.plan.name}")

    def requests(self, expected: float) -> Iterator[Closed]:
        for _ in range(int(expected + self._random.random())):
            yield self._request()

    def _request(self) -> Closed:
        draw, plan = self._random, self._asker.plan
        received = self._hour + draw.random() * HOUR
        [model] = draw.choices(self._models, self._shares)
        opened = Opened(
            id=_id_at(received, draw),
            client_request_id="",
            key_id=self._asker.key_id,
            application_id=self._asker.application_id,
            institution_id=self._asker.institution_id,
            model_id=model.id,
            model_asked=model.slug,
            endpoint=(Endpoint.TRANSCRIPTIONS if model.hears else Endpoint.CHAT).value,
            stream=draw.random() < plan.streams,
            priority=plan.priority.value,
            received_at=received.timestamp(),
            prompt_estimate=0
            if model.hears
            else min(_around(plan.prompt_tokens, 0.7, draw), model.context_length * 3 // 4),
        )
        return self._ending(opened, model)

    def _ending(self, opened: Opened, model: Offered) -> Closed:
        """Few requests go wrong, more of them at busy hours."""
        fate = self._random.random()
        if fate < 0.002 + 0.004 * self._busy:
            return _refused(opened)
        runners = self._order(model)
        if fate < 0.011:
            return _failed(opened, model, runners, self._random)
        if fate < 0.015 and not model.hears:
            return _mistaken(opened, model, runners, self._random)
        if model.hears:
            return self._heard(opened, model, runners)
        return self._answered(opened, model, runners, left=fate > 0.992)

    def _order(self, model: Offered) -> list[Runner]:
        """The servers in the order in which they are tried: mostly one's own first."""
        runners = self._random.sample(model.runners, len(model.runners))
        if self._random.random() < 0.9:
            runners.sort(key=lambda runner: runner.institution != self._asker.plan.institution)
        return runners

    def _answered(
        self, opened: Opened, model: Offered, runners: Sequence[Runner], *, left: bool
    ) -> Closed:
        draw, prompt = self._random, opened.prompt_estimate
        runner, begun = runners[0], opened.received_at + 0.004
        attempts: tuple[Attempt, ...] = ()
        if len(runners) > 1 and draw.random() < 0.008:
            failure = draw.choice((Failure.CONNECT, Failure.FULL, Failure.LOST))
            failed = begun + draw.expovariate(2)
            reason = why(model, runners, draw, busy=self._busy)
            attempts = (attempt(runner, begun, failed, failure, reason),)
            runner, runners, begun = runners[1], runners[1:], failed
        completion = _around(self._asker.plan.completion_tokens, 0.6, draw)
        reasoning = int(completion * draw.uniform(0.3, 1.5)) if model.reasons else 0
        completion += reasoning
        slower = 1 + self._busy * draw.uniform(0.2, 1.4)
        cached = _blocks(prompt * draw.uniform(0.2, 0.7)) if draw.random() < 0.5 else 0
        first = begun + 0.03 + (prompt - cached) / runner.speed.prefill_tokens_per_s * slower
        finished = first + completion * runner.speed.seconds_per_token * slower
        if left:
            completion, finished = completion // 3, first + (finished - first) / 3
        finished = min(finished, opened.received_at + MOST_SECONDS)
        counted = opened.stream and not runner.tells_usage
        reason = why(model, runners, draw, busy=self._busy, known=cached, is_retry=bool(attempts))
        usage = Usage(
            prompt=prompt,
            cached=0 if counted else cached,
            completion=completion,
            reasoning=0 if counted else min(reasoning, completion),
            source=UsageSource.COUNTED if counted or left else UsageSource.SERVER,
        )
        tried = (*attempts, attempt(runner, begun, finished, OK, reason))
        answer = _answer(opened, runner, tried, usage)
        if opened.stream:
            answer = structs.replace(answer, first_token_at=first)
        return structs.replace(answer, status=RequestStatus.ABANDONED) if left else answer

    def _heard(self, opened: Opened, model: Offered, runners: Sequence[Runner]) -> Closed:
        """A recording that was written down."""
        draw, runner, begun = self._random, runners[0], opened.received_at + 0.004
        audio_ms = min(_around(self._asker.plan.recording_seconds, 0.7, draw) * 1000, LONGEST_MS)
        seconds = audio_ms / 1000 * TOKENS_PER_SECOND * runner.speed.seconds_per_token
        finished = begun + seconds * (1 + self._busy * draw.uniform(0.2, 1.4))
        usage = Usage(audio_ms=audio_ms, source=UsageSource.SERVER)
        tried = attempt(runner, begun, finished, OK, why(model, runners, draw, busy=self._busy))
        return _answer(opened, runner, (tried,), usage)


def _answer(opened: Opened, runner: Runner, attempts: tuple[Attempt, ...], usage: Usage) -> Closed:
    """What the last attempt brought."""
    begun, finished, among = (
        attempts[-1].started_at,
        attempts[-1].ended_at,
        attempts[-1].explanation,
    )
    assert finished is not None
    assert among is not None
    service_ms = round((finished - begun) * 1000)
    at_a_time = (among.in_flight + 1) * 1000
    return Closed(
        opened=opened,
        status=RequestStatus.OK,
        http_status=200,
        server_id=runner.server_id,
        deployment_id=runner.deployment_id,
        model_served=runner.served_name,
        prompt_tokens=usage.prompt,
        cached_tokens=usage.cached,
        completion_tokens=usage.completion,
        reasoning_tokens=usage.reasoning,
        audio_ms=usage.audio_ms,
        usage_source=usage.source,
        first_token_at=None,
        finished_at=finished,
        attempts=attempts,
        energy=reckon(runner.machine, opened.endpoint, usage, service_ms, at_a_time).energy,
    )


def _refused(opened: Opened) -> Closed:
    """Nobody had room: no server was asked."""
    return _without_tokens(opened, RequestStatus.REFUSED, 503, "too_many_people", seconds=0.003)


def _failed(opened: Opened, model: Offered, runners: Sequence[Runner], draw: Random) -> Closed:
    """Every server failed."""
    begun = opened.received_at + 0.01
    tried = tuple(
        attempt(
            runner,
            begun + n,
            begun + n + 1,
            Failure.TIMEOUT if n else Failure.CONNECT,
            why(model, runners[n:], draw, is_retry=n > 0),
        )
        for n, runner in enumerate(runners)
    )
    seconds = len(tried) + draw.expovariate(1)
    status = RequestStatus.SERVER_ERROR
    return _without_tokens(opened, status, 502, "server_failed", seconds=seconds, attempts=tried)


def _mistaken(opened: Opened, model: Offered, runners: Sequence[Runner], draw: Random) -> Closed:
    """The prompt did not fit: the server said so at once."""
    begun = opened.received_at + 0.004
    tried = (attempt(runners[0], begun, begun + 0.036, OK, why(model, runners, draw)),)
    status = RequestStatus.CLIENT_ERROR
    return _without_tokens(
        opened, status, 400, "context_length_exceeded", seconds=0.04, attempts=tried
    )


def _without_tokens(
    opened: Opened,
    status: RequestStatus,
    http_status: int,
    code: str,
    *,
    seconds: float,
    attempts: tuple[Attempt, ...] = (),
) -> Closed:
    last = attempts[-1] if attempts else None
    return Closed(
        opened=opened,
        status=status,
        http_status=http_status,
        server_id=last.server_id if last else None,
        deployment_id=last.deployment_id if last else None,
        model_served="",
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
        reasoning_tokens=0,
        usage_source=UsageSource.NONE,
        first_token_at=None,
        finished_at=opened.received_at + seconds,
        attempts=attempts,
        error_code=code,
    )


def _id_at(moment: datetime, draw: Random) -> str:
    """Return a UUIDv7 of `moment` with drawn bits where another one has random bits."""
    return str(
        UUID(int=uuid7_floor(moment).int | draw.getrandbits(12) << 64 | draw.getrandbits(62))
    )


def _around(median: int, spread: float, draw: Random) -> int:
    """Return a length: half of them are below `median`, few are very long."""
    return max(1, int(median * math.exp(draw.gauss(0, spread))))


def _blocks(tokens: float) -> int:
    """Caches hold whole blocks of 16 tokens."""
    return int(tokens) // 16 * 16
