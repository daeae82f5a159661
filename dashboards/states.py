"""The state tables of the register as diagrams, drawn from the code, so that the document cannot differ from it."""

import importlib
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.utils.translation import override

from federation.transitions import Transitions

DOCUMENT = Path("docs") / "states.md"
TABLE = "TRANSITIONS"
ROOMS = ("federation.", "billing")
HEAD = """\
# States

Every row that has a state moves along one of these tables only; a test tries every pair. This page is drawn from the
code: `manage.py draw_states` writes it anew, and a test compares it.
"""


class Table(NamedTuple):
    """A state table, and the module that holds it."""

    name: str
    module: str
    transitions: Transitions[str]


def document() -> str:
    with override(None):
        parts = [HEAD, *(_section(table) for table in sorted(tables()))]
    return "\n".join(parts)


def tables() -> Iterator[Table]:
    """Yield each `…TRANSITIONS` of the `enums` of the register's rooms and the accounts."""
    for app in apps.get_app_configs():
        if app.name.startswith(ROOMS):
            module = importlib.import_module(f"{app.name}.enums") if _has_enums(app.path) else None
            for name, value in vars(module).items() if module else ():
                if name.endswith(TABLE):
                    yield Table(_title(value), f"{app.name}.enums", value)


def path() -> Path:
    return Path(settings.ROOT) / DOCUMENT


def _has_enums(folder: str) -> bool:
    return (Path(folder) / "enums.py").exists()


def _title(transitions: Transitions[str]) -> str:
    """Name a table after its enum: `MembershipState` is “Membership”."""
    name = type(next(iter(transitions))).__name__
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", name).removesuffix(" State").lower()
    return words.capitalize()


def _section(table: Table) -> str:
    states = list(table.transitions)
    lines = [f"## {table.name}", "", f"`{table.module}`", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {state}: {_label(state)}" for state in states]
    lines.append(f"    [*] --> {states[0]}")
    for state in states:
        targets = [target for target in states if target in table.transitions[state]]
        lines += [f"    {state} --> {target}" for target in targets] or [f"    {state} --> [*]"]
    return "\n".join([*lines, "```", ""])


def _label(state: str) -> str:
    """Return the word that pages show, in English; the value where a state has no word of its own."""
    assert isinstance(state, Enum)
    return str(getattr(state, "label", state.value))
