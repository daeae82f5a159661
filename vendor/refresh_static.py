"""Makes the files of `static/vendor/` from npm packages; `static/vendor/README.md` says when and how.

    python vendor/refresh_static.py FOLDER

FOLDER holds the packages unpacked, each in a folder named after it and its version. Chromium (BROWSER_PATH) draws one figure, to learn the
style rules that Plotly would put into the page itself.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

from playwright.sync_api import sync_playwright

TARGET = Path(__file__).resolve().parent.parent / "static" / "vendor"
SVG = "http://www.w3.org/2000/svg"
ICONS = """
accessible alert-circle alert-triangle arrow-right book building-community chart-bar check chevron-left
chevron-right circle-check clock code copy device-desktop devices download external-link home info-circle key
lock login logout mail menu-2 moon palette plus search server shield-lock sparkles sun table trash user x
""".split()


def main(folder: Path) -> None:
    core, icons = only(folder, "tabler-core-*"), only(folder, "tabler-icons-*")
    plotly, locales = only(folder, "plotly.js-cartesian-dist-min-*"), only(folder, "plotly.js-locales-*")
    keep("tabler.min.css", core / "dist/css/tabler.min.css")
    keep("tabler.min.js", core / "dist/js/tabler.min.js")
    keep("plotly-cartesian.min.js", plotly / "plotly-cartesian.min.js")
    keep("plotly-LICENSE.txt", plotly / "LICENSE")
    keep("tabler-icons-LICENSE.txt", icons / "LICENSE")
    write("plotly-locale-fr.js", locale_of(locales / "fr.js"))
    write("icons.svg", sprite_of(icons / "icons/outline"))
    write("plotly.css", rules_of(TARGET / "plotly-cartesian.min.js"))


def only(folder: Path, pattern: str) -> Path:
    found = [path for path in folder.glob(pattern) if path.is_dir()]
    if len(found) != 1:
        sys.exit(f"{folder} holds {len(found)} folders {pattern}; it takes one")
    return found[0]


def keep(name: str, source: Path) -> None:
    """Copy a file without its reference to a source map, which is not carried along."""
    text = source.read_text()
    write(name, re.sub(r"\n?(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+ \*/)\s*$", "\n", text))


def write(name: str, text: str) -> None:
    (TARGET / name).write_text(text)
    print(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}")


def locale_of(source: Path) -> str:
    """Turn the package's CommonJS module into a script that registers itself with Plotly."""
    body = source.read_text().replace("'use strict';\n", "").replace("module.exports = ", "")
    return f"Plotly.register({body.strip().removesuffix(';')});\n"


def sprite_of(folder: Path) -> str:
    """Return one SVG with a symbol per icon, to be shown by `<use href="…#name">`."""
    ElementTree.register_namespace("", SVG)
    symbols = []
    for name in ICONS:
        drawing = ElementTree.parse(folder / f"{name}.svg").getroot()
        shapes = [shape for shape in drawing if shape.get("stroke") != "none"]
        inside = "".join(ElementTree.tostring(shape, "unicode").strip() for shape in shapes)
        inside = inside.replace(f' xmlns="{SVG}"', "")
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inside}</symbol>')
    return f'<svg xmlns="{SVG}">\n' + "\n".join(symbols) + "\n</svg>\n"


def rules_of(script: Path) -> str:
    """Return the rules that Plotly adds to a page's own style sheet once it has drawn."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("BROWSER_PATH"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_content("<div id=figure></div>")
        page.add_script_tag(path=script)
        figure = [{"type": "heatmap", "z": [[1, 2]]}, {"type": "bar", "y": [1]}]
        page.evaluate(f"Plotly.newPlot('figure', {json.dumps(figure)})")
        rules = page.evaluate(
            "[...document.getElementById('plotly.js-style-global').sheet.cssRules].map(r => r.cssText)"
        )
        browser.close()
    return "\n".join(rules) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
