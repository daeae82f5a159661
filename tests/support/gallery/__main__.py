"""`python -m tests.support.gallery FOLDER`: a picture of every page, for people to look at one by one.

In French and in English, in light and in dark, 1440 and 390 pixels wide. More arguments are pytest's, such as `-k en`.
"""

import os
import sys
from pathlib import Path

import pytest


def main(arguments: list[str]) -> int:
    if not arguments:
        sys.stderr.write("usage: python -m tests.support.gallery FOLDER [-k fr]\n")
        return 2
    os.environ["GALLERY"] = str(Path(arguments[0]).absolute())
    return pytest.main([str(Path(__file__).with_name("pictures.py")), "-q", *arguments[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
