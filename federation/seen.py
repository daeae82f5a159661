"""What a form showed, so that saving it does not undo what somebody else has saved since.

Such a form has a hidden field with a mark of the state that it was made from; who sends none takes what comes.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.text import Truncator
from django.utils.translation import gettext as _

MARK_LENGTH = 16
LONGEST_TOLD = 200
"""Characters of what somebody else has saved: enough to know it again."""


class SeenField(forms.CharField):
    """The hidden mark of `state`, which is anything that JSON can tell."""

    def __init__(self, state: object) -> None:
        text = json.dumps(state, sort_keys=True, default=str)
        self._now = hashlib.sha256(text.encode()).hexdigest()[:MARK_LENGTH]
        super().__init__(required=False, initial=self._now, widget=forms.HiddenInput)

    def is_current(self, mark: str) -> bool:
        return mark in ("", self._now)


def changed_meanwhile() -> ValidationError:
    return ValidationError(
        _("Somebody else has changed these settings meanwhile. Open the page again to see them."),
        code="changed_meanwhile",
    )


def shown_beside() -> ValidationError:
    """The refusal of a form that shows what was saved meanwhile, and may then be saved again."""
    return ValidationError(
        _(
            "Somebody else has changed this page since you opened it. Nothing of yours is lost: it stands "
            "below, with what was saved meanwhile under each field that differs. Save again to keep yours."
        ),
        code="changed_meanwhile",
    )


def show_saved(form: forms.Form, saved: Mapping[str, object]) -> None:
    """Put what somebody else has saved under each field of a valid form that says something else."""
    given = dict(form.cleaned_data)
    for name, value in saved.items():
        field = form.fields.get(name)
        if field is None or name not in given:
            continue
        told = _told(field, value)
        if told != _told(field, given[name]):
            short = Truncator(told).chars(LONGEST_TOLD)
            form.add_error(name, _("Saved meanwhile: “%(value)s”.") % {"value": short})


def _told(field: forms.Field, value: object) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case None | "":
            return _("none")
        case Decimal():
            return f"{value.normalize():f}"
        case list() | tuple() | models.QuerySet():
            return ", ".join(sorted(_told(field, each) for each in value)) or _("none")
        case models.Model():
            return str(value)
        case _:
            return str(dict(getattr(field, "choices", ())).get(value, value))
