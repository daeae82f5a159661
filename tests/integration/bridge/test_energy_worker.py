"""The clerk's thread for measured energy: what cannot be settled waits, what is old is kept by the hour."""

import threading
from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.energy.metering import store_windows
from billing.models import EnergyHour, EnergyWindow
from billing.records import intake
from routing.bridge import clerk
from tests.integration.billing.test_settlement import T0, Served
from tests.support.meters import a_window

pytestmark = pytest.mark.django_db


class Rounds(threading.Event):
    """Is set after so many rounds, in no time."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        if self._left <= 0:
            self.set()
        return self.is_set()


@pytest.mark.parametrize(("between_upkeeps", "told"), [(3600.0, 2), (0.0, 5)])
def test_a_server_whose_windows_cannot_be_settled_is_tried_again_every_hour(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    between_upkeeps: float,
    told: int,
) -> None:
    """Of five rounds the first looks after the rest as well; others' windows are settled in each."""
    monkeypatch.setattr(clerk, "UPKEEP_SECONDS", between_upkeeps)
    served = Served()
    intake.store([served.request(10, 30)])
    store_windows([served.window(0, mj=2**62), a_window(UUID(int=5), T0)])

    clerk.share_energy(Rounds(5))

    assert len([each for each in caplog.records if each.levelname == "ERROR"]) == told
    (hour,) = EnergyHour.objects.all()
    assert (hour.server_id, hour.hour) == (UUID(int=5), datetime.fromtimestamp(T0, UTC))
    assert [each.server_id for each in EnergyWindow.objects.all()] == [served.deployment.server_id]


def test_a_calibration_that_fails_keeps_no_hour_from_being_kept(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calibrate_all(now: datetime) -> int:
        raise ArithmeticError(now)

    monkeypatch.setattr(clerk, "calibrate_all", calibrate_all)
    store_windows([a_window(UUID(int=5), T0)])

    clerk.share_energy(Rounds(2))

    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == [
        "calibrate_all failed: tried again later"
    ]
    assert EnergyHour.objects.count() == 1
