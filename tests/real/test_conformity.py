"""A conformity run against a real vLLM: what it is declared to do is green, what it is not is red."""

import asyncio

import msgspec
import pytest

from routing.core.conformity import (
    Check,
    ConformityJob,
    Declaration,
    Finding,
    Line,
    RunKind,
    Verdict,
)
from routing.upstream.client import Client
from routing.upstream.conformity import examine
from routing.upstream.credentials import load_keys
from routing.upstream.egress import EgressPolicy
from tests.real.conftest import SERVED_NAME, TOKEN
from tests.support.router import ENCRYPTION_KEY, a_server

WINDOW = 1024


def report(
    url: str, declared: Declaration, kind: RunKind = RunKind.CONFORMITY
) -> dict[Check, Line]:
    async def made() -> dict[Check, Line]:
        client = Client(EgressPolicy())
        job = ConformityJob(
            run_id="1",
            attempt=1,
            kind=kind,
            server=a_server("rennes-1", url, TOKEN),
            declared=declared,
        )
        try:
            keys = load_keys(ENCRYPTION_KEY)
            return {line.check: line async for line in examine(job, client, keys)}
        finally:
            await client.close()

    return asyncio.run(made())


@pytest.fixture
def declared() -> Declaration:
    return Declaration(served_name=SERVED_NAME, context_length=WINDOW)


def test_a_real_vllm_does_what_is_declared_of_it(vllm: str, declared: Declaration) -> None:
    lines = report(vllm, declared)

    assert {check for check, line in lines.items() if line.verdict is Verdict.FAILED} == set()
    assert lines[Check.CONTEXT].finding is Finding.WINDOW_FITS
    assert lines[Check.STREAM_USAGE].finding is Finding.COUNTS
    assert lines[Check.METRICS].finding is Finding.METRICS_READ


def test_a_real_vllm_answers_the_fixed_prompts(vllm: str, declared: Declaration) -> None:
    lines = report(vllm, declared, RunKind.REPLAY)

    assert {
        check: line.finding for check, line in lines.items() if line.verdict is not Verdict.OK
    } == {}


def test_what_is_declared_wrongly_of_a_real_vllm_is_red(vllm: str, declared: Declaration) -> None:
    wrong = msgspec.structs.replace(declared, context_length=2 * WINDOW, embeddings=True)
    lines = report(vllm, wrong)

    assert {check for check, line in lines.items() if line.verdict is Verdict.FAILED} == {
        Check.CONTEXT,
        Check.EMBEDDINGS,
    }
