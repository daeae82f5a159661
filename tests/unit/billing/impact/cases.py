"""Facts that the impact of a request is held against, and machines to try."""

from dataclasses import dataclass

from billing.impact.energy import Conditions, Instance
from billing.impact.hardware import H100
from billing.impact.interval import Interval


def llama(params: float = 8.03, n_gpu: int = 1) -> Instance:
    return Instance(params=params, active=params, bits=16, accelerator=H100, n_gpu=n_gpu)


GPT_OSS = Instance(params=117, active=5.1, bits=4.25, accelerator=H100, n_gpu=1)
QWEN = Instance(params=30.5, active=3.3, bits=16, accelerator=H100, n_gpu=1)

LLAMA_8B, LLAMA_70B, GEMMA = llama(), llama(70.6, n_gpu=4), llama(27.4)


def at(batch: float, **others: object) -> Conditions:
    return Conditions(batch_milli=round(batch * 1000), **others)  # type: ignore[arg-type]


NO_OVERHEAD = Interval(0, 0, 0)


@dataclass(frozen=True)
class Measured:
    """A point of the ML.ENERGY Leaderboard v3 (ml-energy/leaderboard, commit 0cd52da): GPUs alone."""

    name: str
    instance: Instance
    batch: int
    joules_per_token: float
    power_w: float
    tokens_per_s: float


MEASURED = (
    Measured("B1", LLAMA_8B, 8, 0.4548, 486, 1070),
    Measured("B2", LLAMA_8B, 64, 0.1186, 610, 5147),
    Measured("B3", LLAMA_8B, 256, 0.0766, 691, 9010),
    Measured("B4", LLAMA_70B, 8, 3.847, 1787, 465),
    Measured("B5", LLAMA_70B, 64, 0.8223, 2108, 2564),
    Measured("B6", LLAMA_70B, 256, 0.4911, 2519, 5130),
    Measured("B7", GPT_OSS, 8, 0.6841, 550, 804),
    Measured("B8", GPT_OSS, 64, 0.2676, 688, 2572),
    Measured("B9", QWEN, 64, 0.2218, 480, 2164),
    Measured("B10", GEMMA, 32, 0.5251, 571, 1088),
)
