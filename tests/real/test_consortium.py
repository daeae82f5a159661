"""The whole way from an empty federation to a streamed answer, with a real vLLM as the server that is lent."""

from collections.abc import Iterator

import pytest

from tests.real.conftest import SERVED_NAME, TOKEN
from tests.support.journey import FEWER_CLICKS_THAN, Lent, answered_by, chromium, walk
from tests.support.product import Product, running

WINDOW = 1024


@pytest.fixture
def empty() -> Iterator[Product]:
    """An empty federation, whose e-mails can be read."""
    with running("rehearse") as copy:
        copy.wait_ready()
        yield copy


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_real_server_is_lent_and_answers_in_under_forty_clicks(
    vllm: str, empty: Product, language: str
) -> None:
    lent = Lent("GPU-1", vllm, TOKEN, "tiny-llama-of-nantes", SERVED_NAME, WINDOW)

    with chromium() as browser:
        tally, _answer = walk(empty, browser, lent, language)

    assert answered_by(empty) == [("GPU-1", "ok", True)]
    assert len(tally.clicks) < FEWER_CLICKS_THAN, "\n".join(tally.clicks)
