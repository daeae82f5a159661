"""The pip that the project carries is the one its page describes."""

import hashlib
import re

from config.launch.bootstrap import vendored_pip
from config.launch.environment import ROOT


def test_the_vendored_pip_has_the_name_and_sum_that_its_page_gives() -> None:
    page = (ROOT / "vendor" / "README.md").read_text()
    described = re.search(r"\| `(pip-[^`]+\.whl)` \|.*\| `([0-9a-f]{64})` \|", page)
    assert described is not None
    wheel = vendored_pip()
    assert described.groups() == (wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest())
