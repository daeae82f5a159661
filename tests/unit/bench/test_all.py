"""`make bench`: which measurements run, and that results name no machine."""

import json
import platform
import subprocess
from pathlib import Path

import pytest

import bench.__main__ as everything
from bench.__main__ import ROOT, Step, about_machine, carry_out, main
from bench.relay import ratio


def a_step(text: str, code: int = 0) -> Step:
    program = f"print({text!r}); raise SystemExit({code})"
    return Step("a_step", ("-c", program), "A step")


def test_what_a_step_prints_is_its_report(tmp_path: Path) -> None:
    assert carry_out(a_step("| a | b |"), tmp_path) == 0
    assert (tmp_path / "a_step.md").read_text() == "# A step\n\n| a | b |\n"


def test_a_step_that_fails_leaves_no_report_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, fine = a_step("x", 3), a_step("y")._replace(name="fine")
    monkeypatch.setattr(everything, "steps", lambda *_: [failing, fine])

    assert main(["--out", str(tmp_path)]) == 1

    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "fine.md"]
    assert "A step: **failed**" in (tmp_path / "README.md").read_text()


def test_the_machine_is_described_and_not_named() -> None:
    text = "\n".join(about_machine())

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


def test_a_latency_lost_in_the_noise_gives_no_ratio() -> None:
    assert (ratio(1.0, 2.0), ratio(1.0, 0.0), ratio(1.0, -0.1)) == ("0.5", "–", "–")
