"""How a state may move: the one check behind every `TRANSITIONS` table of the register."""

from collections.abc import Mapping
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

State = TypeVar("State", bound=str)
Transitions = Mapping[State, frozenset[State]]


class ForbiddenTransitionError(ValidationError):
    """The present state does not lead to the one that was asked for."""


def check_transition(table: Transitions[State], current: State, target: State) -> None:
    """Raise `ForbiddenTransitionError` unless `table` leads from `current` to `target` in one step."""
    if target not in table[current]:
        raise ForbiddenTransitionError(
            _("It cannot go from “%(current)s” to “%(target)s”."),
            code="forbidden_transition",
            params={"current": str(current), "target": str(target)},
        )
