"""The two halves of every rule of the register: `check_x` raises, `can_x` asks.

Raises `PermissionDenied` when it is the wrong person, `ValidationError` when it is the wrong moment.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

P = ParamSpec("P")


def refuse_unless(allowed: bool) -> None:
    """Raise `PermissionDenied` unless `allowed`."""
    if not allowed:
        raise PermissionDenied(_("You may not do this."))


def asking(check: Callable[P, None]) -> Callable[P, bool]:
    """Return `can_x` for `check_x`: whether it passes."""

    @wraps(check)
    def can(*args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            check(*args, **kwargs)
        except (PermissionDenied, ValidationError):
            return False
        return True

    return can
