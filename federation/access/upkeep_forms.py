"""What people type about keys that are there: to change, replace, find and revoke them, and to say who manages them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.enums import KeyState
from federation.access.fields import between, end_of, one_line
from federation.access.key_fields import KeyFields
from federation.access.keyring import MOST_TEXT, replace_key
from federation.access.models import ApiKey, Application
from federation.access.operations import add_manager, change_key, give_to_team, hand_over
from federation.access.policies import (
    LONGEST_LIFE,
    LONGEST_OVERLAP,
    USUAL_LIFE,
    highest_class,
    nobody_there,
)
from federation.access.queries import colleagues
from federation.catalogue.models import AIModel
from federation.members.models import Team
from federation.people.models import User
from federation.seen import SeenField, show_saved, shown_beside
from federation.widgets import DayInput
from routing.core.enums import PriorityClass
from routing.upstream.credentials import Secret

USUAL_OVERLAP = timedelta(days=7)


class TrialSearchForm(forms.Form):
    """Which keys to offer for a trial."""

    text = forms.CharField(
        max_length=100,
        required=False,
        label=gettext_lazy("Key, application or institution"),
        help_text=gettext_lazy("A part of its name, or how the key begins."),
    )


class ReplacementForm(forms.Form):
    """Until when the old key works, and the new one."""

    old_until = forms.DateField(
        widget=DayInput,
        label=gettext_lazy("Last day of the old key"),
        help_text=gettext_lazy(
            "Until then both work: put the new one into your software in the meantime. 30 days at most."
        ),
    )
    expires_on = forms.DateField(
        required=False,
        widget=DayInput,
        label=gettext_lazy("Last day of the new key"),
        help_text=gettext_lazy(
            "The key works to the end of this day, for two years at most. Empty: for a year."
        ),
    )

    def __init__(self, *args: Any, by: User, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by, self._key = by, key
        today = timezone.localdate()
        old, new = self.fields["old_until"], self.fields["expires_on"]
        old.initial, new.initial = today + USUAL_OVERLAP, today + USUAL_LIFE
        old.validators += between(today, today + LONGEST_OVERLAP)
        new.validators += between(today, today + LONGEST_LIFE)

    def replace(self) -> tuple[ApiKey, Secret] | None:
        """Make the new key. None, with the reason in the form, when it is refused."""
        given = self.cleaned_data
        try:
            return replace_key(
                by=self._by,
                key=self._key,
                old_until=end_of(given["old_until"]),
                expires_at=end_of(given["expires_on"]) if given["expires_on"] else None,
            )
        except ValidationError as refusal:
            self.add_error(None, refusal.messages)
        return None


class KeyChangeForm(KeyFields):
    """How a key is served from now on. It shows what was last saved, unless somebody has saved since."""

    def __init__(self, *args: Any, by: User, key: ApiKey, **kwargs: Any) -> None:
        chosen = list(key.models.all())
        present = {
            "priority": key.priority,
            "routing_mode": key.routing_mode,
            "models": chosen,
            "origins": "\n".join(key.origins),
            "endpoints": key.endpoints,
            "networks": "\n".join(key.networks),
            "labels": key.labels,
            "tells": key.tells,
            "expires_on": timezone.localdate(key.expires_at) if key.expires_at else None,
        }
        super().__init__(*args, initial=present, **kwargs)
        self._by, self._key = by, key
        self._saved = {**present, "origins": key.origins, "networks": key.networks}
        self._seen = SeenField({**present, "models": sorted(model.slug for model in chosen)})
        self.fields["seen"] = self._seen
        self.fields["expires_on"].help_text = (
            _("The key works to the end of this day, for two years at most. A day must be named.")
            if key.expires_at
            else _("The key works to the end of this day. Empty: without end.")
        )
        labels = cast(forms.MultipleChoiceField, self.fields["labels"])
        offered = dict(cast(list[tuple[str, str]], labels.choices))
        labels.choices = list(({label: label for label in key.labels} | offered).items())
        highest = highest_class(by, key.application.institution) or PriorityClass.P1
        visible = AIModel.objects.for_user(by).open_to_all() | AIModel.objects.filter(keys=key)
        self.offer(visible.distinct(), max(highest, key.priority))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self._seen.is_current(cleaned.get("seen", "")):
            self.add_error(None, shown_beside())
            show_saved(self, self._saved)
            # Sent again, this form replaces what it shows now.
            sent = cast(QueryDict, self.data).copy()
            sent["seen"] = self._seen.initial
            self.data = sent
        return cleaned

    def change(self) -> ApiKey | None:
        """Write it. None, with the reason in the form, when it is refused."""
        facts = self.facts()
        if self.cleaned_data["expires_on"] == self.initial["expires_on"]:
            del facts["expires_at"]
        try:
            return change_key(by=self._by, key=self._key, **facts)
        except ValidationError as refusal:
            self.add_error(None, refusal.messages)
        return None


class RevocationForm(forms.Form):
    """Why a key ends."""

    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Such as: leaked, replaced, no longer used."),
    )

    def clean_reason(self) -> str:
        return one_line(self.cleaned_data["reason"])


class KeySearchForm(forms.Form):
    """Which of an institution's keys to show. A choice that cannot be read narrows nothing."""

    text = forms.CharField(
        max_length=100,
        required=False,
        label=gettext_lazy("Search"),
        help_text=gettext_lazy("In names, applications, owners and beginnings of keys."),
    )
    state = forms.ChoiceField(
        required=False,
        label=gettext_lazy("State"),
        choices=KeyState,
    )


class PersonForm(forms.Form):
    """A colleague by e-mail address, who is to own an application, or to manage it, too."""

    email = forms.EmailField(
        max_length=254,
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("Of a person or a service account with a role at the institution."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, by: User, application: Application, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by, self._application = by, application

    def add(self) -> User | None:
        """Have the person manage the application; None, with the reason in the form, when refused."""
        return self._with_person(
            lambda person: add_manager(by=self._by, application=self._application, manager=person)
        )

    def give(self) -> User | None:
        """Make the person the application's owner; None, with the reason in the form, when refused."""
        return self._with_person(
            lambda person: hand_over(by=self._by, application=self._application, owner=person)
        )

    def _with_person(self, act: Callable[[User], object]) -> User | None:
        institution = self._application.institution
        person = colleagues(institution).filter(email__iexact=self.cleaned_data["email"]).first()
        try:
            if person is None:
                raise nobody_there(institution)
            act(person)
        except ValidationError as refusal:
            self.add_error("email", refusal.messages)
            return None
        return person


class TeamForm(forms.Form):
    """Which team manages an application, too."""

    team = forms.ModelChoiceField(
        Team.objects.none(),
        required=False,
        empty_label=gettext_lazy("no team"),
        label=gettext_lazy("Team"),
        help_text=gettext_lazy("Everybody in it manages the keys, whoever comes and goes."),
    )

    def __init__(self, *args: Any, by: User, application: Application, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["team"] = application.team
        self._by, self._application = by, application
        team = cast("forms.ModelChoiceField[Team]", self.fields["team"])
        team.queryset = Team.objects.for_user(by).open().filter(institution=application.institution)

    def give(self) -> bool:
        """Let it; False, with the reason in the form, when refused."""
        try:
            give_to_team(by=self._by, application=self._application, team=self.cleaned_data["team"])
        except ValidationError as refusal:
            self.add_error("team", refusal.messages)
            return False
        return True


class Unshown(forms.Textarea):
    """A field of which nothing that was sent is ever shown again."""

    def format_value(self, value: object) -> str:
        return ""


class LeakForm(forms.Form):
    """A text in which a key was found. It is never shown again."""

    text = forms.CharField(
        max_length=MOST_TEXT,
        label=gettext_lazy("The key, or the text in which it was found"),
        widget=Unshown(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )
