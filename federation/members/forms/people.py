"""What people type about people: invitations, teams, service accounts, the account that an invitation opens."""

from typing import Any, cast

from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.members.forms import one_line
from federation.members.models import Institution, Team
from federation.people.enums import Role


class InviteForm(forms.Form):
    """An address and a role; `roles` are those that the sender may offer at this place."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("The link is sent there, works once and for 14 days."),
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"))
    team = forms.ModelChoiceField(
        Team.objects.none(),
        required=False,
        label=gettext_lazy("Team"),
        empty_label=gettext_lazy("no team"),
    )

    def __init__(
        self,
        *args: Any,
        roles: list[Role],
        institution: Institution | None,
        teams: "list[Team]",
        needs_team: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        role = cast(forms.ChoiceField, self.fields["role"])
        role.choices = [(role.value, role.label) for role in roles]
        role.initial = Role.USER.value
        if not teams:
            del self.fields["team"]
            return
        team = cast("forms.ModelChoiceField[Team]", self.fields["team"])
        team.queryset = Team.objects.filter(pk__in=[team.pk for team in teams])
        team.required = needs_team
        if needs_team:
            team.empty_label = None

    def clean(self) -> dict[str, Any]:
        return {"team": None, **(super().clean() or {})}


class NameForm(forms.Form):
    name = forms.CharField(max_length=100, label=gettext_lazy("Name"))

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])


class ServiceAccountForm(NameForm):
    team = forms.ModelChoiceField(
        Team.objects.none(),
        required=False,
        label=gettext_lazy("Team"),
        empty_label=gettext_lazy("the whole institution"),
    )

    def __init__(self, *args: Any, teams: "list[Team]", needs_team: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = _("Such as “Nightly indexing”. It can own applications.")
        if not teams:
            del self.fields["team"]
            return
        team = cast("forms.ModelChoiceField[Team]", self.fields["team"])
        team.queryset = Team.objects.filter(pk__in=[team.pk for team in teams])
        team.required = needs_team
        if needs_team:
            team.empty_label = None

    def clean(self) -> dict[str, Any]:
        return {"team": None, **(super().clean() or {})}


class PlaceForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("Of somebody who has a role at the institution."),
    )
    is_lead = forms.BooleanField(
        required=False,
        label=gettext_lazy("Leads the team: brings people in and takes them out"),
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=gettext_lazy("Role"))

    def __init__(self, *args: Any, roles: list[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["role"])
        field.choices = [(role.value, role.label) for role in roles]


class NewAccountForm(forms.Form):
    """What somebody invited has to say for an account to be opened."""

    name = forms.CharField(
        max_length=150,
        label=gettext_lazy("Your name"),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=4096,
        help_text=password_validators_help_text_html,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("The same password again"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise ValidationError(_("The two passwords differ."), code="passwords_differ")
        return again
