"""Whom the end of a model concerns. Keys and what they were used for are known to rooms above: one of them answers.

It registers its answer when its app is ready.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from federation.catalogue.models import AIModel
from federation.people.models import User

DAYS = 30
"""For how long a key that used a model counts."""


class Reader(NamedTuple):
    """Somebody who answers for keys that used a model; these keys by name."""

    person: User
    keys: Sequence[str]


class Audience(NamedTuple):
    """`used`: keys that did in `DAYS` days; `named`: keys that are bound to the model and did not."""

    readers: Sequence[Reader]
    used: int
    named: int
    requests: int


class FindAudience(Protocol):
    def __call__(self, model: AIModel, name: str = "") -> Audience:
        """Return who used a model by any of its names, or by `name` alone."""


class FindOwnKeys(Protocol):
    def __call__(self, user: User, model: AIModel) -> Sequence[str]:
        """Return the names of the keys that `user` answers for and that used a model."""


class _Registered:
    find: FindAudience
    find_own: FindOwnKeys


def register(find: FindAudience, find_own: FindOwnKeys) -> None:
    _Registered.find, _Registered.find_own = staticmethod(find), staticmethod(find_own)


def audience_of(model: AIModel, name: str = "") -> Audience:
    return _Registered.find(model, name)


def own_keys(user: User, model: AIModel) -> Sequence[str]:
    return _Registered.find_own(user, model)
