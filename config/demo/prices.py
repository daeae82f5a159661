"""What the demonstration's models cost, since before its first request; and the federation's fee.

Written past the operations, which change nothing that is past.
"""

from datetime import datetime, timedelta

from billing.enums import PriceKind
from billing.models import FeeVersion, PriceVersion
from config.demo.history import pilot_day
from federation.catalogue.models import AIModel

BEFORE = timedelta(days=2)
PRICES = {
    "gpt-oss-120b": (150, 600),
    "mistral-small-3.2-24b": (100, 300),
    "llama-3.3-70b": (400, 900),
    "qwen-3-30b": (90, 350),
    "llama-3.1-8b": (40, 90),
    "qwen-2.5-3b": (20, 50),
}
"""Nano-euros a token, read and written: figures of a demonstration, not of a tariff."""
HEARD = {"whisper-large-v3": 5_000}
"""Nano-euros a second of audio."""
FEE = 300
"""Basis points."""


def set_prices(now: datetime) -> None:
    """Make the prices and the fee that are missing; those that were set since stay."""
    begun = pilot_day(now) - BEFORE
    for model in AIModel.objects.filter(slug__in=PRICES, prices=None):
        read, written = PRICES[model.slug]
        PriceVersion.objects.create(
            model=model,
            valid_from=begun,
            kind=PriceKind.PROVISIONAL,
            prompt_nano=read,
            cached_nano=read // 2,
            completion_nano=written,
            note="Démonstration",
        )
    for model in AIModel.objects.filter(slug__in=HEARD, prices=None):
        PriceVersion.objects.create(
            model=model,
            valid_from=begun,
            kind=PriceKind.PROVISIONAL,
            audio_second_nano=HEARD[model.slug],
            note="Démonstration",
        )
    if not FeeVersion.objects.exists():
        FeeVersion.objects.create(basis_points=FEE, valid_from=begun, note="Démonstration")
