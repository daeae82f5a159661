"""The files of the demonstration in the data folder, each of mode 600: `demo.json`, `simulator.json`.

`demo.json` is read back: passwords and keys are nowhere else to be read.
"""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.launch.environment import try_address, write_private

DEMO, SIMULATOR = "demo.json", "simulator.json"
HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections, so that a port stays free until the next start."""


class Remembered:
    """What the last run wrote down, as far as it is still to be read."""

    def __init__(self, content: object = None) -> None:
        self._content = content

    def password(self, account: str) -> str:
        return self._text("accounts", account, "password")

    def key(self, reference: str) -> str:
        return self._text("keys", reference)

    def _text(self, *path: str) -> str:
        found = self._content
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, str) else ""


def remember(var: Path) -> Remembered:
    try:
        return Remembered(json.loads((var / DEMO).read_text()))
    except (OSError, ValueError):
        return Remembered()


def write(var: Path, name: str, content: Mapping[str, Any]) -> None:
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(var / name, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def free_ports(count: int) -> list[int]:
    """Return different ports on which nothing listens on 127.0.0.1 now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if not try_address(HOST, port):
            found.append(port)
    return found
