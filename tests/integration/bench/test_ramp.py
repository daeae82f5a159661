"""The live experiment in a few seconds: real servers, a real router, both arms, a report and its page."""

from pathlib import Path

from bench.ramp.__main__ import main
from bench.ramp.asking import Status
from bench.ramp.load import Ramp
from bench.ramp.running import run
from bench.ramp.stage import ARMS


def test_both_arms_are_asked_the_same_and_answer() -> None:
    found = run(Ramp(seconds=2.0, seed=1, users=3))

    assert {answer.status for answer in found.answers} == {Status.OK}
    assert {answer.arm for answer in found.answers} == {arm.title for arm in ARMS}
    assert found.looks
    assert set(found.cpu) == {"clients", "router", "simulator"}


def test_the_command_writes_a_report_and_a_page(tmp_path: Path) -> None:
    assert main(["--overload", "0.3", "--minutes", "0.05", "--out", str(tmp_path)]) == 0

    assert "TTFT p99" in (tmp_path / "overload.md").read_text()
    page = (tmp_path / "overload.html").read_text()
    assert page.count("Plotly.newPlot") == 4
    assert "static/vendor/plotly-cartesian.min.js" in page
