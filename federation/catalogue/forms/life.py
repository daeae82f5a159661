"""What is typed about the life of models and of their aliases. The forms parse; the operations decide and write."""

from datetime import date, timedelta
from typing import Any, cast

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.catalogue.models import PUBLIC_NAME, AIModel
from federation.catalogue.models.names import MOST_NOTE
from federation.catalogue.policies import LATEST_END, SHORT_NOTICE
from federation.people.models import User
from federation.widgets import DayInput

USUAL_NOTICE = timedelta(days=90)
ODD_NAME = gettext_lazy(
    "Letters, digits and . _ : / - only, 128 at most, beginning with a letter or a digit."
)


def public_name(label: Any, **more: Any) -> forms.CharField:
    return forms.CharField(
        max_length=128,
        label=label,
        validators=[RegexValidator(PUBLIC_NAME, ODD_NAME)],
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
        **more,
    )


class _EndForm(forms.Form):
    """A day and a successor. `hurried` is asked only when the day is near."""

    day_field = ""
    successor = forms.ModelChoiceField(
        AIModel.objects.none(),
        required=False,
        empty_label=gettext_lazy("none"),
        label=gettext_lazy("Successor"),
        help_text=gettext_lazy("A model in production that does what this one does."),
    )
    hurried = forms.BooleanField(
        required=False,
        label=gettext_lazy("The day is less than 30 days ahead on purpose."),
    )

    def __init__(self, *args: Any, by: User, model: AIModel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_hurried = bool(self.data.get("hurried"))
        successor = cast("forms.ModelChoiceField[AIModel]", self.fields["successor"])
        others = AIModel.objects.for_user(by).open_to_all().exclude(pk=model.pk)
        successor.queryset = others.filter(deprecated_at=None).order_by("display_name")
        tomorrow = timezone.localdate() + timedelta(days=1)
        self.fields[self.day_field].widget.attrs |= {
            "min": tomorrow.isoformat(),
            "max": (tomorrow + LATEST_END - timedelta(days=1)).isoformat(),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        day: date | None = cleaned.get(self.day_field)
        today = timezone.localdate()
        if day is not None and today < day < today + SHORT_NOTICE and not cleaned["hurried"]:
            self.is_hurried = True
            self.add_error(
                "hurried",
                _("That leaves people less than 30 days. Choose a later day, or confirm this one."),
            )
        return cleaned


class DeprecationForm(_EndForm):
    """Until when, what follows, and a word about it."""

    day_field = "retires_on"
    retires_on = forms.DateField(
        label=gettext_lazy("Day of its retirement"),
        help_text=gettext_lazy(
            "From the beginning of this day, Paris time, it is no longer answered."
        ),
        widget=DayInput,
    )
    note_fr = forms.CharField(
        max_length=MOST_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Note in French"),
        help_text=gettext_lazy(
            "Why it goes, what differs with the successor. E-mails and pages show it."
        ),
    )
    note_en = forms.CharField(
        max_length=MOST_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Note in English"),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    field_order = ("retires_on", "hurried", "successor", "note_fr", "note_en", "seen")

    def __init__(self, *args: Any, by: User, model: AIModel) -> None:
        initial = {
            "retires_on": model.retires_on or timezone.localdate() + USUAL_NOTICE,
            "successor": model.successor,
            "note_fr": model.deprecation_note_fr,
            "note_en": model.deprecation_note_en,
            "seen": model.announcements.count(),
        }
        super().__init__(*args, by=by, model=model, initial=initial)


class AliasEndForm(_EndForm):
    """Until when an alias is answered, and by what it is followed; no day: it stays."""

    day_field = "sunset"
    sunset = forms.DateField(
        required=False,
        label=gettext_lazy("Refused from"),
        help_text=gettext_lazy(
            "From the beginning of this day, Paris time, it is no longer answered. Empty: it stays."
        ),
        widget=DayInput,
    )
    field_order = ("sunset", "hurried", "successor")

    def __init__(self, *args: Any, by: User, model: AIModel, **kwargs: Any) -> None:
        super().__init__(*args, by=by, model=model, **kwargs)
        successor = cast("forms.ModelChoiceField[AIModel]", self.fields["successor"])
        following = model.successor
        successor.empty_label = (
            _("%(name)s, which follows the model") if following else _("%(name)s, the model itself")
        ) % {"name": following or model}
        successor.help_text = _(
            "Who still asks by this name is told to ask for this model instead."
        )


class AliasForm(forms.Form):
    name = public_name(
        gettext_lazy("Another name"),
        help_text=gettext_lazy("What clients may write instead, such as “mistral-small”."),
    )


class ModelReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("It is kept in the model’s history, which everybody reads."),
    )

    def __init__(self, *args: Any, is_needed: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = is_needed
