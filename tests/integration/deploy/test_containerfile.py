"""The image's recipe, step by step in a folder, as far as that goes without a container engine.

What it copies must be all that the product needs, and what it runs must work there. The base image and the
installation of the packages are not tried.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from config.launch.environment import ROOT

RECIPE = (ROOT / "deploy" / "Containerfile").read_text()
FINAL = RECIPE[RECIPE.rindex("\nFROM ") :].replace("\\\n", " ")
HOME = "/opt/ilaas"
IMPORTS = "import config.launch.__main__, config.portal, config.asgi, routing.gateway.__main__"


def steps(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", FINAL, re.MULTILINE)


def copied() -> list[str]:
    """Return what is copied from the project's folder."""
    words = [step.split() for step in steps("COPY") if not step.startswith("--from")]
    return [source.rstrip("/") for *sources, _ in words for source in sources]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The final stage's folder: what is copied, and the packages of this environment."""
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.mo")
            shutil.copytree(source, tmp_path / name, ignore=ignore)
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def run(image: Path, *command: str) -> None:
    done = subprocess.run(
        command,
        cwd=image,
        env={**os.environ, "VAR": str(image / "data"), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_room_is_copied() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = set(settings["tool"]["importlinter"]["root_packages"])

    assert rooms <= set(copied())


def test_what_is_copied_is_all_that_the_product_needs(image: Path) -> None:
    (build,) = (step for step in steps("RUN") if "compilemessages" in step)
    entry = [word.replace(HOME + "/", "") for word in json.loads(steps("ENTRYPOINT")[0])]

    run(image, "sh", "-ec", build)
    run(image, entry[0], "manage.py", "check", "--fail-level=WARNING")
    run(image, entry[0], "-c", IMPORTS)
    run(image, *entry, "manage", "clerk", "--help")
    assert list(image.glob("locale/*/LC_MESSAGES/*.mo"))


def test_it_runs_as_nobody_who_could_change_the_program() -> None:
    assert steps("USER") == ["10001:10001"]
    assert FINAL.index("\nUSER ") > FINAL.rindex("\nCOPY ")
    (user,) = (step for step in steps("RUN") if step.startswith("useradd"))
    assert "--uid 10001" in user
    assert shlex.split(user)[-1] == "/var/lib/ilaas"  # the only folder that it is given


def test_the_base_is_one_version_and_the_packages_are_those_that_were_locked() -> None:
    bases = re.findall(r"^FROM (\S+)", RECIPE, re.MULTILINE)

    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases[0])
    assert "--require-hashes" in RECIPE
    assert "-r requirements/run.txt" in RECIPE


def test_nothing_private_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}

    assert "*" in ignored
    assert let_in == {*copied(), "vendor"}
