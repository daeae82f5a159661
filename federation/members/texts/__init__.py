"""The first version of each published text, as this product brings it; later ones are the federation's own."""

from pathlib import Path

from federation.members.enums import TextKind

FOLDER = Path(__file__).parent


def first_text(kind: TextKind, language: str) -> str:
    return (FOLDER / f"{kind.value}_{language}.txt").read_text()
