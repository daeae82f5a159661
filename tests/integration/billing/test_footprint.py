"""What old records tell of the planet: what they told, whatever is known better since."""

from dataclasses import replace

import pytest

from billing.impact.enums import Method
from billing.impact.factors import FRANCE, NAMED, Impact, Lifetime, Making
from billing.models import UsageMonth
from billing.usage.asked import Part
from billing.usage.footprint import of_sums
from routing.core.accounting import Energy
from tests.integration.billing.conftest import Use

pytestmark = pytest.mark.django_db
KWH = 3_600_000_000


def answered(use: Use, factors: str) -> None:
    use(
        energy=Energy(
            method=Method.MODEL,
            version=1,
            mj=KWH,
            low_mj=KWH,
            high_mj=KWH,
            gpu_ms=3_600_000,
            pue_milli=1500,
            factors=factors,
        )
    )


def told(factors: str) -> Impact:
    return of_sums([Part(UsageMonth.objects.filter(factors=factors))]).impact


def test_a_new_set_changes_nothing_of_what_old_records_tell(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the electricity's part nor the machines'."""
    old = FRANCE.making
    making = Making(
        gpu=replace(old.gpu, co2e_kg=2 * old.gpu.co2e_kg),
        server=replace(old.server, co2e_kg=2 * old.server.co2e_kg),
        gpus_of_a_server=old.gpus_of_a_server,
        lifetime=Lifetime(2.5, 2.5, 2.5),
    )
    newer = replace(FRANCE, version=2, gwp_mg_per_kwh=30_000, making=making)
    answered(use, FRANCE.name)
    before = told(FRANCE.name)

    monkeypatch.setattr("billing.usage.footprint.NAMED", {**NAMED, newer.name: newer})
    answered(use, newer.name)

    assert told(FRANCE.name) == before
    assert before.co2e_embodied_g.central == pytest.approx(22.5, abs=0.05)
    since = told(newer.name)
    assert since.co2e_use_g.central == pytest.approx(30)
    assert since.co2e_embodied_g.central == pytest.approx(4 * before.co2e_embodied_g.central)
    assert since.adpe_embodied_mg.central == pytest.approx(2 * before.adpe_embodied_mg.central)
