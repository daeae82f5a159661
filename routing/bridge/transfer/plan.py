"""From what the files mean and what stands in the register to the steps between them. Pure: no database.

What the register has beyond the files stays; nothing is ever ended by an import.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from federation.fleet.enums import Engine
from routing.bridge.transfer import meaning, register
from routing.bridge.transfer.former import Home, find_homes, former_keys, former_models
from routing.bridge.transfer.history import Survey
from routing.bridge.transfer.meaning import NAME_LENGTH
from routing.bridge.transfer.owners import Choices, Owners
from routing.bridge.transfer.reading import Reading
from routing.core.enums import LifecycleStage, ServerState
from routing.core.table import SERVED_STAGES

SHORT_KEY = 16
"""Characters below which a key can be guessed."""


class Step(Protocol):
    """Something to be done; `line` tells it to a person, with + for what is new and ~ for what changes."""

    @property
    def line(self) -> str: ...


@dataclass(frozen=True)
class AddInstitution:
    slug: str
    name: str

    @property
    def line(self) -> str:
        return f"+ institution {self.slug}: {self.name}, contributor and consumer"


@dataclass(frozen=True)
class AddModel:
    model: meaning.Model

    @property
    def line(self) -> str:
        weights = f" ({self.model.weights})" if self.model.weights != self.model.name else ""
        return f"+ model {self.model.name}{weights}, in production: {_routing(self.model)}"


@dataclass(frozen=True)
class SetRouting:
    model: meaning.Model
    before: register.Model

    @property
    def line(self) -> str:
        return f"~ model {self.model.name}: {_routing(self.before)} → {_routing(self.model)}"


@dataclass(frozen=True)
class Publish:
    """A server and one of its models; `changes` is empty when the server is new."""

    institution: str
    server: meaning.Server
    model: str
    engine: Engine
    changes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        if self.changes:
            return f"~ server {self.server.url} of {self.institution}: {'; '.join(self.changes)}"
        most = self.server.max_parallel
        return (
            f"+ server {self.server.url} of {self.institution} ({self.engine}), "
            f"{'no ceiling' if most is None else f'at most {most} at once'}, "
            f"{'with a token' if self.server.token else 'without a token'}: serves {self.model}"
        )


@dataclass(frozen=True)
class AddKey:
    institution: str
    key: meaning.Key

    @property
    def line(self) -> str:
        return f"+ key of “{self.key.name}” at {self.institution}: {_about(self.key)}"


@dataclass(frozen=True)
class ChangeKey:
    key: meaning.Key
    before: register.Key

    @property
    def line(self) -> str:
        return f"~ key of “{self.before.name}”: {_about(self.before)} → {_about(self.key)}"


@dataclass
class Plan:
    """The steps in the order in which they can be done; `unchanged` counts what stands as the files say.

    `homes` tells where the past requests of a (user, organization) are counted.
    """

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unchanged: int = 0
    homes: Mapping[tuple[str, str], Home] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        yield from (step.line for step in self.steps)
        yield from (f"! {note}" for note in self.notes)
        if self.unchanged:
            yield f"= {self.unchanged} models, servers and keys stand as the files say"


def make_plan(
    wanted: meaning.Configuration,
    present: register.Register,
    choices: Choices,
    digests: Sequence[str],
    past: Survey | None = None,
) -> Plan:
    """Return what to do. `digests` are those of the keys, in their order. Raises `Refused` with every fault."""
    reading = Reading()
    plan = Plan(notes=list(wanted.notes))
    owners = Owners(present, choices, wanted.hosts, reading)
    for model in wanted.models:
        plan.steps += _models(model, present, plan, reading)
    for model in wanted.models:
        plan.steps += _servers(_largest(model, wanted.models), owners, present, choices, plan)
    for key, digest in zip(wanted.keys, digests, strict=True):
        plan.steps += _keys(key, digest, owners, present, plan)
    if past:
        _add_past(past, plan, present, owners)
    owners.check_used()
    reading.finish()
    plan.steps = [*(AddInstitution(slug, name) for slug, name in owners.new.items()), *plan.steps]
    plan.notes += reading.notes
    return plan


def _add_past(past: Survey, plan: Plan, present: register.Register, owners: Owners) -> None:
    coming = [step.model.name.lower() for step in plan.steps if isinstance(step, AddModel)]
    plan.steps += former_models(past, present, coming, owners)
    homes: dict[str, list[str]] = defaultdict(list)
    for known in present.keys.values():
        homes[known.name].append(known.institution)
    for step in plan.steps:
        if isinstance(step, AddKey):
            homes[step.key.name].append(step.institution)
    plan.homes = find_homes(past, homes, owners)
    plan.steps += former_keys(list(plan.homes.values()), homes)


def _models(
    model: meaning.Model, present: register.Register, plan: Plan, reading: Reading
) -> Iterator[Step]:
    known = present.models.get(model.name.lower())
    if known is None:
        if model.name.lower() in present.aliases:
            reading.refuse(
                model.where,
                f"“{model.name}” is an alias of {present.aliases[model.name.lower()]} here",
            )
        yield AddModel(model)
        return
    if known.stage is LifecycleStage.RETIRED:
        reading.refuse(model.where, f"“{known.slug}” is retired here")
    elif known.stage not in SERVED_STAGES:
        reading.note(model.where, f"“{known.slug}” is {known.stage} here: not served yet")
    if _same_routing(model, known):
        plan.unchanged += 1
    else:
        yield SetRouting(model, known)


def _same_routing(model: meaning.Model, known: register.Model) -> bool:
    return (model.setting, model.forward_priority) == (known.setting, known.forward_priority)


def _largest(model: meaning.Model, models: Sequence[meaning.Model]) -> meaning.Model:
    """Return the model with each server's ceiling as the largest that any model gives it."""
    most: dict[str, int] = {}
    for each in models:
        for server in each.servers:
            if server.max_parallel is not None:
                most[server.url] = max(server.max_parallel, most.get(server.url, 0))
    servers = tuple(replace(each, max_parallel=most.get(each.url)) for each in model.servers)
    return replace(model, servers=servers)


def _servers(
    model: meaning.Model,
    owners: Owners,
    present: register.Register,
    choices: Choices,
    plan: Plan,
) -> Iterator[Step]:
    for server in model.servers:
        institution = owners.of_server(server, model)
        known = next(
            (
                each
                for each in present.servers
                if (each.institution, each.url) == (institution, server.url)
            ),
            None,
        )
        if known is None:
            yield Publish(institution, server, model.name, choices.engine_of(server.url))
            continue
        changes = _changes(server, model.name, known)
        if changes:
            yield Publish(institution, server, model.name, Engine(known.engine), changes)
        else:
            plan.unchanged += 1
        if known.state is not ServerState.LIVE:
            owners.reading.note(server.where, f"{known.state} here, and stays so")


def _changes(server: meaning.Server, model: str, known: register.Server) -> tuple[str, ...]:
    changes = []
    if model not in known.serves:
        changes.append(f"serves {model} as well")
    if server.token and server.token != known.token:
        changes.append("another token")
    if server.max_parallel not in (None, known.max_parallel):
        before = "no ceiling" if known.max_parallel is None else f"at most {known.max_parallel}"
        changes.append(f"{before} → {server.max_parallel} at once")
    return tuple(changes)


def _keys(
    key: meaning.Key, digest: str, owners: Owners, present: register.Register, plan: Plan
) -> Iterator[Step]:
    known = present.keys.get(digest)
    note = owners.reading.note
    if known is None:
        if len(key.token.reveal()) < SHORT_KEY:
            note(f"{key.where}.token", "so short that it can be guessed: replace it soon")
        if len(key.name) > NAME_LENGTH:
            note(f"{key.where}.name", f"cut to its first {NAME_LENGTH} characters")
        yield AddKey(owners.of_key(key), replace(key, name=key.name[:NAME_LENGTH]))
        return
    if not known.is_usable:
        note(key.where, "this key was revoked or has expired here, and stays so")
    elif key.organization and owners.of_key(key) != known.institution:
        note(
            f"{key.where}.organization", f"the key stands under {known.institution} here, and stays"
        )
    if known.is_usable and _about(key) != _about(known):
        yield ChangeKey(key, known)
    else:
        plan.unchanged += 1


def _routing(model: meaning.Model | register.Model) -> str:
    return f"{model.setting}{', class told to vLLM' if model.forward_priority else ''}"


def _about(key: meaning.Key | register.Key) -> str:
    waiting = "" if key.threshold is None else f", refused when more than {key.threshold} wait"
    full = ", 200 when full" if key.answers_200_when_full else ""
    return f"class {key.priority}, {key.routing_mode}{waiting}{full}"
