"""docs/commands.md: each of our commands is there, and each example works, one after the other."""

import os
import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "commands.md").read_text()
OURS = ("config", "dashboards", "federation", "routing", "billing")
EXAMPLES = [
    line
    for block in re.findall(r"^```\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


def words_of(example: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables that a line sets, and the command with its arguments."""
    inner = re.fullmatch(r"KEY=\$\((.*) \| tail -n 1\)", example)
    words = shlex.split(inner[1] if inner else example)
    start = words.index("manage.py")
    assert words[start - 1] == ".venv/bin/python"
    variables = dict(word.split("=", 1) for word in words[: start - 1])
    return variables, words[start + 1 :]


def test_every_command_of_ours_is_explained() -> None:
    ours = {name for name, app in get_commands().items() if str(app).startswith(OURS)}
    explained = {
        name
        for heading in re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
        for name in heading.split(", ")
    }

    assert explained == ours


def test_every_example_works_when_it_is_pasted_after_the_others(
    transactional_db: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(EXAMPLES) > 8

    for example in EXAMPLES:
        variables, words = words_of(example)
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setitem(os.environ, name, value)
            call_command(*words)

    assert settings.PUBLIC_URL in capsys.readouterr().out
