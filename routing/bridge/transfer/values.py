"""The values file of the dispatcher's Helm chart. What only Kubernetes needs is known, and left aside."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import yaml

from routing.bridge.transfer.environment import HOSTS, read_hosts, variable
from routing.bridge.transfer.meaning import Configuration, Key, Model
from routing.bridge.transfer.models import CONSUMER, read_servers, read_settings
from routing.bridge.transfer.reading import Entries, Field, Reading, Refused, read_text
from routing.bridge.transfer.users import read_class, read_key, read_threshold
from routing.upstream.credentials import Secret


class PublicId(StrEnum):
    """Which field of a model is the name by which clients ask for it."""

    MODEL = "model"
    NAME = "name"


KUBERNETES = frozenset(
    (
        *("consumer", "inferenceserver", "rabbitmq", "database", "mysql", "postgresql", "ingress"),
        *("imagePullSecrets", "nameOverride", "fullnameOverride", "serviceAccount", "global"),
    )
)
"""Sections that say how the dispatcher itself is run."""
TOP = KUBERNETES | {"models", "tokens", "sender"}
MODEL = CONSUMER | {
    *("name", "servedModelName", "quantization", "dtype", "gpuMemoryUtilization", "replicaCount"),
    *("huggingface_token", "ropeScaling", "pvc"),
}
_TOKEN = ("token", "priority", "threshold")


def read_values(path: Path, public_id: PublicId | None, reading: Reading) -> Configuration:
    """Return what a values file means. Without `public_id` it is refused where the answer matters."""
    top = Field(load(path), "", reading).entries(TOP)
    environment = _environment(top, "consumer") | _environment(top, "sender")
    models = tuple(
        _model(field, environment, public_id)
        for field in (top["models"].items() if "models" in top else ())
    )
    aside = sorted(KUBERNETES & top.keys())
    if aside:
        reading.notes.append(f"Left aside, as only Kubernetes needs it: {', '.join(aside)}")
    tokens = top["tokens"].items() if "tokens" in top else ()
    return Configuration(
        models=models,
        keys=tuple(_key(number, field) for number, field in enumerate(tokens, start=1)),
        hosts=read_hosts(environment[HOSTS]) if HOSTS in environment else {},
    )


def load(path: Path) -> object:
    """Return a YAML file's content. Raises `Refused` with the line."""
    try:
        return yaml.load(read_text(path), _Loader)  # noqa: S506 - a SafeLoader of our own
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise Refused([f"{path.name} line {line}: is no YAML: {fault.problem}"]) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise Refused([f"{path.name}: is no YAML"]) from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is there twice is seen, and every key is a text."""


def _entries(loader: _Loader, node: yaml.Node) -> Entries:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.MarkedYAMLError(problem="no mapping", problem_mark=node.start_mark)
    loader.flatten_mapping(node)
    return Entries(
        (str(loader.construct_object(key, deep=True)), loader.construct_object(value, deep=True))
        for key, value in node.value
    )


_Loader.add_constructor("tag:yaml.org,2002:map", _entries)


def _model(field: Field, environment: Mapping[str, Field], public_id: PublicId | None) -> Model:
    fields = field.entries(MODEL)
    own = {name: each for name, each in fields.items() if name in CONSUMER}
    settings = {name.lower(): each for name, each in environment.items()} | own
    setting, forward = read_settings(settings)
    names = {each: fields[each].text(longest=128) if each in fields else "" for each in PublicId}
    weights, label = names[PublicId.MODEL], names[PublicId.NAME]
    chosen = public_id or (PublicId.MODEL if weights == label else None)
    if chosen is None:
        field.refuse("say by which field clients ask for it: --public-id model or --public-id name")
    elif chosen not in fields:
        field.at(chosen, None).refuse("is missing")
    if "vllm_servers" not in fields:
        field.at("vllm_servers", None).refuse("is missing: the addresses of its servers")
    default_max = settings.get("default_max_parallel_requests")
    return Model(
        name=names[chosen or PublicId.MODEL],
        weights=weights or label,
        label=label or weights,
        servers=read_servers(fields["vllm_servers"], default_max.whole(1) if default_max else None)
        if "vllm_servers" in fields
        else (),
        setting=setting,
        forward_priority=forward,
        quantisation=_quantisation(fields.get("quantization")),
        where=field.where,
    )


def _quantisation(field: Field | None) -> str:
    return "" if field is None or field.value == "" else field.text(longest=32)


def _key(number: int, field: Field) -> Key:
    """Return an entry of `tokens`, which has no name of its own."""
    fields = field.entries(_TOKEN)
    for name in _TOKEN:
        if name not in fields:
            field.at(name, None).refuse("is missing")
    return Key(
        token=read_key(fields["token"]) if "token" in fields else Secret(""),
        name=f"token {number}",
        priority=read_class(fields["priority"]) if "priority" in fields else 1,
        threshold=read_threshold(fields["threshold"]) if "threshold" in fields else 0,
        where=field.where,
    )


def _environment(top: Mapping[str, Field], section: str) -> dict[str, Field]:
    """Return the variables that a section gives its process, from a list as Kubernetes has it, or a mapping."""
    found = top.get(section)
    given = found.value.get("env") if found and isinstance(found.value, Entries) else None
    if not found or given is None:
        return {}
    field = found.at("env", given)
    if isinstance(given, Entries):
        return {name: variable(name, field.at(name, value)) for name, value in given.items()}
    entries = [each.value for each in field.items()]
    return {
        str(each["name"]): variable(
            str(each["name"]), field.at(str(each["name"]), each.get("value"))
        )
        for each in entries
        if isinstance(each, Entries) and "name" in each
    }
