"""From what a technical form calls a quantisation to the bits that a weight takes, its scales included."""

import re

PLAIN_BITS = 16.0
"""Of a model that is served as it was published: BF16 or FP16."""

_NAMED = (
    (re.compile(r"mx-?fp-?4"), 4.25),  # 32 weights share a scale of 8 bits
    (re.compile(r"nv-?fp-?4"), 4.5),  # 16 weights share one
    (re.compile(r"fp-?32|float32|f32"), 32.0),
    (re.compile(r"bf-?16|fp-?16|float16|f16|half"), 16.0),
    (
        re.compile(r"w4a(4|8|16)|awq|gptq|nf4|bnb-?4|marlin"),
        4.25,
    ),  # groups of 128 with a scale and a zero
    (re.compile(r"w8a(8|16)|fp-?8|f8|int-?8|bnb-?8|e4m3|e5m2"), 8.0),
    (re.compile(r"int-?4|fp-?4|4-?bit"), 4.25),
    (re.compile(r"8-?bit"), 8.0),
)
_GGUF = re.compile(r"(?:i?q|tq)(\d)(?:_(\d|k|nl|xxs|xs|s|m)(?:_(\w+))?)?")
_GGUF_BITS = {
    **{"q2": 3.0, "q3": 3.9, "q4": 4.85, "q5": 5.7, "q6": 6.56, "q8": 8.5},
    **{"q4_0": 4.55, "q4_1": 5.0, "q5_0": 5.54, "q5_1": 6.0, "q4_k_s": 4.58, "q5_k_s": 5.54},
    **{"q3_k_s": 3.5, "q3_k_l": 4.27, "iq1": 1.7, "iq2": 2.5, "iq3": 3.5, "iq4": 4.4},
}
"""Bits of a weight in llama.cpp's files, whole file over parameters: its own table for Llama 3.1 8B, rounded."""
_GPTQ_BITS = re.compile(r"(?:gptq|awq|w)[-_ ]?(?:int)?[-_ ]?([2348])\b")


def weight_bits(quantisation: str) -> float | None:
    """Return the bits of a weight as stored: `FP8` is 8, `Q4_K_M` 4.85. Empty is 16; None for what is not known."""
    name = quantisation.strip().casefold()
    if not name:
        return PLAIN_BITS
    if found := _GGUF.search(name):
        whole = found.group(0)
        family = re.sub(r"(\d).*", r"\1", whole)
        return _GGUF_BITS.get(whole, _GGUF_BITS.get(family))
    if (told := _GPTQ_BITS.search(name)) and told.group(1) != "4":
        return float(told.group(1)) + 0.25
    return next((bits for pattern, bits in _NAMED if pattern.search(name)), None)
