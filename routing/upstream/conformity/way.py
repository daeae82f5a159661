"""The way there: the name, the connection through the egress guard, the certificate."""

import asyncio

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import CONNECT_SECONDS, Outcome, failed, ok, skipped
from routing.upstream.conformity.subject import Subject
from routing.upstream.egress import resolve
from routing.upstream.errors import (
    ConnectCause,
    ConnectFailed,
    EgressRefused,
    RefusalReason,
    UpstreamError,
)
from routing.upstream.probe import MODELS_PATH


async def dns(subject: Subject) -> Outcome:
    """The name has addresses, as our resolver sees it."""
    target = subject.asker.destination.target
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await subject.lookup(target.host, target.port)
    except (ConnectFailed, TimeoutError):
        return failed(Finding.UNKNOWN_NAME, host=target.host)
    if set(found) == {target.host}:
        return ok(Finding.IS_ADDRESS, address=target.host)
    return ok(Finding.RESOLVED, addresses=len(found), address=found[0])


async def connection(subject: Subject) -> Outcome:
    """The guard lets us, and somebody listens. What is wrong with TLS is the next check's to say."""
    destination = subject.asker.destination
    target = destination.target
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            addresses = await resolve(
                target, subject.policy, destination.grants, lookup=subject.lookup
            )
    except EgressRefused as refusal:
        return _refused(refusal)
    except (ConnectFailed, TimeoutError):
        return failed(Finding.UNKNOWN_NAME, host=target.host)
    problem = await _connect(subject)
    match problem:
        case EgressRefused():
            return _refused(problem)
        case ConnectFailed(cause=ConnectCause.REFUSED):
            return failed(Finding.REFUSES_CONNECTIONS, port=target.port)
        case ConnectFailed(cause=ConnectCause.TIMEOUT):
            return failed(Finding.NO_ANSWER, port=target.port, seconds=CONNECT_SECONDS)
        case ConnectFailed(cause=ConnectCause.NAME):
            return failed(Finding.UNKNOWN_NAME, host=target.host)
    return ok(Finding.CONNECTED, address=addresses[0].ip, port=target.port)


async def tls(subject: Subject) -> Outcome:
    """The certificate is trusted for the name; in the clear only by the federation's leave."""
    if not subject.asker.destination.target.tls:
        return skipped(Finding.IN_CLEAR)
    problem = await _connect(subject)
    if isinstance(problem, ConnectFailed) and problem.cause is ConnectCause.TLS:
        if problem.wants_certificate:
            shown = subject.asker.destination.identity is not None
            return failed(Finding.WANTS_CERTIFICATE, shown=int(shown))
        return failed(Finding.CERTIFICATE, verify_code=problem.verify_code or 0)
    return ok(Finding.ENCRYPTED)


async def _connect(subject: Subject) -> UpstreamError | None:
    """Return what is in the way; what a server does once it is reached is not."""
    try:
        await subject.asker.connect(MODELS_PATH)
    except UpstreamError as error:
        return error
    return None


def _refused(refusal: EgressRefused) -> Outcome:
    if refusal.reason is RefusalReason.BAD_URL:
        return failed(Finding.BAD_ADDRESS)
    return failed(
        Finding.ADDRESS_REFUSED,
        reason=refusal.reason.value,
        address=refusal.address,
        port=refusal.port,
        grantable=int(refusal.grantable),
    )
