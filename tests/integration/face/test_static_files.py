"""Files made elsewhere are the ones the table names; templates hold nothing that the policy would refuse."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import plotly.offline
import pytest
from django.conf import settings

VENDOR = settings.ROOT / "static" / "vendor"
TEMPLATES = sorted((settings.ROOT / "templates").rglob("*.html"))
SOURCES = TEMPLATES + sorted((settings.ROOT / "dashboards").rglob("*.py"))
ROWS = re.findall(
    r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.M
)


@pytest.mark.parametrize(("name", "digest"), ROWS)
def test_a_file_is_the_one_that_the_table_names(name: str, digest: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_the_table_names_every_file() -> None:
    named = {name for name, _digest in ROWS}
    texts = {path.name for path in VENDOR.glob("*-LICENSE.txt")} | {"README.md"}

    assert {path.name for path in VENDOR.iterdir()} == named | texts


def test_figures_are_written_for_the_script_that_draws_them() -> None:
    version = plotly.offline.get_plotlyjs_version()

    assert f"plotly.js (cartesian - minified) v{version}" in head(
        VENDOR / "plotly-cartesian.min.js"
    )


def test_every_icon_that_pages_show_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))
    shown = {
        name
        for path in TEMPLATES
        for name in re.findall(r"""(?:{% icon |icon_name=)"([^"]+)\"""", path.read_text())
    }

    assert shown
    assert shown <= sprite


class Inline(HTMLParser):
    """Finds what the content security policy refuses: styles and scripts written into the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _value in attrs}
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not names & {"src", "type"}):
            self.found.append(tag)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.ROOT)))
def test_a_template_holds_no_inline_style_or_script(path: Path) -> None:
    parser = Inline()

    parser.feed(path.read_text())

    assert parser.found == []


def test_a_colour_is_written_in_one_place_only() -> None:
    """Outside the tokens, the style sheet and the scripts name no colour of their own."""
    rules = (settings.ROOT / "static" / "css" / "ilaas.css").read_text()

    colours = re.findall(r"#[0-9a-f]{3,8}\b", rules)

    assert set(colours) <= {"#fff"}  # paper in print, and the ground of a QR code


def head(path: Path) -> str:
    with path.open() as file:
        return file.read(400)
