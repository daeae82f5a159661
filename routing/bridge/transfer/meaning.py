"""What a dispatcher's files mean: models, where they run, and who may ask. Two files of one meaning are equal.

Where something was written (`where`) is for people who read a refusal, and no part of the meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from routing.core.enums import RoutingMode, RoutingSetting
from routing.upstream.credentials import Secret

NAME_LENGTH = 100
"""Characters of a key's name that the register holds."""


@dataclass(frozen=True)
class Server:
    """An inference server of a model. Without an `organization` somebody else must say whose it is."""

    url: str
    organization: str = ""
    token: Secret | None = None
    max_parallel: int | None = None
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Model:
    """A model under the name by which clients ask; `weights` and `label` are the file's `model` and `name`."""

    name: str
    weights: str
    label: str
    servers: tuple[Server, ...]
    setting: RoutingSetting = RoutingSetting.ROUND_ROBIN
    forward_priority: bool = False
    quantisation: str = ""
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Key:
    """Who may ask, by the text that it sends. `threshold`: refused at once when more than so many wait."""

    token: Secret
    name: str
    priority: int
    threshold: int | None = None
    organization: str = ""
    email: str = ""
    answers_200_when_full: bool = False
    routing_mode: RoutingMode = RoutingMode.ANY
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Configuration:
    """A dispatcher. `hosts` are the organizations said to host each model; `notes` tell what is read otherwise."""

    models: tuple[Model, ...] = ()
    keys: tuple[Key, ...] = ()
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=(), compare=False)
