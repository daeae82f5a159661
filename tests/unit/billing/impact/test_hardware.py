import pytest

from billing.impact.hardware import ACCELERATORS, B200, H100, find_accelerator


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("H100", "H100"),
        ("h100 80 GB", "H100"),
        ("H100 80 Go", "H100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("2× H100 SXM5", "H100"),
        ("8xH100", "H100"),
        ("8 x H100", "H100"),
        ("H100x4", "H100"),
        ("DGX H100", "H100"),
        ("H100SXM", "H100"),
        ("NVIDIA H100 PCIe", "H100-PCIE"),
        ("H100 PCI-e", "H100-PCIE"),
        ("H100 PCI Express", "H100-PCIE"),
        ("NVIDIA H100 NVL", "H100-NVL"),
        ("H100 94 Go", "H100-NVL"),
        ("NVIDIA H200", "H200"),
        ("H200 NVL 141GB", "H200-NVL"),
        ("NVIDIA B200", "B200"),
        ("NVIDIA A100-SXM4-80GB", "A100-80"),
        ("A100", "A100-80"),
        ("A100-PCIE-40GB", "A100-40-PCIE"),
        ("A100 40 Go", "A100-40"),
        ("A100 80GB PCIe", "A100-80-PCIE"),
        ("L40S", "L40S"),
        ("L40 S", "L40S"),
        ("NVIDIA L40", "L40"),
        ("NVIDIA A40", "A40"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA L4", "L4"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-32GB", "V100"),
        ("V100 PCIe 16 Go", "V100-PCIE"),
        ("AMD Instinct MI300X", "MI300X"),
    ],
)
def test_a_gpu_is_known_by_the_names_that_people_and_drivers_use(name: str, code: str) -> None:
    found = find_accelerator(name)

    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "GPU",
        "GH200",
        "GB200",
        "A10G",
        "RTX A4000",
        "Quadro RTX 6000",
        "H1000",
        "H100 et A100",
        "L40S ou L40",
        "NVIDIA A100 MIG 3g.40gb",
        "NVIDIA H100 1g.10gb",
        "vGPU A100",
        "NVIDIA L40S-48Q",
        "é" * 80,
    ],
)
def test_a_gpu_that_is_not_known_for_sure_is_none(name: str) -> None:
    assert find_accelerator(name) is None


@pytest.mark.parametrize("code", ACCELERATORS)
def test_a_code_finds_its_own_accelerator(code: str) -> None:
    assert find_accelerator(code) is ACCELERATORS[code]


def test_two_are_fitted_and_all_others_derived() -> None:
    assert [a.code for a in ACCELERATORS.values() if a.fitted] == ["H100", "B200"]


@pytest.mark.parametrize(
    ("code", "reading", "reckoning"),
    [
        ("H200", 0.70, 1.0),
        ("A100-80", 0.94, 1.81),
        ("L40S", 1.94, 1.37),
        ("V100", 1.60, 3.39),
    ],
)
def test_what_is_derived_follows_watts_per_bandwidth_and_per_operation(
    code: str, reading: float, reckoning: float
) -> None:
    accelerator = ACCELERATORS[code]

    assert accelerator.k_w / H100.k_w == pytest.approx(reading, abs=0.005)
    assert accelerator.k_a / H100.k_a == pytest.approx(reckoning, abs=0.005)
    assert (accelerator.k_c, accelerator.k_n) == (H100.k_c, H100.k_n)


def test_an_h100_reckons_and_draws_what_research_says() -> None:
    assert H100.flop_per_joule == pytest.approx(6.36e11, rel=1e-3)
    assert H100.typical_w == pytest.approx(519, abs=1)


def test_a_newer_accelerator_reads_a_prompt_for_less() -> None:
    assert B200.flop_per_joule > H100.flop_per_joule > ACCELERATORS["V100"].flop_per_joule
