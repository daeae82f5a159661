"""From nothing to an answer, by pages alone: a federation begins, a member joins and lends, somebody asks."""

from collections.abc import Iterator

import pytest

from routing.simulator import SimulatedInThread, simulated_in_thread
from tests.support.journey import FEWER_CLICKS_THAN, Lent, answered_by, chromium, walk
from tests.support.product import Product, running

SERVED, KEY, WINDOW = "mistral-small", "sk-rehearsal", 32_768


@pytest.fixture
def product() -> Iterator[Product]:
    """An empty federation, whose e-mails can be read."""
    with running("rehearse") as copy:
        copy.wait_ready()
        yield copy


@pytest.fixture
def servers() -> Iterator[SimulatedInThread]:
    """An honest server, which remembers what it is asked."""
    server = {"name": "lent", "engine": "vllm", "model": SERVED, "api_key": KEY}
    with simulated_in_thread({"servers": [server], "speed": 0, "record": True}) as simulated:
        yield simulated


@pytest.mark.parametrize("language", ["fr", "en"])
def test_from_an_empty_federation_to_a_streamed_answer_in_under_forty_clicks(
    product: Product, servers: SimulatedInThread, language: str
) -> None:
    lent = Lent("GPU-1", servers.url("lent"), KEY, "mistral-small-3.2-24b", SERVED, WINDOW)

    with chromium() as browser:
        tally, answer = walk(product, browser, lent, language)

    assert answer
    assert answered_by(product) == [("GPU-1", "ok", True)]
    assert len(tally.clicks) < FEWER_CLICKS_THAN, "\n".join(tally.clicks)
