"""All the files of one dispatcher, read together into one configuration."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from routing.bridge.transfer.environment import read_environment
from routing.bridge.transfer.history import Survey, survey
from routing.bridge.transfer.meaning import Configuration, Key
from routing.bridge.transfer.models import check_models
from routing.bridge.transfer.reading import Reading
from routing.bridge.transfer.users import read_users
from routing.bridge.transfer.values import PublicId, read_values


@dataclass(frozen=True)
class Sources:
    """Where to read: any of the four, but at least one. `zone` is that of the dispatcher's clock."""

    zone: tzinfo
    values: Path | None = None
    environments: Sequence[Path] = ()
    users: Path | None = None
    metrics: Path | None = None
    public_id: PublicId | None = None
    ignored: Collection[str] = ()


def read(sources: Sources) -> tuple[Configuration, Survey | None]:
    """Return what the files mean, and whom the table of requests names. Raises `Refused` with every fault."""
    reading = Reading(sources.ignored)
    parts = [read_environment(path, reading) for path in sources.environments]
    if sources.values:
        parts.insert(0, read_values(sources.values, sources.public_id, reading))
    users = read_users(sources.users, reading) if sources.users else ()
    found = Configuration(
        models=tuple(model for part in parts for model in part.models),
        keys=_joined(tuple(key for part in parts for key in part.keys), users, reading),
        hosts={model: hosts for part in parts for model, hosts in part.hosts.items()},
    )
    check_models(found.models, reading)
    reading.finish()
    past = survey(sources.metrics, sources.zone, reading) if sources.metrics else None
    reading.finish()
    return replace(found, notes=tuple(dict.fromkeys(reading.notes))), past


def _joined(tokens: Sequence[Key], users: Sequence[Key], reading: Reading) -> tuple[Key, ...]:
    """Return each key once. The chart's `tokens` become rows of `users`, where more is said of them."""
    by_token: dict[str, Key] = {}
    by_name: dict[str, Key] = {}
    for key in users:
        first = by_token.setdefault(key.token.reveal(), key)
        if first is not key:
            reading.refuse(f"{key.where}.token", f"the same as at {first.where}")
        first = by_name.setdefault(key.name, key)
        if first is not key:
            reading.refuse(f"{key.where}.name", f"the same as at {first.where}")
    listed: dict[str, Key] = {}
    for key in tokens:
        first = listed.setdefault(key.token.reveal(), key)
        if first is not key:
            reading.refuse(f"{key.where}.token", f"the same as at {first.where}")
    return (*users, *(key for token, key in listed.items() if token not in by_token))
