"""What people type to make a key. The form parses; the operations decide and write."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.enums import PRIORITY_LABELS, ROUTING_MODE_LABELS
from federation.access.fields import between, end_of, one_line
from federation.access.models import ApiKey, Application
from federation.access.operations import create_application, issue_key
from federation.access.policies import LONGEST_LIFE, USUAL_LIFE
from federation.access.queries import applications_to_manage, issuing_institutions
from federation.access.scope_forms import ScopeFields
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User
from routing.core.enums import PriorityClass, RoutingMode
from routing.upstream.credentials import Secret

ORIGIN = re.compile(r"https?://([a-z0-9.-]{1,180}|\[[0-9a-f:]{2,45}\])(:[0-9]{1,5})?")
MAX_ORIGINS = 20
NEW = "new"
"""The choice of an application that is made with the key."""


class KeyForm(ScopeFields):
    """A new key, for an application that is there or for one made with it."""

    application = forms.TypedChoiceField(
        label=gettext_lazy("Application"),
        help_text=gettext_lazy("The software that will use the key: usage is counted under it."),
    )
    new_application = forms.CharField(
        max_length=100, required=False, label=gettext_lazy("Name of the new application")
    )
    institution = forms.TypedChoiceField(
        required=False, label=gettext_lazy("Institution of the new application")
    )
    name = forms.CharField(
        max_length=100,
        label=gettext_lazy("Name of the key"),
        help_text=gettext_lazy(
            "What tells it from the others, such as “production” or “my laptop”."
        ),
    )
    priority = forms.TypedChoiceField(
        coerce=lambda value: PriorityClass(int(value)),
        label=gettext_lazy("Class"),
        help_text=gettext_lazy("When servers are busy, a higher class is served first."),
    )
    routing_mode = forms.TypedChoiceField(
        coerce=RoutingMode,
        choices=list(ROUTING_MODE_LABELS.items()),
        initial=RoutingMode.ANY.value,
        label=gettext_lazy("Servers"),
    )
    models = forms.ModelMultipleChoiceField(
        AIModel.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Models"),
        help_text=gettext_lazy("None ticked: every model in production, those to come included."),
    )
    expires_on = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        label=gettext_lazy("Last day"),
        help_text=gettext_lazy(
            "The key works to the end of this day, for two years at most. Empty: for a year."
        ),
    )
    origins = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        label=gettext_lazy("Web origins"),
        help_text=gettext_lazy(
            "Only for a key used inside web pages: their origins, one a line, such as "
            "https://chat.example.fr."
        ),
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by = by
        self._highest = issuing_institutions(by)
        self._offer_applications()
        models = cast("forms.ModelMultipleChoiceField[AIModel]", self.fields["models"])
        models.queryset = AIModel.objects.for_user(by).served()
        highest = max(self._highest.values(), default=PriorityClass.P1)
        priority = cast(forms.TypedChoiceField, self.fields["priority"])
        priority.choices = [item for item in PRIORITY_LABELS.items() if item[0] <= highest]
        priority.initial = min(highest, PriorityClass.P3).value
        self._bound_the_last_day(timezone.localdate())

    @property
    def may_issue(self) -> bool:
        """Whether the person may issue any key at all."""
        return bool(self._highest)

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_new_application(self) -> str:
        return one_line(self.cleaned_data["new_application"])

    def clean_origins(self) -> list[str]:
        lines = self.cleaned_data["origins"].lower().split()
        origins = list(dict.fromkeys(line.rstrip("/") for line in lines))
        if len(origins) > MAX_ORIGINS:
            raise ValidationError(_("At most %(count)s origins."), params={"count": MAX_ORIGINS})
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValidationError(
                    _("“%(origin)s” is no web origin such as https://chat.example.fr."),
                    params={"origin": origin[:80]},
                )
        return origins

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not {"application", "new_application", "institution"} & self.errors.keys():
            self._check_one_application(cleaned)
        if not self.errors:
            self._check_class(cleaned)
        return cleaned

    def issue(self) -> tuple[ApiKey, Secret] | None:
        """Make the key, and its application if that is new. None, with the reason in the form, when refused."""
        given = self.cleaned_data
        try:
            with transaction.atomic():
                return issue_key(
                    by=self._by,
                    application=self._application_without_such_a_key(),
                    name=given["name"],
                    priority=given["priority"],
                    routing_mode=given["routing_mode"],
                    models=list(given["models"]),
                    origins=given["origins"],
                    endpoints=given["endpoints"],
                    networks=given["networks"],
                    labels=given["labels"],
                    expires_at=end_of(given["expires_on"]) if given["expires_on"] else None,
                )
        except ValidationError as refusal:
            self.add_error(None, refusal.messages)
        except IntegrityError:
            self.add_error(None, _("Somebody has just made the same application. Choose it above."))
        return None

    def _application_without_such_a_key(self) -> Application:
        """Return the application, locked: of two equal forms, the one sent twice, only the first makes a key."""
        given = self.cleaned_data
        chosen: Application | None = given.get("application")
        if chosen is None:
            institution = self._institution(given)
            assert institution is not None  # `clean` saw to it
            return create_application(
                by=self._by, institution=institution, name=given["new_application"]
            )
        application = Application.objects.select_for_update().get(pk=chosen.pk)
        if application.keys.usable().filter(name=given["name"]).exists():
            raise ValidationError(
                _(
                    "“%(application)s” has a key named “%(name)s” already. If you did not see it, "
                    "revoke it and make another."
                ),
                params={"application": application, "name": given["name"]},
            )
        return application

    def _check_one_application(self, cleaned: dict[str, Any]) -> None:
        if cleaned.get("application") and cleaned["new_application"]:
            self.add_error("new_application", _("Leave this empty, or choose “a new one” above."))
        elif not cleaned.get("application") and not cleaned["new_application"]:
            self.add_error("new_application", _("Name the software that will use the key."))
        elif not self._institution(cleaned):
            self.add_error("institution", _("Choose the institution."))

    def _check_class(self, cleaned: dict[str, Any]) -> None:
        institution = self._institution(cleaned)
        highest = self._highest.get(institution) if institution else None
        if highest is not None and cleaned["priority"] > highest:
            message = _("At %(institution)s you may issue keys up to class P%(highest)s.")
            values = {"institution": institution, "highest": highest.value}
            self.add_error("priority", message % values)

    def _institution(self, cleaned: dict[str, Any]) -> Institution | None:
        """The application's; for a new one the institution chosen, or the only one there is to choose."""
        application: Application | None = cleaned.get("application")
        if application is not None:
            return application.institution
        if "institution" in self.fields:
            return cleaned.get("institution")
        return next(iter(self._highest), None)

    def _offer_applications(self) -> None:
        """Ask only what there is to choose: an application if there are some, an institution if several."""
        applications = {
            str(application.pk): application
            for application in applications_to_manage(self._by)
            if application.institution in self._highest
        }
        names = [(pk, f"{one.name} · {one.institution}") for pk, one in applications.items()]
        self._offer("application", [(NEW, _("a new one")), *names], applications.get)
        if not applications:
            del self.fields["application"]
            self.fields["new_application"].required = True
        members = {str(member.pk): member for member in self._highest}
        self._offer("institution", [(pk, str(one)) for pk, one in members.items()], members.get)
        if len(members) == 1:
            del self.fields["institution"]

    def _offer(
        self,
        name: str,
        choices: list[tuple[str, str]],
        coerce: Callable[[str], object],
    ) -> None:
        field = cast(forms.TypedChoiceField, self.fields[name])
        field.choices, field.coerce, field.empty_value = choices, coerce, None

    def _bound_the_last_day(self, today: date) -> None:
        field = self.fields["expires_on"]
        field.initial = today + USUAL_LIFE
        field.validators += between(today, today + LONGEST_LIFE)
