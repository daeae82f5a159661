"""The register as a dispatcher's files: a values file and, for keys whose texts are at hand, its users.

Only what the dispatcher can do is written; what it cannot is told.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml
from django.utils.text import slugify

from routing.bridge.transfer import meaning, register
from routing.bridge.transfer.carry_out import key_digest
from routing.bridge.transfer.models import Handler, Policy, Strategy
from routing.bridge.transfer.users import CHAT, COLUMNS
from routing.bridge.transfer.values import PublicId
from routing.core.enums import RoutingSetting, ServerState
from routing.core.table import SERVED_STAGES

SETTINGS: Mapping[RoutingSetting, tuple[Strategy, Policy]] = {
    RoutingSetting.ROUND_ROBIN: (Strategy.ROUND_ROBIN, Policy.NEVER),
    RoutingSetting.ROUND_ROBIN_REQUEUE: (Strategy.ROUND_ROBIN, Policy.PARALLEL),
    RoutingSetting.LEAST_BUSY_REQUEUE: (Strategy.LEAST_BUSY, Policy.PARALLEL),
    RoutingSetting.AFFINITY: (Strategy.LEAST_BUSY, Policy.PARALLEL),
}
"""The policy of performance is never written: the dispatcher's own fails when it holds a request back."""
_KUBERNETES = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
UNLIMITED = 1_000_000
"""The threshold of a key that has none."""


@dataclass
class Files:
    """What is written; `notes` tell what the dispatcher has no words for."""

    models: list[dict[str, object]] = field(default_factory=list)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    tokens: list[dict[str, object]] = field(default_factory=list)
    users: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_files(
    present: register.Register,
    public_id: PublicId,
    tokens: Sequence[meaning.Key] = (),
    users: Sequence[meaning.Key] = (),
) -> Files:
    """Return the files. `tokens` and `users` are the keys whose texts are known, by where they go."""
    files = Files()
    names = _organizations(present)
    for model in present.models.values():
        if model.stage not in SERVED_STAGES:
            continue
        servers = list(_servers(model, present))
        _note_left_out(model, present, servers, files)
        if servers:
            files.models.append(_model(model, servers, public_id, names, files))
            files.hosts[model.slug] = sorted({names[server.institution] for server in servers})
    files.tokens = [
        {"token": token, "priority": key.priority, "threshold": _threshold(key)}
        for token, key in _usable(tokens, present, files)
    ]
    files.users = [_user(token, key, names) for token, key in _usable(users, present, files)]
    for alias, slug in present.aliases.items():
        files.notes.append(f"left out: {alias}, an alias of {slug}")
    return files


def values_text(files: Files) -> str:
    hosting = json.dumps(files.hosts, ensure_ascii=False)
    values = {
        "models": files.models,
        "tokens": files.tokens,
        "sender": {"env": [{"name": "MODEL_HOST_MAPPING", "value": hosting}]},
    }
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def users_text(files: Files) -> str:
    output = io.StringIO()
    writer = csv.DictWriter(output, [name for name in COLUMNS if name != "id"])
    writer.writeheader()
    writer.writerows(files.users)
    return output.getvalue()


def _organizations(present: register.Register) -> dict[str, str]:
    """Return the text by which each institution is told from the others."""
    short = [each.short_name for each in present.institutions]
    return {
        each.slug: each.short_name if short.count(each.short_name) == 1 else each.slug
        for each in present.institutions
    }


def _servers(model: register.Model, present: register.Register) -> Iterator[register.Server]:
    """Yield the servers in service that know the model by its public name: the dispatcher uses no other."""
    for server in present.servers:
        if server.state is ServerState.LIVE and server.serves.get(model.slug) == model.slug:
            yield server


def _model(
    model: register.Model,
    servers: Sequence[register.Server],
    public_id: PublicId,
    names: Mapping[str, str],
    files: Files,
) -> dict[str, object]:
    strategy, policy = SETTINGS[model.setting]
    if model.setting is RoutingSetting.AFFINITY:
        files.notes.append(f"{model.slug}: affinity is written as {strategy} with requeue")
    found: dict[str, object] = {"name": _label(model), "model": model.slug}
    if public_id is PublicId.NAME:
        found = {"name": model.slug, "model": model.weights or model.slug}
    if model.quantisation:
        found["quantization"] = model.quantisation
    return found | {
        "vllm_servers": [_server(server, names) for server in servers],
        "routing_strategy": strategy.value,
        "quality_of_service_policy": policy.value,
        "priority_handler": (Handler.VLLM if model.forward_priority else Handler.IGNORE).value,
    }


def _label(model: register.Model) -> str:
    """Return what Kubernetes may call the model: its name here where that was one, as after an import."""
    if _KUBERNETES.fullmatch(model.label):
        return model.label
    return slugify(re.sub(r"[/.:_]", "-", model.slug)) or "model"


def _note_left_out(
    model: register.Model,
    present: register.Register,
    written: Sequence[register.Server],
    files: Files,
) -> None:
    for server in present.servers:
        if server in written or model.slug not in server.serves.values():
            continue
        why = f"is {server.state}"
        if server.state is ServerState.LIVE:
            why = "knows it by another name, which the dispatcher cannot send"
        files.notes.append(f"left out: {server.url} for {model.slug}: it {why}")
    if not written:
        files.notes.append(f"left out: {model.slug}, which no server is left for")


def _server(server: register.Server, names: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {"url": server.url, "organization": names[server.institution]}
    if server.token:
        found["token"] = server.token.reveal()
    if server.max_parallel is not None:
        found["max_parallel_requests"] = server.max_parallel
    return found


def _usable(
    keys: Sequence[meaning.Key], present: register.Register, files: Files
) -> Iterator[tuple[str, register.Key]]:
    """Yield each key's text with what the register says of it, if it still works."""
    for key in keys:
        known = present.keys.get(key_digest(key))
        if known and known.is_usable:
            yield key.token.reveal(), known
        else:
            files.notes.append(f"left out: {key.where}: the register has no such key in force")


def _threshold(key: register.Key) -> int:
    return UNLIMITED if key.threshold is None else key.threshold


def _user(token: str, key: register.Key, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "token": token,
        "name": key.name,
        "organization": names[key.institution],
        "email": key.email,
        "priority": key.priority,
        "threshold": _threshold(key),
        "client_type": CHAT if key.answers_200_when_full else "",
        "default_routing_mode": key.routing_mode.value,
    }
