"""Labels of sites, such as HDS or SecNumCloud, and what a request may ask of the sites that serve it: its data class.

A label is compared in its normal form, so that nobody's spelling sends data elsewhere. `OWN` is no site's label:
every site of the asking institution has it, and no other.
"""

import re
from collections.abc import Iterable

OWN = "own"
MAX_LABELS = 8
"""In one data class."""
MAX_LENGTH = 40
_LABEL = re.compile(r"\w[\w .+/-]*")


def normal(label: str) -> str:
    """Return how a label is compared: without regard to case and to spaces around and within it."""
    return " ".join(label.split()).casefold()


def is_label(text: str) -> bool:
    """Say whether a text can be a label: letters, digits and a few signs, no comma, at most 40 characters."""
    return len(text) <= MAX_LENGTH and _LABEL.fullmatch(text) is not None


def site_labels(labels: Iterable[str]) -> frozenset[str]:
    """Return in normal form what a site carries; nobody can give it what only an owner has."""
    return frozenset(map(normal, labels)) - {OWN, ""}


def data_class(*parts: Iterable[str]) -> tuple[str, ...]:
    """Return all the labels of `parts` together, in normal form: each part only narrows what others allow."""
    return tuple(sorted({normal(label) for part in parts for label in part} - {""}))
