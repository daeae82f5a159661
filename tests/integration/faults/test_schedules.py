"""A few random fault schedules: those whose seeds once failed, and three more. `bench/faults.py` runs new ones."""

from pathlib import Path

import pytest

from tests.support.faults.house import run_undisturbed
from tests.support.faults.schedule import schedule

ONCE_FAILED = {
    7: "a log-in page instead of the promised stream was told to the client, though another server was well",
    12: "a model that its only server had lost for a moment was missing for two minutes",
    38: "a server was out of service though it had long been well again",
}
THREE_MORE = (101, 102, 103)


@pytest.mark.parametrize("seed", [*ONCE_FAILED, *THREE_MORE])
async def test_no_client_meets_an_error_that_a_healthy_server_could_have_spared(
    tmp_path: Path, seed: int
) -> None:
    verdict = await run_undisturbed(schedule(seed), tmp_path)

    assert verdict.complaints == [], f"seed {seed}"
