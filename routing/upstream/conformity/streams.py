"""Streams: that they come in pieces, tell their usage, and how fast they are, alone and eight at a time."""

import asyncio
from collections.abc import Sequence

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import Answer, Outcome, failed, ok, warning
from routing.upstream.conformity.chatting import (
    CHAT_PATH,
    Said,
    conversation,
    read_stream,
    text_of,
)
from routing.upstream.conformity.subject import Subject

PROMPT = "Présente en quatre phrases ce qu’est une bibliothèque universitaire."
STREAM_TOKENS, SPEED_TOKENS = 48, 96
TOGETHER = 8
SPEED_SECONDS = 90.0
BUFFERED_SECONDS, BUFFERED_SHARE = 1.0, 0.9
"""A stream is held back by somebody when it takes longer than this, and begins only at its end."""
SLOW_FIRST_SECONDS, SLOW_TOKENS_PER_SECOND = 5.0, 5.0
SLOW_FIRST_TOGETHER, SLOW_TOGETHER = 15.0, 2.0
"""For one request among eight."""


async def streaming(subject: Subject) -> Outcome:
    answer = await _stream(subject, STREAM_TOKENS)
    said = read_stream(answer)
    if isinstance(said, Outcome):
        return said
    if not said.text:
        return failed(Finding.EMPTY_ANSWER)
    if not answer.done or not said.finish:
        return failed(Finding.UNFINISHED)
    if said.pieces < 2:
        return failed(Finding.ONE_PIECE)
    first = _first_at(answer)
    if answer.seconds > BUFFERED_SECONDS and first > BUFFERED_SHARE * answer.seconds:
        return warning(Finding.BUFFERED, seconds=round(first, 1))
    return ok(Finding.STREAMS, pieces=said.pieces)


async def stream_usage(subject: Subject) -> Outcome:
    """What is not told is counted by the router, which is less exact: forgiven where the engine cannot."""
    said = read_stream(await _stream(subject, STREAM_TOKENS))
    if isinstance(said, Outcome):
        return said
    if said.prompt_tokens is None or said.completion_tokens is None:
        lacking = failed if subject.engine.counts_streams else warning
        return lacking(Finding.NO_COUNTS)
    if not said.prompt_tokens or not 0 < said.completion_tokens <= 2 * STREAM_TOKENS:
        return failed(Finding.ODD_COUNTS, tokens=said.completion_tokens)
    return ok(Finding.COUNTS, prompt=said.prompt_tokens, completion=said.completion_tokens)


async def speed_alone(subject: Subject) -> Outcome:
    answer = await _stream(subject, SPEED_TOKENS)
    said = read_stream(answer)
    if isinstance(said, Outcome):
        return said
    return _rated([(answer, said)], SLOW_FIRST_SECONDS, SLOW_TOKENS_PER_SECOND)


async def speed_together(subject: Subject) -> Outcome:
    """As many at once as the owner allows, eight at most."""
    at_once = min(TOGETHER, subject.job.server.max_parallel or TOGETHER)
    answers = await asyncio.gather(*(_stream(subject, SPEED_TOKENS) for _ in range(at_once)))
    good, bad = [], []
    for answer in answers:
        said = read_stream(answer)
        if isinstance(said, Outcome):
            bad.append(said)
        else:
            good.append((answer, said))
    if any(each.finding is not Finding.BUSY for each in bad) or not good:
        return failed(Finding.SOME_FAILED, failed=len(bad), requests=at_once)
    if bad:
        return warning(Finding.SOME_REFUSED, refused=len(bad), requests=at_once)
    return _rated(good, SLOW_FIRST_TOGETHER, SLOW_TOGETHER)


def _rated(streams: Sequence[tuple[Answer, Said]], slow_first: float, slow_rate: float) -> Outcome:
    """Return the median first token and the tokens a second of all streams together."""
    firsts = sorted(_first_at(answer) for answer, _ in streams)
    first = firsts[len(firsts) // 2]
    written = sum(said.completion_tokens or said.pieces for _, said in streams)
    seconds = max(answer.seconds for answer, _ in streams) - min(firsts)
    rate = written / max(seconds, 0.001)
    is_slow = first > slow_first or rate / len(streams) < slow_rate
    return (warning if is_slow else ok)(
        Finding.SLOW if is_slow else Finding.SPEED,
        first_ms=round(first * 1000),
        tokens_per_s=round(rate, 1),
        requests=len(streams),
    )


async def _stream(subject: Subject, max_tokens: int) -> Answer:
    body = conversation(subject.declared.served_name, PROMPT, max_tokens=max_tokens, stream=True)
    return await subject.asker.post(CHAT_PATH, body, seconds=SPEED_SECONDS)


def _first_at(answer: Answer) -> float:
    return next((event.at for event in answer.events if text_of(event.value)), answer.seconds)
