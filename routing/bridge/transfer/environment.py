"""The environment of a consumer (a model and its servers) or of the sender (who hosts what), one file each.

Lines of `NAME=value`, as `env` prints them and as container engines read them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from routing.bridge.transfer.meaning import Configuration, Model
from routing.bridge.transfer.models import CONSUMER, read_servers, read_settings
from routing.bridge.transfer.reading import Entries, Field, Reading, Refused, read_text

SERVERS, HOSTS = "VLLM_SERVERS", "MODEL_HOST_MAPPING"
_NUMBERS = frozenset({"DEFAULT_MAX_PARALLEL_REQUESTS"})
_JSON = frozenset({SERVERS, HOSTS})
_SENDER = frozenset(
    (
        *("LOG_LEVEL", "RABBITMQ_USER", "RABBITMQ_PASSWORD", "RABBITMQ_HOST", "RABBITMQ_PORT"),
        *("RABBITMQ_MANAGEMENT_PORT", "MESSAGE_TIMEOUT", "PROXY_CLIENT_REQUEST_TIMEOUT"),
        *("DATABASE_URL", HOSTS),
    )
)
_KNOWN = _SENDER | {name.upper() for name in CONSUMER}
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")


def read_environment(path: Path, reading: Reading) -> Configuration:
    """Return what the variables of a process mean. Those that the dispatcher does not read are only named."""
    found = _variables(path, reading)
    others = sorted(found.keys() - _KNOWN)
    if others:
        reading.note(path.name, f"not read by the dispatcher: {', '.join(others)}")
    if SERVERS not in found and HOSTS not in found:
        reading.refuse(path.name, f"has neither {SERVERS} nor {HOSTS}")
    models = (_model(found, path.name, reading),) if SERVERS in found else ()
    return Configuration(models=models, hosts=read_hosts(found[HOSTS]) if HOSTS in found else {})


def variable(name: str, field: Field) -> Field:
    """Return a variable's field with its text read as what it is: a number, JSON, or a text."""
    text = field.value
    if name in _NUMBERS and isinstance(text, str) and re.fullmatch(r"-?\d{1,18}", text.strip()):
        return replace(field, value=int(text))
    if name in _JSON and isinstance(text, str):
        try:
            return replace(field, value=json.loads(text, object_pairs_hook=Entries))
        except (ValueError, RecursionError):
            field.refuse("is no JSON")
            return replace(field, value=Entries(()))
    return field


def read_hosts(field: Field) -> dict[str, tuple[str, ...]]:
    """Return the organizations that host each model."""
    if not isinstance(field.value, Entries):
        field.refuse("must be an object of lists of texts")
        return {}
    return {
        model: tuple(each.text() for each in field.at(model, value).items())
        for model, value in field.value.items()
    }


def _variables(path: Path, reading: Reading) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise Refused([f"{path.name} line {number}: is no NAME=value"])
        name, value = match.groups()
        field = Field(_unquoted(value), f"{path.name}: {name}", reading)
        if name in found and name in _KNOWN:
            field.refuse("given twice")
        found[name] = variable(name, field)
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _model(found: Mapping[str, Field], file: str, reading: Reading) -> Model:
    fields = {name.lower(): field for name, field in found.items() if field.value != ""}
    setting, forward = read_settings(fields)
    if "model" not in fields:
        reading.refuse(f"{file}: MODEL", "is missing")
    name = fields["model"].text(longest=128) if "model" in fields else ""
    default_max = fields.get("default_max_parallel_requests")
    return Model(
        name=name,
        weights=name,
        label=name,
        servers=read_servers(found[SERVERS], default_max.whole(1) if default_max else None),
        setting=setting,
        forward_priority=forward,
        where=f"{file}: MODEL",
    )
