"""A small federation with prices and a fee that have changed once, for tests of what is owed."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.models import FeeVersion, PriceVersion
from federation.fleet.models import Deployment
from federation.members.models import Institution
from routing.core.accounting import Closed
from routing.core.enums import RequestStatus
from tests.integration.billing.conftest import id_at
from tests.support.factories import make_institution, serve_model
from tests.support.records import closed, opened

HISTORY = datetime(2026, 3, 10, 12, tzinfo=UTC)


def price_from(moment: datetime, deployment: Deployment, **units: int) -> PriceVersion:
    """A price with its beginning in the past, as only time can make one."""
    return PriceVersion.objects.create(
        model=deployment.version.model, valid_from=moment, **{"prompt_nano": 100, **units}
    )


@dataclass
class Market:
    """Rennes and Reims serve one model each; they and Orléans ask. Prices and fees have changed once."""

    rennes: Institution = field(default_factory=lambda: make_institution("rennes"))
    reims: Institution = field(default_factory=lambda: make_institution("reims"))
    orleans: Institution = field(default_factory=lambda: make_institution("orleans"))

    def __post_init__(self) -> None:
        self.served = [serve_model(self.rennes, "llama"), serve_model(self.reims, "qwen")]
        self.turn = HISTORY + timedelta(days=3)
        for served in self.served:
            price_from(HISTORY - timedelta(days=100), served, completion_nano=333, cached_nano=7)
            price_from(
                self.turn,
                served,
                prompt_nano=17,
                completion_nano=1001,
                audio_second_nano=77,
                image_nano=90_000,
            )
        begun = HISTORY - timedelta(days=100)
        FeeVersion.objects.create(basis_points=333, valid_from=begun)
        FeeVersion.objects.create(basis_points=500, valid_from=self.turn)
        FeeVersion.objects.create(institution=self.orleans, basis_points=0, valid_from=begun)

    def request(self, n: int) -> Closed:
        """The nth of many: around the change of prices, by anybody, with any outcome."""
        draw = random.Random(n)
        asking = draw.choice([self.rennes, self.reims, self.orleans])
        served = draw.choice(self.served)
        at = self.turn + timedelta(minutes=draw.randrange(-3000, 3000))
        status = draw.choice([RequestStatus.OK] * 4 + list(RequestStatus))
        return self.asked(
            asking,
            served,
            at,
            prompt_tokens=draw.randrange(5000),
            cached_tokens=draw.randrange(6000),
            completion_tokens=draw.randrange(3000),
            status=status,
            http_status=200 if status == RequestStatus.OK else draw.choice([0, 200, 503]),
            endpoint=draw.choice(["chat/completions", "chat/completions", "embeddings"]),
            audio_ms=draw.choice([0, draw.randrange(90_000)]),
            images=draw.choice([0, 0, 3]),
        )

    def asked(
        self,
        asking: Institution,
        served: Deployment,
        at: datetime = HISTORY,
        *,
        endpoint: str = "chat/completions",
        **facts: Any,
    ) -> Closed:
        asked = opened(
            id=str(id_at(at)),
            institution_id=str(asking.pk),
            model_id=str(served.version.model_id),
            received_at=at.timestamp(),
            endpoint=endpoint,
        )
        told = {
            "server_id": str(served.server_id),
            "deployment_id": str(served.pk),
            "finished_at": at.timestamp(),
        }
        return closed(asked, **told | facts)
