"""A run: each check in its turn, a line for each as soon as it is known, and an end in bounded time."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from cryptography.fernet import Fernet

from routing.core.conformity import (
    CHECKS,
    Check,
    ConformityJob,
    Finding,
    Line,
    Peer,
    Verdict,
)
from routing.upstream.client import Client
from routing.upstream.conformity import abilities, access, context, streams, watching, way
from routing.upstream.conformity.asking import Asker, Outcome, failed, skipped
from routing.upstream.conformity.replay import REPLAY
from routing.upstream.conformity.subject import Subject
from routing.upstream.credentials import UnsealError
from routing.upstream.destinations import destination_of
from routing.upstream.errors import EgressRefused
from routing.upstream.resolving import Lookup, system_lookup

CHECK_SECONDS = 240.0
"""For one check, whatever it does inside."""
RUN_SECONDS = 900.0
logger = logging.getLogger(__name__)
Examine = Callable[[Subject], Awaitable[Outcome]]
EXAMINES: Mapping[Check, Examine] = {
    Check.DNS: way.dns,
    Check.CONNECTION: way.connection,
    Check.TLS: way.tls,
    Check.AUTHENTICATION: access.authentication,
    Check.MODEL: access.model,
    Check.STREAMING: streams.streaming,
    Check.STREAM_USAGE: streams.stream_usage,
    Check.CONTEXT: context.context,
    Check.TOOLS: abilities.tools,
    Check.JSON_SCHEMA: abilities.json_schema,
    Check.IMAGES: abilities.images,
    Check.EMBEDDINGS: abilities.embeddings,
    Check.AUDIO: abilities.audio,
    Check.METRICS: watching.metrics,
    Check.SPEED_ALONE: streams.speed_alone,
    Check.SPEED_TOGETHER: streams.speed_together,
    Check.PEERS: watching.peers,
    **REPLAY,
}
NEEDS: Mapping[Check, Check] = {
    Check.CONNECTION: Check.DNS,
    Check.TLS: Check.CONNECTION,
    Check.AUTHENTICATION: Check.TLS,
    Check.MODEL: Check.AUTHENTICATION,
    Check.METRICS: Check.AUTHENTICATION,
    Check.STREAM_USAGE: Check.STREAMING,
    Check.SPEED_ALONE: Check.STREAMING,
    Check.SPEED_TOGETHER: Check.STREAMING,
    **dict.fromkeys(
        (
            *(Check.STREAMING, Check.CONTEXT, Check.TOOLS, Check.JSON_SCHEMA, Check.IMAGES),
            *(Check.EMBEDDINGS, Check.AUDIO, Check.PEERS),
        ),
        Check.MODEL,
    ),
}
"""What must not have failed before a check says anything: one fault is one red line."""
_OF_CHAT = frozenset(
    {
        *(Check.STREAMING, Check.STREAM_USAGE, Check.CONTEXT, Check.TOOLS, Check.JSON_SCHEMA),
        *(Check.IMAGES, Check.SPEED_ALONE, Check.SPEED_TOGETHER, Check.PEERS, *REPLAY),
    }
)


async def examine(
    job: ConformityJob, client: Client, keys: tuple[Fernet, ...], lookup: Lookup = system_lookup
) -> AsyncGenerator[Line]:
    """Yield the lines of a run. Never raises on what a server or the network does."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + RUN_SECONDS
    subject = _subject(job, client, keys, lookup)
    verdicts: dict[Check, Verdict] = {}
    for check in CHECKS[job.kind]:
        began = loop.time()
        if isinstance(subject, Outcome):
            outcome = _unusable(check, subject, verdicts)
        else:
            outcome = _spared(check, subject, verdicts) or await _made(check, subject, ends_at)
        verdicts[check] = outcome.verdict
        yield Line(
            check=check,
            verdict=outcome.verdict,
            finding=outcome.finding,
            figures=outcome.figures,
            milliseconds=round((loop.time() - began) * 1000),
        )


def _subject(
    job: ConformityJob, client: Client, keys: tuple[Fernet, ...], lookup: Lookup
) -> Subject | Outcome:
    try:
        asker = Asker(client, destination_of(job.server, keys))
    except UnsealError:
        return failed(Finding.UNREADABLE_KEY)
    except EgressRefused:
        return failed(Finding.BAD_ADDRESS)

    def peer(other: Peer) -> Asker | None:
        try:
            return Asker(client, destination_of(other.server, keys))
        except (UnsealError, EgressRefused):
            return None

    return Subject(job=job, asker=asker, policy=client.policy, lookup=lookup, peer=peer)


def _unusable(check: Check, outcome: Outcome, verdicts: Mapping[Check, Verdict]) -> Outcome:
    """The first line that is concerned says why the server cannot be asked at all."""
    concerned = Check.AUTHENTICATION
    if outcome.finding is Finding.BAD_ADDRESS:
        concerned = Check.DNS
    is_first_replay = check in REPLAY and not verdicts
    if check is concerned or is_first_replay:
        return outcome
    return skipped(Finding.NOT_REACHED, needs=concerned.value)


def _spared(check: Check, subject: Subject, verdicts: Mapping[Check, Verdict]) -> Outcome | None:
    """Return why a check is not made, None when it is."""
    needed = NEEDS.get(check)
    while needed is not None:
        if verdicts.get(needed) is Verdict.FAILED:
            return skipped(Finding.NOT_REACHED, needs=needed.value)
        needed = NEEDS.get(needed)
    declared = subject.declared
    wanted = {
        Check.TOOLS: declared.tools,
        Check.JSON_SCHEMA: declared.json_schema,
        Check.IMAGES: declared.images,
        Check.EMBEDDINGS: declared.embeddings,
        Check.AUDIO: declared.audio,
    }.get(check, True)
    if not wanted or (check in _OF_CHAT and not declared.chat):
        return skipped(Finding.NOT_DECLARED)
    return None


async def _made(check: Check, subject: Subject, ends_at: float) -> Outcome:
    left = min(CHECK_SECONDS, ends_at - asyncio.get_running_loop().time())
    if left <= 0:
        return failed(Finding.OUT_OF_TIME)
    try:
        async with asyncio.timeout(left):
            return await EXAMINES[check](subject)
    except TimeoutError:
        return failed(Finding.OUT_OF_TIME, seconds=round(left))
    except Exception:
        # A mistake of ours: it must show as one, and not end the run without a word.
        logger.exception("the check %s of run %s has failed", check, subject.job.run_id)
        return failed(Finding.OWN_FAULT)
