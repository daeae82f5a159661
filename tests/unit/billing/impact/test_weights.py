"""What technical forms call a quantisation."""

import pytest

from billing.impact.weights import weight_bits


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        *(("", 16), ("BF16", 16), ("float16", 16), ("fp32", 32)),
        *(("FP8", 8), ("fp8-e4m3", 8), ("W8A8", 8), ("INT8", 8), ("compressed-tensors w8a16", 8)),
        *(
            ("AWQ", 4.25),
            ("gptq-int4", 4.25),
            ("W4A16", 4.25),
            ("bnb-4bit", 4.25),
            ("GPTQ-Int8", 8.25),
        ),
        *(("MXFP4", 4.25), ("NVFP4", 4.5)),
        *(("Q4_K_M", 4.85), ("q4_0", 4.55), ("Q8_0", 8.5), ("IQ4_XS", 4.4), ("Q5_K_S", 5.54)),
        *(("as published", None), ("?", None)),
    ],
)
def test_a_quantisation_is_bits_of_a_weight(name: str, bits: float | None) -> None:
    assert weight_bits(name) == bits
