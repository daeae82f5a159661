"""Published measurements and answers that the method is held against: page, documentation and tests read them here.

The measurements are ten of the ML.ENERGY Leaderboard v3 (repository ml-energy/leaderboard, commit 0cd52da; B7 and B8
of its task gpqa, the others of lm-arena-chat): the energy of the GPUs alone. Not here: the points that were fitted.
"""

from dataclasses import dataclass
from statistics import median

from billing.impact.energy import Instance, decode_joules
from billing.impact.hardware import H100

LEADERBOARD = "ML.ENERGY Leaderboard v3, 0cd52da"
LEADERBOARD_URL = "https://github.com/ml-energy/leaderboard"


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on a server that was busy all the time, `batch` requests at a time, and what its GPUs drew."""

    name: str
    model: str
    weights: str
    """Their format, as BF16."""
    instance: Instance
    batch: int
    joules_per_token: float
    power_w: float
    tokens_per_s: float

    @property
    def modelled(self) -> float:
        """Joules per token written, as we reckon them."""
        return decode_joules(self.instance, self.batch)

    @property
    def ratio(self) -> float:
        """Ours over the measured one."""
        return self.modelled / self.joules_per_token

    @property
    def error(self) -> float:
        """Share of the measured one by which ours is off."""
        return abs(self.ratio - 1)


def _dense(params: float, n_gpu: int = 1) -> Instance:
    return Instance(params=params, active=params, bits=16, accelerator=H100, n_gpu=n_gpu)


LLAMA_8B, LLAMA_70B, GEMMA = _dense(8.03), _dense(70.6, n_gpu=4), _dense(27.4)
GPT_OSS = Instance(params=117, active=5.1, bits=4.25, accelerator=H100, n_gpu=1)
QWEN = Instance(params=30.5, active=3.3, bits=16, accelerator=H100, n_gpu=1)

MEASURED = (
    Measured("B1", "Llama 3.1 8B", "BF16", LLAMA_8B, 8, 0.4548, 486, 1070),
    Measured("B2", "Llama 3.1 8B", "BF16", LLAMA_8B, 64, 0.1186, 610, 5147),
    Measured("B3", "Llama 3.1 8B", "BF16", LLAMA_8B, 256, 0.0766, 691, 9010),
    Measured("B4", "Llama 3.3 70B", "BF16", LLAMA_70B, 8, 3.847, 1787, 465),
    Measured("B5", "Llama 3.3 70B", "BF16", LLAMA_70B, 64, 0.8223, 2108, 2564),
    Measured("B6", "Llama 3.3 70B", "BF16", LLAMA_70B, 256, 0.4911, 2519, 5130),
    Measured("B7", "gpt-oss-120b", "MXFP4", GPT_OSS, 8, 0.6841, 550, 804),
    Measured("B8", "gpt-oss-120b", "MXFP4", GPT_OSS, 64, 0.2676, 688, 2572),
    Measured("B9", "Qwen3 30B-A3B", "BF16", QWEN, 64, 0.2218, 480, 2164),
    Measured("B10", "Gemma 3 27B", "BF16", GEMMA, 32, 0.5251, 571, 1088),
)


def median_error() -> float:
    """Share by which ours is off for half of `MEASURED`."""
    return median(point.error for point in MEASURED)


def largest_error() -> float:
    return max(point.error for point in MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """500 tokens written in France, as two versions of EcoLogits tell them, in Wh of the site.

    `batch`: requests at a time, under which ours is told beside it.
    """

    model: str
    instance: Instance
    ecologits_0_8_2: tuple[float, float]
    """At least and at most; 0.11.3 is reckoned by `ecologits`."""
    batch: int


COMPLETION = 500
ECOLOGITS_PUE = 1.2
"""Of the site that EcoLogits takes when none is named."""

ANSWERED = (
    Answered(
        model="Llama 3.1 8B",
        instance=LLAMA_8B,
        ecologits_0_8_2=(1.28, 2.50),
        batch=32,
    ),
    Answered(
        model="Llama 3.3 70B",
        instance=LLAMA_70B,
        ecologits_0_8_2=(5.67, 6.89),
        batch=16,
    ),
)

MISTRAL_LARGE = _dense(123, n_gpu=4)
MISTRAL_TOKENS = 400
MISTRAL_CO2E_G = 1.14
"""Of an answer of 400 tokens: life-cycle assessment of Mistral Large 2, with ADEME and Carbone 4."""
