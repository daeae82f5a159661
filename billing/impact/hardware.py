"""Accelerators: what they draw, and how fast they read and reckon.

Fitted: H100 and B200, on energies of the ML.ENERGY Leaderboard v3 (repository ml-energy/leaderboard, commit 0cd52da;
tasks lm-arena-chat and gpqa; 258 and 257 points). The coefficients are ours, the measurements theirs.
Derived: every other one, from the H100's coefficients and the maker's data sheet; said so by `fitted`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

UTILISATION = 0.45
"""Share of the peak that reading a prompt reaches at full power. Derived, not measured."""

TYPICAL_LOAD = 0.74
"""Typical power over TDP: the median of ML.ENERGY's H100 runs is 519 W of 700."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One GPU. `peak_tflops`: 10¹² dense 16-bit operations a second, without sparsity.

    The coefficients of a token written (`energy.decode_joules`):
    k_w  J per gigabyte of weights read from memory, once for the whole batch
    k_a  J per 10⁹ active parameters, for each token
    k_c  J per GPU, once for the whole batch
    k_n  J per GPU, for each token
    """

    code: str
    tdp_w: float
    bandwidth_tb_s: float
    vram_gb: float
    peak_tflops: float
    k_w: float
    k_a: float
    k_c: float
    k_n: float
    fitted: bool

    @property
    def flop_per_joule(self) -> float:
        """Operations for a joule while it reads a prompt. H100: 6.36e11."""
        return UTILISATION * self.peak_tflops * 1e12 / self.tdp_w

    @property
    def typical_w(self) -> float:
        """Watts under an ordinary load."""
        return TYPICAL_LOAD * self.tdp_w


H100 = Accelerator(
    code="H100",
    tdp_w=700,
    bandwidth_tb_s=3.35,
    vram_gb=80,
    peak_tflops=989,
    k_w=0.213,
    k_a=0.00364,
    k_c=0.719,
    k_n=0.0410,
    fitted=True,
)
B200 = Accelerator(
    code="B200",
    tdp_w=1000,
    bandwidth_tb_s=8.0,
    vram_gb=180,
    peak_tflops=2250,
    k_w=0.2567,
    k_a=0.00204,
    k_c=0.280,
    k_n=0.0393,
    fitted=True,
)


def _derived(code: str, tdp_w: float, tb_s: float, vram_gb: float, tflops: float) -> Accelerator:
    """Carry the H100's coefficients over: reading costs watts per bandwidth, reckoning watts per operation."""
    reading = (tdp_w / tb_s) / (H100.tdp_w / H100.bandwidth_tb_s)
    reckoning = (tdp_w / tflops) / (H100.tdp_w / H100.peak_tflops)
    return Accelerator(
        code=code,
        tdp_w=tdp_w,
        bandwidth_tb_s=tb_s,
        vram_gb=vram_gb,
        peak_tflops=tflops,
        k_w=H100.k_w * reading,
        k_a=H100.k_a * reckoning,
        k_c=H100.k_c,
        k_n=H100.k_n,
        fitted=False,
    )


_KNOWN = (
    H100,
    B200,
    # Makers' data sheets: W, TB/s, GB, dense 16-bit tensor TFLOPS.
    _derived("H100-PCIE", 350, 2.0, 80, 756),
    _derived("H100-NVL", 400, 3.9, 94, 835),
    _derived("H200", 700, 4.8, 141, 989),
    _derived("H200-NVL", 600, 4.8, 141, 835),
    _derived("A100-80", 400, 2.039, 80, 312),
    _derived("A100-80-PCIE", 300, 1.935, 80, 312),
    _derived("A100-40", 400, 1.555, 40, 312),
    _derived("A100-40-PCIE", 250, 1.555, 40, 312),
    _derived("A40", 300, 0.696, 48, 149.7),
    _derived("A30", 165, 0.933, 24, 165),
    _derived("A10", 150, 0.6, 24, 125),
    _derived("L40S", 350, 0.864, 48, 362),
    _derived("L40", 300, 0.864, 48, 181),
    _derived("L4", 72, 0.3, 24, 121),
    _derived("T4", 70, 0.32, 16, 65),
    _derived("V100", 300, 0.9, 32, 125),
    _derived("V100-PCIE", 250, 0.9, 32, 112),
    _derived("MI300X", 750, 5.3, 192, 1307.4),
)

ACCELERATORS = MappingProxyType({accelerator.code: accelerator for accelerator in _KNOWN})
"""By code."""

_FAMILIES = frozenset(code.partition("-")[0] for code in ACCELERATORS)
_SLICE = re.compile(r"\bmig\b|\b\d+g\.\d+gb|\bvgpu\b|-\d+[abcq]\b")
_COUNT = re.compile(r"\b\d+\s*x\s*(?=[a-z])|(?<=\d)x\d+\b")
_PCIE = re.compile(r"pci[- ]?e(xpress)?")
_GLUED = re.compile(r"(sxm\d?|pcie|nvl)")
_SPLIT = re.compile(r"[^a-z0-9]+")
_FORTY = frozenset({"40", "40gb", "40go", "40gib"})
_NVL = frozenset({"nvl", "94", "94gb", "94go", "94gib"})


def find_accelerator(name: str) -> Accelerator | None:
    """Return what a technical form or a driver calls a GPU: `2× H100 SXM5 80 Go`, `NVIDIA A100-PCIE-40GB`.

    None if it is not known, if two different ones are named, or for a slice of one (MIG, vGPU), whose share of the
    power nobody knows. An H100 or A100 without more is taken as the SXM form, A100 as the one of 80 GB.
    """
    text = _PCIE.sub("pcie", name.casefold().replace("×", "x"))
    if _SLICE.search(text):
        return None
    words = set(_words(_GLUED.sub(r" \1 ", _COUNT.sub(" ", text))))
    families = {word.upper() for word in words} & _FAMILIES
    if families == {"L40"} and "s" in words:
        families = {"L40S"}
    if len(families) != 1:
        return None
    return ACCELERATORS[_variant(families.pop(), words)]


def _words(text: str) -> Iterator[str]:
    return (word for word in _SPLIT.split(text) if word)


def _variant(family: str, words: set[str]) -> str:
    """Return the code of a family's form: its memory, then its board."""
    code = family
    if family == "A100":
        code = "A100-40" if words & _FORTY else "A100-80"
    if words & _NVL and f"{code}-NVL" in ACCELERATORS:
        return f"{code}-NVL"
    if "pcie" in words and f"{code}-PCIE" in ACCELERATORS:
        return f"{code}-PCIE"
    return code
