"""What a form showed, so that saving it does not undo what somebody else has saved since.

Such a form has a hidden field with a mark of the state that it was made from; who sends none takes what comes.
"""

import hashlib
import json

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MARK_LENGTH = 16


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
