"""docs/router.md says what the code does: every code with its status, every limit with its default."""

import re
from pathlib import Path

import msgspec
import pytest

from routing.gateway.errors import KINDS, Code
from routing.gateway.settings import Limits

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "router.md").read_text()


@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_explained_with_its_status(code: Code) -> None:
    assert re.search(rf"^\| `{code}` \| {KINDS[code].status} \| .+ \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("field", msgspec.structs.fields(Limits), ids=lambda field: field.name)
def test_every_limit_is_listed_with_its_default(field: msgspec.structs.FieldInfo) -> None:
    row = rf"^\| `{field.name.upper()}` \| {int(field.default)} \| .+ \|$"
    assert re.search(row, TEXT, re.MULTILINE)
