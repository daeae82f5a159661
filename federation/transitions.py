"""How a state may move: the one check behind every `TRANSITIONS` table of the register."""

from collections.abc import Mapping
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

State = TypeVar("State", bound=str)
Transitions = Mapping[State, frozenset[State]]
Labels = Mapping[str, str | Promise]
ALREADY = _("Its state is “%(current)s” already: there is nothing to do.")
FINAL = _("Its state is “%(current)s”, and that is final.")
NO_WAY = _("From “%(current)s” it does not go to “%(target)s”, but to: %(possible)s.")


class ForbiddenTransitionError(ValidationError):
    """The present state does not lead to the one that was asked for; the text says where it leads."""


def check_transition(
    table: Transitions[State], current: State, target: State, labels: Labels | None = None
) -> None:
    """Raise `ForbiddenTransitionError` unless `table` leads from `current` to `target` in one step.

    `labels` are the states in words, where they have no `label` of their own.
    """
    if target in table[current]:
        return
    words = {state: (labels or {}).get(state, getattr(state, "label", state)) for state in table}
    telling = ALREADY if target == current else NO_WAY if table[current] else FINAL
    raise ForbiddenTransitionError(
        telling,
        code="forbidden_transition",
        params={
            "current": words[current],
            "target": words[target],
            "possible": ", ".join(sorted(str(words[state]) for state in table[current])),
        },
    )
