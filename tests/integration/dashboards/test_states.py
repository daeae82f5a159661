"""docs/states.md is drawn from the code, and shows every table."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from dashboards.states import document, tables


def test_the_document_is_what_the_code_says() -> None:
    assert (Path(settings.ROOT) / "docs" / "states.md").read_text() == document()


def test_every_step_of_every_table_is_drawn() -> None:
    drawn = document()
    steps = [
        f"    {state} --> {target}\n"
        for table in tables()
        for state, targets in table.transitions.items()
        for target in targets
    ]

    assert len(steps) > 20
    assert [step for step in steps if step not in drawn] == []


def test_a_document_that_differs_is_told_and_written_anew(
    settings: Settings, tmp_path: Path
) -> None:
    settings.ROOT = tmp_path
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "states.md").write_text("old")

    with pytest.raises(CommandError, match="draw_states"):
        call_command("draw_states", "--check")
    call_command("draw_states")

    call_command("draw_states", "--check")
