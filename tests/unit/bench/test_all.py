"""`make bench`: which measurements run, and that results name no machine."""

import json
import platform
import subprocess
from pathlib import Path

import pytest

import bench.__main__ as everything
from bench.__main__ import NAMES, ROOT, Step, carry_out, machine, main, steps
from bench.relay import ratio


def a_step(text: str, code: int = 0) -> Step:
    program = f"print({text!r}); raise SystemExit({code})"
    return Step("a_step", ("-c", program), "A step")


def test_what_a_step_prints_is_its_report(tmp_path: Path) -> None:
    assert carry_out(a_step("| a | b |"), tmp_path)

    written = (tmp_path / "a_step.md").read_text()
    assert written.startswith("# A step\n\n| a | b |\n\n")
    assert "load" in written


def test_a_step_that_fails_leaves_no_report_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, fine = a_step("x", 3)._replace(name="decide"), a_step("y")._replace(name="relay")
    monkeypatch.setattr(everything, "steps", lambda *_: [failing, fine])

    assert main(["--out", str(tmp_path)]) == 1

    assert [path.name for path in tmp_path.iterdir()] == ["relay.md"]


def test_the_machine_is_described_and_not_named() -> None:
    text = machine()

    assert platform.python_version() in text
    assert platform.node() not in text


def test_no_kept_result_names_this_machine_or_its_folders() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "bench/results"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    for name in listed.stdout.split():
        text = (ROOT / name).read_text()
        assert str(ROOT) not in text, name
        assert json.dumps(platform.node()) not in text, name


def test_every_measurement_can_be_chosen_and_is_explained() -> None:
    options = everything._parser().parse_args([])
    known = [step.name for step in steps(options, Path())]
    text = (ROOT / "bench" / "README.md").read_text()

    assert known == list(NAMES)
    for name in known:
        assert f"| `{name}` |" in text


def test_a_latency_lost_in_the_noise_gives_no_ratio() -> None:
    assert (ratio(1.0, 2.0), ratio(1.0, 0.0), ratio(1.0, -0.1)) == ("0.5", "–", "–")
